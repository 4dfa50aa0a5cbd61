import { beforeEach, describe, expect, test } from 'vitest';
import { undo } from '../../../src/api/undo.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const mib = 1024 ** 2;
const consent = 'lose the data beyond the new size';
const ext4 = {
  type: 'ext4',
  usage: 'filesystem',
  uuid: '0c0ffee0-0000-4000-8000-00000000000f',
  version: '1.0',
} as const;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 });
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('sizes', body));
const resize = (tx: Tx, size: string | number, shrink?: typeof consent) =>
  tx.lvm.resizeLv({ vg: 'vg0', name: 'a', size, ...(shrink === undefined ? {} : { shrink }) });
const volume = (name = 'a', on = host) => {
  const lv = on.world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.name === name);
  if (lv === undefined) throw new Error(`no volume ${name}`);
  return lv;
};
const runs = (name = 'a') => volume(name).runs?.map(({ start, count }) => [start, count]);
const commands = (): readonly string[] =>
  host.changes.flatMap((each) =>
    each.what === 'command' && each.command.tool.startsWith('lv')
      ? [[each.command.tool, ...each.command.argv].join(' ')]
      : [],
  );

/** `a` in three pieces: extents 0 to 7, 10 to 12 and 15 to 16. */
function inPieces(): void {
  host.admin.lvcreate({ vg: 'vg0', name: 'b', extents: 2 });
  host.admin.lvextend('vg0', 'a', 11);
  host.admin.lvcreate({ vg: 'vg0', name: 'c', extents: 2 });
  host.admin.lvextend('vg0', 'a', 13);
}

describe('resizeLv', () => {
  test.each([
    ['larger', 40 * mib, undefined, 40],
    ['to whole extents', 40 * mib + 1, undefined, 44],
    ['smaller', '8m', consent, 8],
    ['to the size that it has', '32m', undefined, 32],
    ['to the size that it has, in other words', 29 * mib, undefined, 32],
  ] as const)('%s: returns the path and the size in bytes', async (_, size, shrink, expected) => {
    const value = await does((tx) => resize(tx, size, shrink));

    expect(value).toEqual({ path: '/dev/vg0/a', size: expected * mib });
    expect(volume().extents).toBe(expected / 4);
  });

  test('grows a classic snapshot after the commit, in use or not, and not when a later step fails', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 2 });
    host.admin.format('/dev/vg0/monday', ext4);
    host.admin.mkdir('/mnt');
    host.admin.mount('/dev/vg0/monday', '/mnt');
    const before = host.snapshot();
    const more = (tx: Tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'monday', size: '15m' });

    await failureOf(does(async (tx) => [await more(tx), await failNow()]));
    const after = host.snapshot();
    const value = await does(more);

    expect(after).toBe(before);
    expect(value).toEqual({ path: '/dev/vg0/monday', size: 16 * mib, when: 'after the commit' });
    expect(commands()).toEqual(['lvextend --extents 4 vg0/monday']);
    expect(volume('monday').extents).toBe(4);
  });

  test('to the current size does not run the program, which would exit 5, and is undone without a trace', async () => {
    const before = host.snapshot();
    const error = await failureOf(does(async (tx) => [await resize(tx, '32m'), await failNow()]));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(commands().filter((line) => /^lv(?:extend|reduce)/.test(line))).toEqual([]);
    expect(host.snapshot()).toBe(before);
  });

  test('restores the same extents, range by range and in their order', async () => {
    inPieces();
    const before = host.snapshot();
    expect(runs()).toEqual([
      [0, 8],
      [10, 3],
      [15, 2],
    ]);

    const error = await failureOf(does(async (tx) => [await resize(tx, '24m', consent), await failNow()]));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
    const path = host.world.lvm[0]?.pvs[0]?.path ?? '';
    expect(commands().slice(-3)).toEqual([
      `lvextend --extents 8 vg0/a ${path}:6-7`,
      `lvextend --extents 11 vg0/a ${path}:10-12`,
      `lvextend --extents 13 vg0/a ${path}:15-16`,
    ]);
  });

  test('keeps the content of released extents: they are not discarded', async () => {
    await does((tx) => resize(tx, '8m', consent));
    expect(commands()).toEqual(['lvreduce --config devices{issue_discards=0} --extents 2 --yes vg0/a']);
  });
});

