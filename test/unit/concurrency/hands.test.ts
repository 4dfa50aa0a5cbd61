import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals, recover, type Recovered } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource, site, vmCreate } from '../simulator/support.ts';

const uuid = '0c0ffee0-0000-4000-8000-00000000aaaa';
const device = '/dev/vg0/data';
const config = (disk: string) =>
  `name = "web1"\nmemory = 128\nuuid = "${uuid}"\nkernel = "/boot/k"\ndisk = ["phy:${disk},xvda,w"]\n`;

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
  host.admin.writeFile('/boot/k', 'a kernel');
});

const run = <T>(body: (tx: Tx) => Promise<T>, on = host): Promise<T> =>
  withBofh(bofhOn(on), () => atomic('try', body));

/** Runs it, and kills bofh at the first line that it writes once this is so. */
async function killed(body: () => Promise<unknown>, when: () => boolean): Promise<void> {
  const unwatch = host.faults.watch(({ tool, argv }) => {
    if (tool !== 'store' || argv[0] !== 'write' || !when()) return;
    host.kill();
    throw new Error('killed');
  });
  await rejectionOf(body());
  unwatch();
}

async function recovered(on: SimulatedHost, yes: boolean): Promise<Recovered> {
  const { engine } = simulatedBofh({ host: on, site });
  const [open] = await openJournals(engine);
  return recover(open?.id ?? '', { engine, yes });
}

const volumes = (on: SimulatedHost): readonly string[] =>
  on.world.lvm.flatMap(({ lvs }) => lvs).map(({ name }) => name);

async function numberOf(on: SimulatedHost, path: string): Promise<string> {
  const link = await on.readLink(path);
  return (await on.stat(`/dev/${link.split('/').at(-1) ?? ''}`))?.node ?? '';
}

describe('an older filesystem with files of a killed sequence', () => {
  async function filled(): Promise<void> {
    host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
    host.admin.mkdir('/srv/new');
    host.admin.mount(device, '/srv/new');
    const unpack = () =>
      run((tx) =>
        tx.copy.unpack({ source: '/srv/debian.tar', root: '/srv/new', device, filesystem: uuid, files: [] }),
      );
    await killed(unpack, () => host.snapshot().includes('os-release'));
  }

  test('is emptied while it is still mounted as before, which is no foreign use', async () => {
    await filled();
    const after = host.restart();

    expect(await recovered(after, false)).toMatchObject({ end: 'rolled-back' });
    expect(await after.readDir('/srv/new')).toEqual([]);
  });

  test('is left untouched when it was mounted again and is in use', async () => {
    await filled();
    const after = host.reboot();
    after.admin.mount(device, '/srv/new');
    after.admin.writeFile('/srv/new/thesis.txt', 'years of work');

    await expect(recovered(after, false)).rejects.toThrow(/in use now.*\/srv\/new/);
    expect(after.admin.readFile('/srv/new/thesis.txt')).toBe('years of work');
  });

  test('is not mounted by the undo while it is the disk of a guest, whatever is confirmed', async () => {
    await filled();
    const after = host.reboot();
    const number = await numberOf(after, device);
    after.admin.startDomain({ name: 'mine', disks: [{ vdev: 'xvda', path: device, number }] });

    await expect(recovered(after, false)).rejects.toThrow(/in use now.*disk of the guest/);
    await expect(recovered(after, true)).rejects.toThrow(/in use: a disk of the guest.*bofh keeps/);
    expect(after.world.mounts.filter(({ path }) => path.includes('undo'))).toEqual([]);
  });

  test('is found when its volume was renamed, and emptied with --yes', async () => {
    await filled();
    const after = host.reboot();
    after.admin.lvrename('vg0', 'data', 'kept');

    await expect(recovered(after, false)).rejects.toThrow(/it is lv:vg0\/kept now/);
    expect(await recovered(after, true)).toMatchObject({ end: 'rolled-back' });
    after.admin.mount('/dev/vg0/kept', '/srv/new');
    expect(await after.readDir('/srv/new')).toEqual([]);
  });

  test('keeps its journal open while its volume is inactive', async () => {
    await filled();
    for (const lv of host.world.lvm.flatMap(({ lvs }) => lvs))
      if (lv.name === 'data') lv.autoactivation = false;
    const after = host.reboot();

    await expect(recovered(after, true)).rejects.toThrow(/not active/);
    expect(await openJournals(simulatedBofh({ host: after, site }).engine)).toHaveLength(1);
  });
});

