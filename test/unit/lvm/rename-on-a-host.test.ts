import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('renames', body));
const volumes = (on = host): readonly string[] =>
  on.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).sort();
const createLv = (tx: Tx, name: string) => tx.lvm.createLv({ vg: 'vg0', name, size: '16m' });
const renameLv = (tx: Tx, name: string, to: string) => tx.lvm.renameLv({ vg: 'vg0', name, to });

/** What a sequence may do around a rename, each to its end; the volumes that it leaves when it ends well. */
const bodies: readonly (readonly [string, readonly string[], (tx: Tx) => Promise<unknown>])[] = [
  [
    'a volume made, formatted and renamed, then mounted for a while by its new name',
    ['b'],
    async (tx) => {
      await tx.filesystem.create({ device: (await createLv(tx, 'a')).path, type: 'ext4' });
      const { path } = await renameLv(tx, 'a', 'b');
      await (await tx.temporary.mount.mount({ device: path, mode: 'rw' })).release();
    },
  ],
  [
    'a volume made, renamed, and only then formatted',
    ['b'],
    async (tx) => {
      await createLv(tx, 'a');
      await tx.filesystem.create({ device: (await renameLv(tx, 'a', 'b')).path, type: 'ext4' });
    },
  ],
  [
    'a second volume under the name that has become free, both formatted',
    ['a', 'b'],
    async (tx) => {
      await tx.filesystem.create({ device: (await createLv(tx, 'a')).path, type: 'ext4' });
      await renameLv(tx, 'a', 'b');
      await tx.filesystem.create({ device: (await createLv(tx, 'a')).path, type: 'swap' });
    },
  ],
  [
    'three names in a row, and back to the first',
    ['a'],
    async (tx) => {
      await createLv(tx, 'a');
      await renameLv(tx, 'a', 'b');
      await renameLv(tx, 'b', 'c');
      await renameLv(tx, 'c', 'a');
      await tx.filesystem.create({ device: '/dev/vg0/a', type: 'ext4' });
    },
  ],
  [
    'a volume that is renamed and removed',
    [],
    async (tx) => {
      await createLv(tx, 'a');
      await renameLv(tx, 'a', 'b');
      await tx.lvm.removeLv({ vg: 'vg0', name: 'b' });
    },
  ],
  [
    'two volumes that change their names',
    ['a', 'b'],
    async (tx) => {
      await createLv(tx, 'a');
      await createLv(tx, 'b');
      await renameLv(tx, 'a', 'c');
      await renameLv(tx, 'b', 'a');
      await renameLv(tx, 'c', 'b');
    },
  ],
];

describe.each(bodies)('%s', (_title, left, body) => {
  test('is done', async () => {
    await does(body);
    expect(volumes()).toEqual(left);
  });

  test('is all undone when the sequence fails afterwards', async () => {
    await expectUndone(host, () => does(async (tx) => [await body(tx), await failNow()]));
  });

  test('is all undone, or all done, by recovery from a kill at any point', async () => {
    await expectRecovery({ start: simulatedHost, work: (on) => does(body, on) });
  });
});

describe('an older volume', () => {
  beforeEach(() => {
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 4 });
  });

  test('formatted and renamed, then failed: blank again under its old name', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await tx.filesystem.create({ device: '/dev/vg0/a', type: 'ext4' });
        await renameLv(tx, 'a', 'b');
        await failNow();
      }),
    );
  });

  test.each([
    ['mounted', () => void host.admin.mount('/dev/vg0/a', '/mnt'), /in use: mounted on \/mnt/],
    ['in use as swap', () => host.admin.swapon('/dev/vg0/a'), /in use: .*swap/],
    ['the disk of a running guest', () => startGuest(), /in use: .*web1/],
  ])('is not renamed while it is %s; the holder is named', async (_, use, message) => {
    host.admin.format('/dev/vg0/a', ext4);
    use();
    const before = host.snapshot();

    const error = await failureOf(does((tx) => renameLv(tx, 'a', 'b')));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(message);
    expect(host.snapshot()).toBe(before);
  });

  test('is renamed while a process has it open, or it has a snapshot', async () => {
    host.admin.hold(`${host.world.dmMajor}:${host.world.active.values().next().value ?? 0}`);
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 1 });

    await does((tx) => renameLv(tx, 'a', 'b'));

    expect(volumes()).toEqual(['b', 'monday']);
  });

  test('is not renamed back while in use: stuck, the holder named, and undone once it is free', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await renameLv(tx, 'a', 'b');
        host.admin.mount('/dev/vg0/b', '/mnt');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('mounted on /mnt');
    expect(volumes()).toEqual(['b']);

    host.admin.umount('/mnt');
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('moved with its group to another name after a kill: recovery asks first', async () => {
    host.fault({ tool: 'lvrename', mode: 'acts then crash' });
    await failureOf(does((tx) => renameLv(tx, 'a', 'b')));
    host.clearFaults();
    const next = host.restart();
    next.world.lvm = next.world.lvm.map((vg) => ({ ...vg, name: 'vg9' }));
    const { engine } = bofhOn(next);
    const [open] = await openJournals(engine);

    const refused = await failureOf(recover(open?.id ?? '', { engine, yes: false }));
    expect(String(refused)).toContain('it is lv:vg9/b now');

    await recoverAll(next);
    expect(volumes(next)).toEqual(['a']);
  });

  test('and in use by its new name after a kill: left untouched by recovery without --yes', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    host.fault({ tool: 'lvrename', mode: 'acts then crash' });
    await failureOf(does((tx) => renameLv(tx, 'a', 'b')));
    host.clearFaults();
    const next = host.restart();
    next.admin.mount('/dev/vg0/b', '/mnt');
    const { engine } = bofhOn(next);
    const [open] = await openJournals(engine);

    const refused = await failureOf(recover(open?.id ?? '', { engine, yes: false }));

    expect(refused).toBeInstanceOf(RefusedError);
    expect(String(refused)).toContain('mounted on /mnt');
    expect(volumes(next)).toEqual(['b']);
  });
});

const ext4 = {
  type: 'ext4',
  usage: 'filesystem',
  uuid: '0c0ffee0-0000-4000-8000-00000000000f',
  version: '1.0',
} as const;

function startGuest(): void {
  const minor = host.world.active.values().next().value ?? 0;
  const disks = [{ vdev: 'xvda', path: '/dev/vg0/a', number: `${host.world.dmMajor}:${minor}` }];
  host.admin.startDomain({ name: 'web1', disks });
}
