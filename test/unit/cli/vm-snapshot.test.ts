import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { imageOf } from '../../../src/simulator/tools/blockdevice/compressed.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { jsonOn, runVerb, typedOn } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
afterEach(() => {
  vi.useRealTimers();
});
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [
    { path: 'etc', type: 'directory' },
    { path: 'etc/motd', content: 'the shop\n' },
  ]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  await typed(`vm create web1 ${made}`);
});

const made =
  '--source tar:/srv/root.tar --size 256m --swap 16m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd --bridge xenbr0';

const typed = (line: string, settings = {}) =>
  jsonOn(simulatedBofh({ host }), line, { yes: true, ...settings });

const create = async (label = 'before', words = '') =>
  answers.vmSnapshotCreate.parse((await typed(`vm snapshot create web1 ${label} ${words}`.trim())).data);
const list = async (name = '') => {
  const { code, data } = await typed(`vm snapshot list ${name}`.trim());
  return { code, ...answers.vmSnapshotList.parse(data) };
};
const restore = async (label = 'before') =>
  answers.vmSnapshotRestore.parse((await typed(`vm snapshot restore web1 ${label}`)).data);
const config = () => host.admin.readFile('/etc/xen/web1.cfg');
const lvOf = (name: string) => host.world.lvm[0]?.lvs.find((each) => each.name === name);
const contentOf = (name: string) => imageOf(host.world.live.get(`lv:${lvOf(name)?.uuid ?? ''}`));
const volumes = () => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();
const write = (path: string, text: string) => {
  host.admin.mkdir('/mnt/x');
  host.admin.mount('/dev/vg0/web1-root', '/mnt/x');
  host.admin.writeFile(`/mnt/x${path}`, text);
  host.admin.umount('/mnt/x');
};

test('a guest goes back to its snapshot if its configuration is a link', async () => {
  const before = config();
  host.admin.writeFile('/srv/web1.cfg', before);
  host.admin.removeFile('/etc/xen/web1.cfg');
  host.admin.symlink('/etc/xen/web1.cfg', '/srv/web1.cfg');
  await create();
  await typed('vm set web1 memory=256m');

  await restore();

  expect(host.admin.readFile('/srv/web1.cfg')).toBe(before);
  expect((await host.stat('/etc/xen/web1.cfg'))?.kind).toBe('symlink');
});

test('a guest goes back to its snapshot, with its configuration', async () => {
  const [before, root] = [config(), contentOf('web1-root')];
  const { disks, state } = await create();
  expect([state, disks.map(({ vdev, snapshot }) => [vdev, snapshot])]).toEqual([
    'off',
    [
      ['xvda', 'vg0/web1-root-before'],
      ['xvdb', 'vg0/web1-swap-before'],
    ],
  ]);

  write('/etc/motd', 'broken\n');
  await typed('vm set web1 memory=256m');
  expect(contentOf('web1-root')).not.toEqual(root);
  const { configChanged, later } = await restore();

  expect([configChanged, later]).toEqual([true, []]);
  expect(config()).toBe(before);
  expect(contentOf('web1-root')).toEqual(root);
  expect(volumes()).toEqual(['web1-root', 'web1-swap']);
  expect((await list()).snapshots).toEqual([]);
});

test.each(['vm snapshot create web1 before', 'vm backup web1 /srv'])(
  '%s is refused if another guest, or this host, uses a disk of a guest that seems to be off',
  async (line) => {
    const refused = () => rejectionOf(typed(line)) as Promise<BofhError>;
    host.admin.mkdir('/mnt/x');
    host.admin.mount('/dev/vg0/web1-root', '/mnt/x');
    expect(await refused()).toMatchObject({
      message: expect.stringMatching(/web1-root, a disk of web1, is in use.*different moments/) as string,
      remedy: 'bofh vm unmount web1; then run the command again',
    });
    host.admin.umount('/mnt/x');

    host.admin.writeFile('/etc/xen/web1.cfg', config().replace(/^uuid.*\n/m, ''));
    await typed('vm start web1');
    host.admin.writeFile('/etc/xen/web1.cfg', config().replaceAll('"web1"', '"old"'));
    expect(await rejectionOf(typed(line.replace('web1', 'old')))).toMatchObject({
      message: expect.stringMatching(/web1-root is in use: a disk of the guest web1/) as string,
    });
  },
);

test('a guest that is mounted read-only can be saved', async () => {
  await typed('vm mount web1 --read-only');

  expect((await create()).state).toBe('off');
});

test.each(['', '--thin pool'])(
  'a guest %s goes back to a snapshot whose volume was renamed',
  async (thin) => {
    if (thin !== '') {
      await typed('vm remove web1');
      host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 128 });
      await typed(`vm create web1 ${made} ${thin}`);
    }
    const root = contentOf('web1-root');
    await create();
    host.admin.lvrename('vg0', 'web1-root-before', 'kept');
    write('/etc/motd', 'broken\n');

    await restore();

    expect(contentOf('web1-root')).toEqual(root);
    expect(volumes()).toEqual([...(thin === '' ? [] : ['pool']), 'web1-root', 'web1-swap']);
  },
);