test('an object on a volume whose group is absent is not reported as gone', async () => {
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
  const isMade = () => /vg0\/data holds (?!blank)/.test(host.snapshot());
  await killed(() => run((tx) => tx.filesystem.create({ device, type: 'ext4' })), isMade);
  const after = host.reboot();
  after.world.active.clear();
  after.world.lvm = [];

  await expect(recovered(after, true)).rejects.toThrow(/its volume group is not there/);
  expect(await openJournals(simulatedBofh({ host: after, site }).engine)).toHaveLength(1);
});

test('an object on a loop device is undone also when that has another number after a reboot', async () => {
  for (const file of ['/srv/a.img', '/srv/b.img']) host.admin.writeFile(file, 'x'.repeat(8 * 1024 ** 2));
  host.admin.losetup('/srv/a.img');
  let made = false;
  host.faults.watch(({ tool }) => {
    made ||= tool === 'mkfs.ext4';
  });
  await killed(
    () => run((tx) => tx.filesystem.create({ device: '/dev/loop0', type: 'ext4' })),
    () => made,
  );
  const after = host.reboot();
  after.admin.losetup('/srv/b.img');
  after.admin.losetup('/srv/a.img');

  expect(await recovered(after, false)).toMatchObject({ end: 'rolled-back' });
});

describe('a partly created guest', () => {
  test('that was started from its own configuration: recovery leaves it untouched', async () => {
    await killed(
      () => vmCreate(bofhOn(host), { swap: 0 }),
      () => host.world.domains.some(({ name }) => name === 'web1'),
    );
    const after = host.reboot();
    const path = '/dev/vg0/web1-root';
    const own = /uuid\s*=\s*["'](?<uuid>[^"']+)/.exec(after.admin.readFile('/etc/xen/web1.cfg'))?.groups;
    const disks = [{ vdev: 'xvda', path, number: await numberOf(after, path) }];
    after.admin.startDomain({ name: 'web1', uuid: own?.['uuid'] ?? '', disks });

    await expect(recovered(after, false)).rejects.toThrow(/in use now.*web1/);
    expect(await after.stat('/etc/xen/web1.cfg')).toBeDefined();
    expect(after.world.domains.map(({ name }) => name)).toContain('web1');
    expect(volumes(after)).toContain('web1-root');
  });

  test('that another process starts at the same moment: it keeps running', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
    host.admin.writeFile('/etc/xen/web1.cfg', config(device));
    const isThere = () => host.world.domains.some(({ name }) => name === 'web1');
    host.faults.watch(({ tool, argv }) => {
      if (tool === 'xl' && argv[0] === 'create' && !isThere()) host.admin.startDomain({ name: 'web1', uuid });
    });

    const error = await rejectionOf(
      run((tx) => tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' })),
    );

    expect(String(error)).toMatch(/^RolledBackError.*already exists.*started by another process/);
    expect(host.world.domains.filter(({ name }) => name === 'web1')).toMatchObject([{ uuid }]);
  });
});

describe('a step on an object of an older step', () => {
  const make = async (tx: Tx): Promise<string> => {
    const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'data', size: '64m' });
    return path;
  };

  test('runs when a guest with that disk has ended by itself', async () => {
    const path = await run(async (tx) => {
      const disk = await make(tx);
      await tx.filesystem.create({ device: disk, type: 'ext4' });
      await tx.file.create({ path: '/etc/xen/web1.cfg', content: config(disk), mode: 0o644 });
      await tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' });
      host.admin.destroyDomain('web1');
      return (await tx.mount.mount({ device: disk, mode: 'rw' })).path;
    });

    expect(host.world.mounts.map((mounted) => mounted.path)).toContain(path);
  });

  test('is refused when its name is that of a foreign volume, also after a guest used ours', async () => {
    let before = '';
    const foreign = () =>
      host
        .snapshot()
        .split('\n')
        .filter((line) => line.includes('vg0/data '))
        .join('\n');
    const error = await rejectionOf(
      run(async (tx) => {
        const disk = await make(tx);
        await tx.file.create({ path: '/etc/xen/web1.cfg', content: config(disk), mode: 0o644 });
        await tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' });
        await tx.xen.shutdown({ name: 'web1', uuid, config: '/etc/xen/web1.cfg', how: 'destroy' });
        host.admin.lvrename('vg0', 'data', 'old');
        host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 20 });
        before = foreign();
        await tx.filesystem.create({ device: disk, type: 'ext4' });
      }),
    );

    expect(String(error)).toContain('it is lv:vg0/old now');
    expect(foreign()).toBe(before);
  });

  test('is refused when another file has replaced ours', async () => {
    for (const name of ['ours', 'theirs']) host.admin.lvcreate({ vg: 'vg0', name, extents: 4 });
    const error = await rejectionOf(
      run(async (tx) => {
        await tx.file.create({ path: '/etc/xen/web1.cfg', content: config('/dev/vg0/ours'), mode: 0o644 });
        host.admin.removeFile('/etc/xen/web1.cfg');
        host.admin.writeFile('/etc/xen/web1.cfg', config('/dev/vg0/theirs'));
        await tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' });
      }),
    );

    expect(String(error)).toContain('not as this sequence left it');
    expect(host.world.domains.map(({ name }) => name)).not.toContain('web1');
  });
});