const bodies: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
  ['grown', (tx) => resize(tx, '64m')],
  ['cut', (tx) => resize(tx, '24m', consent)],
  ['grown and cut', async (tx) => [await resize(tx, '80m'), await resize(tx, '16m', consent)]],
  [
    'cut, its extents given to a new volume',
    async (tx) => [
      await resize(tx, '24m', consent),
      await tx.lvm.createLv({ vg: 'vg0', name: 'new', size: '28m' }),
    ],
  ],
  [
    'renamed in between',
    async (tx) => {
      await resize(tx, '64m');
      await tx.lvm.renameLv({ vg: 'vg0', name: 'a', to: 'z' });
      await tx.lvm.resizeLv({ vg: 'vg0', name: 'z', size: '16m', shrink: consent });
    },
  ],
  [
    'made, grown and formatted',
    async (tx) => {
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'new', size: '16m' });
      await tx.lvm.resizeLv({ vg: 'vg0', name: 'new', size: '64m' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
    },
  ],
];

describe.each(bodies)('a volume that is %s', (_, body) => {
  beforeEach(inPieces);

  test('is unchanged when the sequence fails afterwards', async () => {
    await expectUndone(host, () => does(async (tx) => [await body(tx), await failNow()]));
  });

  test('is as before or as after recovery from a kill at any point', async () => {
    const start = (): SimulatedHost => {
      host = simulatedHost();
      host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 });
      inPieces();
      return host;
    };
    await expectRecovery({ start, work: (on) => does(body, on) });
  });
});

describe('resizeLv is refused, and changes nothing,', () => {
  const refused = async (body: (tx: Tx) => Promise<unknown>): Promise<string> => {
    const before = host.snapshot();
    const error = await failureOf(does(body));
    expect(host.snapshot()).toBe(before);
    expect([RefusedError, UsageError]).toContain((error as Error).constructor);
    return String(error);
  };

  test('when data would be lost without confirmation', async () => {
    expect(await refused((tx) => resize(tx, '28m'))).toMatch(
      /everything after the first 28 MiB would be lost/,
    );
  });

  test('when the group has too little free space', async () => {
    expect(await refused((tx) => resize(tx, '9g'))).toMatch(/vg0\/a needs .* more; vg0 has/);
  });

  test('for an invalid size', async () => {
    expect(await refused((tx) => resize(tx, 0, consent))).toMatch(/size/);
  });

  test('for an origin, whose snapshots are named', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 1 });
    expect(await refused((tx) => resize(tx, '64m'))).toMatch(/has snapshots: .*vg0\/monday/);
  });

  test.each([
    ['smaller', '4m', /is a snapshot with space for 8 MiB: with less space it would become invalid/],
    ['more than it can use', '40m', /can never use more than 36 MiB, even if all of vg0\/a changes/],
  ])('for a snapshot and %s', async (_, size, why) => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 2 });
    expect(
      await refused((tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'monday', size, shrink: consent })),
    ).toMatch(why);
  });

  test('for an invalid snapshot', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 2 });
    Object.assign(volume('monday'), { data: 100 });
    expect(await refused((tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'monday', size: '16m' }))).toMatch(
      /is invalid/,
    );
  });

  test.each([
    [
      'mounted, its filesystem too large',
      () => host.admin.mount('/dev/vg0/a', '/mnt'),
      /ext4 reaches to 32 MiB/,
    ],
    [
      'the disk of a running guest',
      () => startGuest(),
      /but is in use: .*ext4 reaches to 32 MiB.*guest web1/,
    ],
    ['open', () => host.admin.hold(`${host.world.dmMajor}:0`), /but is in use: .*process 1001/],
  ])('to a smaller size, while it is %s', async (_, use, message) => {
    host.admin.format('/dev/vg0/a', ext4);
    use();
    expect(await refused((tx) => resize(tx, '16m', consent))).toMatch(message);
  });
});

describe('a filesystem on it', () => {
  test('that is small enough does not block it, mounted or not', async () => {
    host.admin.format('/dev/vg0/a', { ...ext4, blocks: (16 * mib) / 4096 });
    host.admin.mount('/dev/vg0/a', '/mnt');
    await does((tx) => resize(tx, '16m', consent));
    expect(volume().extents).toBe(4);
  });

  test('does not block the undo, mounted, if it has not grown', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    host.admin.mount('/dev/vg0/a', '/mnt');
    await expectUndone(host, () => does(async (tx) => [await resize(tx, '64m'), await failNow()]));
  });

  test('that grew into the new space blocks the undo: stuck, and undone once it is smaller again', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '64m');
        host.admin.format('/dev/vg0/a', ext4);
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('ext4 reaches to 64 MiB');
    expect(volume().extents).toBe(16);

    host.admin.format('/dev/vg0/a', { ...ext4, blocks: 4096 });
    await recoverAll(host.restart());
    expect(volume().extents).toBe(8);
  });
});