test('a running guest with two disks is paused only for the snapshots', async () => {
  await typed('vm start web1');
  const from = host.changes.length;

  const { state } = await create();

  const ran = host.changes
    .slice(from)
    .flatMap((each) => (each.what === 'command' ? [each.command.tool] : []));
  expect(ran.filter((tool) => tool === 'xl' || tool === 'lvcreate')).toEqual([
    ...['xl', 'lvcreate', 'lvcreate', 'xl'],
  ]);
  expect(state).toBe('running');
  expect(host.world.domains.map(({ name, state: is }) => [name, is])).toEqual([['web1', 'blocked']]);
  const before = host.snapshot();
  const error = (await rejectionOf(restore())) as BofhError;
  expect([error.code, error.remedy]).toEqual(['in-use', 'bofh vm stop web1']);
  expect(host.snapshot()).toBe(before);
});

test('snapshots are listed by guest and time, with the reason where one cannot be restored: exit 6', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  for (const day of [2, 1]) {
    vi.setSystemTime(Date.UTC(2026, 0, day));
    await create(`day-${String(day)}`);
  }
  const { code, snapshots } = await list('web1');
  expect([code, snapshots.map(({ label, why }) => [label, why])]).toEqual([
    0,
    [
      ['day-1', null],
      ['day-2', null],
    ],
  ]);
  expect((await list('web')).snapshots).toEqual([]);

  await typed('lvm remove vg0/web1-root-day-1');
  host.admin.writeFile('/var/lib/bofh/snapshots/web1@odd.json', '{}', 0o600);
  const now = await list();
  expect(now.code).toBe(6);
  expect(now.snapshots.map(({ why }) => why)).toEqual([
    'the volume vg0/web1-root-day-1 no longer exists',
    null,
  ]);
  expect(now.problems).toHaveLength(1);
  await expect(restore('day-1')).rejects.toThrow(/cannot be restored: the volume/);
  // What is left of it is removed.
  await typed('vm snapshot remove web1 day-1');
  expect(volumes()).toEqual(['web1-root', 'web1-root-day-2', 'web1-swap', 'web1-swap-day-2']);
});

test('an older snapshot is restored beside a newer one, which stays', async () => {
  const first = contentOf('web1-root');
  await create('first');
  write('/etc/motd', 'second\n');
  const second = contentOf('web1-root');
  await create('second');

  await restore('first');
  expect(contentOf('web1-root')).toEqual(first);
  expect((await list()).snapshots.map(({ label, why }) => [label, why])).toEqual([['second', null]]);
  await restore('second');
  expect(contentOf('web1-root')).toEqual(second);
});

test('the other snapshots of thin volumes cannot be restored after that, as the question and the answer say', async () => {
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 80 });
  await typed(`vm create web2 ${made.replace('xenbr0', 'xenbr0 --thin pool')}`);
  await typed('vm snapshot create web2 first');
  await typed('vm snapshot create web2 second');
  const others = ['vg0/web2-root-second', 'vg0/web2-swap-second'];

  const { runtime, stderr } = testRuntime(simulatedBofh({ host }), {}, ['no']);
  await rejectionOf(runVerb(runtime, 'vm snapshot restore web2 first'));
  const { data } = await typed('vm snapshot restore web2 first');

  expect(stderr()).toContain(`these thin snapshots cannot be restored after that: ${others.join(', ')}`);
  expect(answers.vmSnapshotRestore.parse(data).detached).toEqual(others);
  const { code, snapshots } = await list('web2');
  expect([code, snapshots.map(({ why }) => why)]).toEqual([
    6,
    ['vg0/web2-root-second is not a snapshot of vg0/web2-root any more'],
  ]);
});