describe('a foreign object that is left untouched', () => {
  const replaced = async (tx: Tx, name: string): Promise<never> => {
    await tx.lvm.createLv({ vg: 'vg0', name, size: '4m' });
    host.admin.lvremove('vg0', name);
    host.admin.lvcreate({ vg: 'vg0', name, extents: 2 });
    throw new Error('no');
  };
  const told = async (body: (tx: Tx) => Promise<unknown>) => {
    const found: string[] = [];
    const bofh = bofhOn(host);
    const engine = { ...bofh.engine, onLeftUntouched: (each: string) => void found.push(each) };
    await withBofh({ ...bofh, engine }, () => atomic('try', body));
    return found;
  };

  test('is reported when its scope failed and the sequence succeeds', async () => {
    expect(await told((tx) => rejectionOf(tx.scope('inner', (inner) => replaced(inner, 'a'))))).toEqual([
      expect.stringMatching(
        /logical volume vg0\/a\): vg0\/a \(uuid \S+\) does not have the tag of this step/,
      ),
    ]);
  });

  test('is reported when an act after the commit finds it', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 4 });
    host.faults.watch(({ tool, argv }) => {
      const gone = volumes(host).find((name) => name.startsWith('bofh_gone'));
      if (gone !== undefined && tool === 'store' && argv[0] === 'write')
        host.admin.lvrename('vg0', gone, 'rescued');
    });

    expect(await told((tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'data' }))).toEqual([
      expect.stringMatching(/it was renamed to vg0\/rescued/),
    ]);
    expect(volumes(host)).toContain('rescued');
  });

  test('is in the error of a stuck sequence too, and not as undone', async () => {
    const error = await rejectionOf(
      run(async (tx) => {
        const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'data', size: '64m' });
        await tx.filesystem.create({ device: path, type: 'ext4' });
        const mounted = await tx.mount.mount({ device: path, mode: 'rw' });
        host.admin.hold(mounted.path, 'vi');
        await replaced(tx, 'b');
      }),
    );

    const { leftUntouched, undone } = error as StuckError & RolledBackError;
    expect(leftUntouched).toEqual([expect.stringContaining('vg0/b')]);
    expect(undone.flatMap(({ objects }) => objects)).not.toContain('lv:vg0/b');
  });
});