describe('a volume that is not active when its growth is undone', () => {
  const isActive = () => host.world.active.has(volume().uuid);
  /** Deactivates the volume, as an administrator or a reboot does. */
  const deactivated = () => host.world.active.clear();
  const undoes = () =>
    withBofh({ ...bofhOn(host), signals: {} }, () => undo(closedJournals(bofhOn(host).engine)[0]?.id ?? ''));

  test.each([
    ['has a filesystem in the new space', () => host.admin.format('/dev/vg0/a', ext4), /ext4 reaches to 64/],
    [
      'has bytes of others in the new space',
      () => host.admin.writeBytes('/dev/vg0/a', 32 * mib, Buffer.from('theirs')),
      /others wrote to vg0\/a after its first 32 MiB/,
    ],
  ])('is not cut if it %s, and stays inactive', async (_, write, why) => {
    await does((tx) => resize(tx, '64m'));
    write();
    deactivated();

    expect(String(await failureOf(undoes()))).toMatch(why);

    expect([volume().extents, isActive()]).toEqual([16, false]);
  });

  test.each([
    ['it was active', () => undefined],
    ['it was inactive', deactivated],
  ])('is cut if the new space is unused: %s', async (_, prepare) => {
    prepare();
    await does((tx) => resize(tx, '64m'));
    deactivated();
    await undoes();

    expect([volume().extents, isActive()]).toEqual([8, false]);
  });

  test('is not cut if the sequence mounted it, and others grew its filesystem and unmounted it', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    await does(async (tx) => {
      await resize(tx, '64m');
      await tx.mount.mount({ device: '/dev/vg0/a', path: '/mnt', mode: 'rw' });
    });
    host.admin.umount('/mnt');
    host.admin.format('/dev/vg0/a', ext4);
    deactivated();

    const error = await failureOf(undoes());

    expect(JSON.stringify(error)).toContain('ext4 reaches to 64 MiB');
    expect([volume().extents, isActive()]).toEqual([16, false]);
  });

  test('is cut after its own filesystem, which the sequence grew and made inaccessible', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    await expectUndone(host, () =>
      does(async (tx) => {
        await resize(tx, '64m');
        await tx.filesystem.resize({ device: '/dev/vg0/a', size: 'max' });
        await tx.lvm.deactivateLv({ vg: 'vg0', name: 'a' });
        await failNow();
      }),
    );
  });
});

describe('a mounted xfs on it, whose superblock on the device is out of date', () => {
  const xfs = { ...ext4, type: 'xfs' } as const;
  let mountId: number;
  beforeEach(() => {
    host.admin.format('/dev/vg0/a', xfs);
    mountId = host.admin.mount('/dev/vg0/a', '/mnt').id;
  });
  // As xfs_growfs leaves it.
  const growsTo64m = () =>
    host.admin.format('/dev/vg0/a', { ...xfs, outOfDate: { blocks: (32 * mib) / 4096, mountId } });

  test('that grew into the new space blocks the undo', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '64m');
        growsTo64m();
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('xfs reaches to 64 MiB');
    expect(volume().extents).toBe(16);
  });

  test('that grew cannot be cut, also where another mount hides it', async () => {
    await does((tx) => resize(tx, '64m'));
    growsTo64m();
    expect(String(await failureOf(does((tx) => resize(tx, '32m', consent))))).toMatch(
      /xfs reaches to 64 MiB/,
    );
    host.admin.lvcreate({ vg: 'vg0', name: 'b', extents: 1 });
    host.admin.format('/dev/vg0/b', { ...ext4, uuid: '0c0ffee0-0000-4000-8000-00000000000b' });
    host.admin.mount('/dev/vg0/b', '/mnt');
    expect(String(await failureOf(does((tx) => resize(tx, '32m', consent))))).toMatch(
      /but is in use: .*mounted on \/mnt/,
    );
  });

  test('that has not grown does not block the undo', async () => {
    await expectUndone(host, () => does(async (tx) => [await resize(tx, '64m'), await failNow()]));
  });
});

describe('an open LUKS on it', () => {
  const mapping = () => {
    const [only] = host.world.mappings;
    if (only === undefined) throw new Error('nothing is open');
    return only;
  };
  beforeEach(() => {
    host.admin.lvextend('vg0', 'a', 16);
    host.admin.luksFormat({ device: '/dev/vg0/a', uuid: '5e1f0000-0000-4000-8000-0000000000cc', key: 'k' });
    host.admin.luksOpen('/dev/vg0/a', 'inner');
  });

  test('blocks it while it reaches beyond the new size, and not once it ends before', async () => {
    expect(String(await failureOf(does((tx) => resize(tx, '48m', consent))))).toMatch(
      /would be cut to 48 MiB, but is in use: .*inner/,
    );
    expect(volume().extents).toBe(16);

    // Its data begins after 16 MiB of header.
    mapping().size = 32 * mib + 512;
    await failureOf(does((tx) => resize(tx, '48m', consent)));
    expect(volume().extents).toBe(16);
    mapping().size = 32 * mib;
    await does((tx) => resize(tx, '48m', consent));
    expect(volume().extents).toBe(12);
  });

  test('does not block the undo, unless it has grown', async () => {
    const before = host.snapshot();
    expect(await failureOf(does(async (tx) => [await resize(tx, '80m'), await failNow()]))).toBeInstanceOf(
      RolledBackError,
    );
    expect(host.snapshot()).toBe(before);

    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '80m');
        mapping().size += 4 * mib;
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(volume().extents).toBe(20);
  });
});