describe('refused before anything changes, because the volumes or the address are of others now', () => {
  const edit = (guest: string, how: (text: string) => string): void => {
    const path = `/etc/xen/${guest}.cfg`;
    host.admin.writeFile(path, how(host.admin.readFile(path)));
  };
  const attached = (text: string, volume: string): string =>
    text.replace('disk = [', `disk = [ 'phy:/dev/vg0/${volume},xvdz,w',`);
  const another = () => typed(`vm create web2 ${made}`);

  test.each([
    [
      'a disk of another guest would go back too',
      'restore',
      async () => {
        host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 4 });
        await another();
        edit('web1', (text) => attached(text, 'data'));
        await create();
        edit('web1', (text) => text.replace("'phy:/dev/vg0/data,xvdz,w',", ''));
        edit('web2', (text) => attached(text, 'data'));
      },
      'vg0/data is a disk of the guest web2, in /etc/xen/web2.cfg, which would lose its data',
    ],
    ...(['restore', 'remove'] as const).map(
      (verb) =>
        [
          `a volume of the snapshot is a disk of another guest: ${verb}`,
          verb,
          async () => {
            await another();
            await create();
            edit('web2', (text) => attached(text, 'web1-root-before'));
          },
          'vg0/web1-root-before is a disk of the guest web2, in /etc/xen/web2.cfg, which would lose its data',
        ] as const,
    ),
    [
      'the name of a volume is that of another one',
      'restore',
      async () => {
        await create();
        await typed('lvm rename vg0/web1-swap old');
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-swap', extents: 4 });
        edit('web1', (text) => text.replace('vg0/web1-swap', 'vg0/old'));
      },
      'in the snapshot before of web1, xvdb is /dev/vg0/web1-swap, and that volume is vg0/old now',
    ],
    [
      'another guest has its address',
      'restore',
      async () => {
        await create();
        await another();
        const mac = /mac=(?<mac>[^,]*)/.exec(config())?.groups?.mac ?? '';
        await typed(`vm interface detach web1 ${mac}`);
        await typed(`vm interface attach web2 --bridge xenbr0 --mac ${mac}`);
      },
      'belongs to web2',
    ],
  ] as const)('%s', async (_, verb, change, message) => {
    await change();
    const before = host.snapshot();
    await expect(typed(`vm snapshot ${verb} web1 before`)).rejects.toThrow(message);
    expect(host.snapshot()).toBe(before);
  });
});

test('a snapshot is removed, and the guest stays as it is', async () => {
  await create('first');
  await typed('vm snapshot remove web1 first');
  const before = host.snapshot();
  await create();
  await typed('vm snapshot remove web1 before');
  expect(host.snapshot()).toBe(before);
});

test('a thin snapshot whose origin is gone stays, and is named', async () => {
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 80 });
  await typed(`vm create web2 ${made.replace('xenbr0', 'xenbr0 --thin pool')}`);
  await typed('vm snapshot create web2 before');
  host.admin.lvremove('vg0', 'web2-root');

  const { stdout } = await typedOn(simulatedBofh({ host }), 'vm snapshot remove web2 before', { yes: true });

  expect(stdout).toContain('vg0/web2-root-before stays');
  expect(volumes()).toContain('web2-root-before');
  expect(volumes()).not.toContain('web2-swap-before');
});

test('a guest with snapshots is neither removed nor renamed, and its linear disks are not resized', async () => {
  await create();
  const before = host.snapshot();
  for (const line of ['vm remove web1', 'vm rename web1 web2', 'vm resize web1 root +64m']) {
    const error = (await rejectionOf(typed(line))) as BofhError;
    expect(error.message).toContain('web1 has snapshots: before');
    expect(error.remedy).toContain('bofh vm snapshot remove web1 before');
  }
  expect(host.snapshot()).toBe(before);
});

test('a disk that was added later stays, and is named', async () => {
  await create();
  host.admin.lvcreate({ vg: 'vg0', name: 'more', extents: 4 });
  host.admin.writeFile(
    '/etc/xen/web1.cfg',
    config().replace('disk = [', "disk = [ 'phy:/dev/vg0/more,xvdc,w',"),
  );

  expect((await restore()).later).toEqual(['/dev/vg0/more']);
  expect(volumes()).toEqual(['more', 'web1-root', 'web1-swap']);
});

test.each([
  ['a label that is taken', 'vm snapshot create web1 before', /there is a snapshot before of web1 already/],
  ['a label with a slash', 'vm snapshot create web1 a/b', /cannot be the name of a snapshot/],
  ['the label of vm backup', 'vm snapshot create web1 backup', /cannot be the name of a snapshot/],
  ['the label of vm provision', 'vm snapshot create web1 provision', /cannot be the name of a snapshot/],
  ['no such guest', 'vm snapshot create web9 x', /no guest web9 is configured/],
  ['no such snapshot', 'vm snapshot restore web1 x', /there is no snapshot x of web1/],
  ['no room', 'vm snapshot create web1 big --size 6g', /the snapshots need/],
])('refused before anything changes: %s', async (_, line, message) => {
  await create();
  const before = host.snapshot();
  await expect(typed(line)).rejects.toThrow(message);
  expect(host.snapshot()).toBe(before);
});

test('without room names its own option for the size', async () => {
  const error = await rejectionOf(typed('vm snapshot create web1 big --size 6g'));
  expect(error).toMatchObject({ remedy: expect.stringMatching(/^give each less with --size, or/) as string });
});

test('refuses a snapshot file that others can write', async () => {
  await create();
  host.admin.chown('/var/lib/bofh/snapshots', 1000);
  await expect(restore()).rejects.toThrow(/another user could replace it/);
});