describe('concurrent changes', () => {
  test('volumes on released extents stay: stuck, the volumes named, and undone once they are removed', async () => {
    inPieces();
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '24m', consent);
        host.admin.lvcreate({ vg: 'vg0', name: 'theirs', extents: 1 });
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain(volume('theirs').uuid);

    host.admin.lvremove('vg0', 'theirs');
    await recoverAll(host.restart());
    expect(host.snapshot()).toBe(before);
  });

  test('a device on which lvm may not allocate any more gets its extents back, and stays so', async () => {
    const close = (): void => {
      for (const vg of host.world.lvm) vg.pvs = vg.pvs.map((pv) => ({ ...pv, allocatable: 'no' }));
    };
    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '24m', consent);
        close();
        await failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(runs()).toEqual([[0, 8]]);
    expect(host.world.lvm[0]?.pvs.map(({ allocatable }) => allocatable)).toEqual(['no']);
  });

  test('a third size stays', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '64m');
        host.admin.lvextend('vg0', 'a', 20);
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(volume().extents).toBe(20);
    expect(String((error as RolledBackError).leftUntouched)).toContain('neither');
  });

  test('a snapshot that was taken meanwhile is named, and stays', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await resize(tx, '64m');
        host.admin.snapshot({ vg: 'vg0', name: 'theirs', origin: 'a', extents: 1 });
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('vg0/theirs');
  });
});

describe('the new space, filled with zeros', () => {
  const grown = (tx: Tx, more: object = {}) =>
    tx.lvm.resizeLv({ vg: 'vg0', name: 'a', size: '64m', added: 'zeros', ...more });
  const zeroed = (): readonly string[] => ranOf(host, 'blkdiscard');

  test('is filled alone: the old content stays', async () => {
    host.admin.format('/dev/vg0/a', ext4);
    await does((tx) => grown(tx));
    expect(zeroed()).toEqual([
      expect.stringMatching(
        new RegExp(`^--zeroout --offset ${String(32 * mib)} --length ${String(32 * mib)} --step`),
      ),
    ]);
    expect(host.world.live.get(`lv:${volume().uuid}`)?.superblock?.uuid).toBe(ext4.uuid);
  });

  test.each(['fails before', 'no effect, exit 0', 'garbage answer'] as const)(
    'is released when blkdiscard %s',
    async (mode) => {
      const before = host.snapshot();
      host.fault({ tool: 'blkdiscard', mode });
      expect(await failureOf(does((tx) => grown(tx)))).toBeInstanceOf(RolledBackError);
      expect(host.snapshot()).toBe(before);
    },
  );

  test.each(['a mount', 'a guest'])('is refused while in use by %s, and nothing changes', async (user) => {
    host.admin.format('/dev/vg0/a', ext4);
    host.admin.mkdir('/mnt/a');
    const number = `${host.world.dmMajor}:${host.world.active.get(volume().uuid) ?? 0}`;
    if (user === 'a mount') host.admin.mount('/dev/vg0/a', '/mnt/a');
    else host.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvda', path: '/dev/vg0/a', number }] });
    const before = host.snapshot();

    expect(await failureOf(does((tx) => grown(tx)))).toMatchObject({
      code: 'in-use',
      remedy: expect.stringContaining('or leave out `added`') as string,
    });
    expect(host.snapshot()).toBe(before);
  });

  test('is refused for an inactive one', async () => {
    host.world.active.clear();
    const before = host.snapshot();
    expect(await failureOf(does((tx) => grown(tx)))).toMatchObject({
      message: expect.stringContaining('vg0/a is not active') as string,
      remedy: 'bofh lvm activate vg0/a',
    });
    expect(host.snapshot()).toBe(before);
  });
});

describe('a program that exits 0 and does nothing is noticed', () => {
  test.each(['lvextend', 'lvreduce'] as const)('%s', async (tool) => {
    const before = host.snapshot();
    host.fault({ tool, mode: 'no effect, exit 0' });
    const error = await failureOf(
      does((tx) => (tool === 'lvextend' ? resize(tx, '64m') : resize(tx, '16m', consent))),
    );
    expect(String(error)).toMatch(/has 33554432 bytes instead of/);
    expect(host.snapshot()).toBe(before);
  });
});

function startGuest(): void {
  const number = `${host.world.dmMajor}:0`;
  host.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvda', path: '/dev/vg0/a', number }] });
}
