import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import type { Tool } from '../../../src/command/tools.ts';
import { atomic, single, withBofh } from '../../../src/bofh.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost, simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { deviceOf } from '../../../src/simulator/administrator/act.ts';
import { specimens } from '../../support/undo/specimens.ts';
import { neighbourhood } from '../../support/undo/stage.ts';
import { next, run, type Then } from '../../../src/simulator/matrix/trial.ts';

/** An object of the sequence, and what others wrote into it after bofh was killed. */
interface Case {
  readonly name: string;
  readonly stage?: (host: SimulatedHost) => void;
  readonly act: (tx: Tx) => Promise<unknown>;
  /** After the kill, and after the reboot if there is one. */
  readonly write: (host: SimulatedHost) => void;
  /** In the snapshot of the host as long as what they wrote is there. */
  readonly theirs: string;
  /** The object that the refusal names. */
  readonly object: RegExp;
  readonly thens?: readonly Then[];
  /** It is kept although others wrote nothing, because that is unknown for a device that is mounted for writing. */
  readonly unproven?: true;
}

const ledger = 'ledger.txt';
const text = 'accounts of somebody else\n';
/** As the snapshot shows a file's content. */
const textDigest = createHash('sha256').update(text).digest('hex').slice(0, 16);
const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const foreign = '0c0ffee0-0000-4000-8000-00000000000b';
const device = '/dev/vg0/own';

const makeVolume = (tx: Tx) => tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '64m' });
const makeFilesystem = async (tx: Tx): Promise<void> => {
  await makeVolume(tx);
  await tx.filesystem.create({ device, type: 'ext4', uuid });
};
const archive = (root: string) => ({
  source: '/srv/debian.tar',
  root,
  device,
  filesystem: uuid,
  files: [{ path: 'etc/hostname', content: 'own\n', mode: 0o644 }],
});
/** Writes where it is mounted, or mounts it first as the administrator would after a reboot. */
const writeLedger =
  (path: string, name = ledger) =>
  ({ admin, world }: SimulatedHost): void => {
    const isMounted = world.mounts.some((mount) => mount.path === path);
    if (!isMounted) admin.mount(device, path);
    admin.writeFile(`${path}/${name}`, text);
    if (!isMounted) admin.umount(path);
  };
const mountPoint = ({ admin }: SimulatedHost): void => admin.mkdir('/mnt/own');

const cases: readonly Case[] = [
  {
    name: 'a filesystem that it mounted: a file',
    stage: mountPoint,
    act: async (tx) => {
      await makeFilesystem(tx);
      await tx.mount.mount({ device, path: '/mnt/own', mode: 'rw' });
    },
    write: writeLedger('/mnt/own'),
    theirs: ledger,
    object: new RegExp(`--discard fs:${uuid}`),
    thens: ['restart', 'reboot'],
  },
  {
    name: 'a filesystem that it did not mount: a file',
    stage: mountPoint,
    act: makeFilesystem,
    write: writeLedger('/mnt/own'),
    theirs: ledger,
    object: new RegExp(`--discard fs:${uuid}`),
    thens: ['restart', 'reboot', 'power cut, all'],
  },
  {
    name: 'a filesystem that it filled: one more file',
    stage: mountPoint,
    act: async (tx) => {
      await makeFilesystem(tx);
      await tx.mount.mount({ device, path: '/mnt/own', mode: 'rw' });
      await tx.copy.unpack(archive('/mnt/own'));
    },
    write: writeLedger('/mnt/own'),
    theirs: ledger,
    object: new RegExp(`--discard fs:${uuid}`),
    thens: ['restart', 'reboot'],
  },
  {
    name: 'a filesystem of the administrator that it filled: one of its files changed',
    stage: (host) => {
      mountPoint(host);
      host.admin.lvcreate({ vg: 'vg0', name: 'own', extents: 16 });
      host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
      host.admin.mount(device, '/mnt/own');
    },
    act: (tx) => tx.copy.unpack(archive('/mnt/own')),
    write: ({ admin }) => admin.writeFile('/mnt/own/etc/os-release', text),
    theirs: textDigest,
    object: new RegExp(`--discard fs:${uuid}`),
  },
  {
    name: 'a new volume: a filesystem',
    act: makeVolume,
    write: ({ admin }) =>
      admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: foreign, version: '1.0' }),
    theirs: foreign,
    object: /--discard lv:vg0\/own/,
    thens: ['restart', 'reboot', 'power cut, all'],
  },
  {
    name: 'a new volume: another filesystem in the place of its own',
    act: makeFilesystem,
    write: ({ admin }) => {
      admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: foreign, version: '1.0' });
    },
    theirs: foreign,
    object: new RegExp(`--discard fs:${uuid}`),
  },
  {
    name: 'a new volume whose own filesystem was undone: a filesystem',
    act: async (tx) => {
      await makeVolume(tx);
      const scope = tx.scope('a filesystem', async (inner) => {
        await inner.filesystem.create({ device, type: 'ext4', uuid });
        throw new Error('it fails');
      });
      await scope.catch(() => undefined);
    },
    write: ({ admin }) =>
      admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: foreign, version: '1.0' }),
    theirs: foreign,
    object: /--discard lv:vg0\/own/,
  },
  {
    name: 'a new image: the start of it',
    act: (tx) => tx.block.createImage({ file: '/srv/own.img', size: '16m' }),
    write: ({ admin }) => admin.writeFile('/srv/own.img', text),
    theirs: textDigest,
    object: /--discard file:\/srv\/own\.img/,
  },
  {
    name: 'a new volume that it tagged: a filesystem',
    act: async (tx) => {
      await makeVolume(tx);
      await tx.lvm.tagLv({ vg: 'vg0', name: 'own', add: ['mine'] });
    },
    write: ({ admin }) =>
      admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: foreign, version: '1.0' }),
    theirs: foreign,
    object: /--discard lv:vg0\/own/,
  },
  {
    name: 'a snapshot that it mounted for writing: a file',
    stage: (host) => {
      mountPoint(host);
      host.admin.lvcreate({ vg: 'vg0', name: 'origin', extents: 16 });
      host.admin.format('/dev/vg0/origin', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
    },
    unproven: true,
    act: async (tx) => {
      await tx.lvm.createSnapshot({ vg: 'vg0', origin: 'origin', name: 'own', extents: 4 });
      await tx.mount.mount({ device, path: '/mnt/own', mode: 'rw' });
    },
    write: writeLedger('/mnt/own'),
    theirs: ledger,
    object: /--discard lv:vg0\/own/,
  },
  {
    name: 'a new image that it attached: a filesystem',
    act: async (tx) => {
      await tx.block.createImage({ file: '/srv/own.img', size: '16m' });
      await tx.block.attachLoop({ file: '/srv/own.img' });
    },
    write: ({ admin, world }) => {
      // The neighbours have theirs: the newest one is its own.
      const loop = [...world.loops.values()].reduce((one, other) =>
        one.sequence > other.sequence ? one : other,
      );
      admin.format(`/dev/loop${String(loop.minor)}`, {
        type: 'ext4',
        usage: 'filesystem',
        uuid: foreign,
        version: '1.0',
      });
    },
    theirs: foreign,
    object: /--discard file:\/srv\/own\.img/,
  },
];

describe('foreign content in an object of a killed sequence', () => {
  for (const each of cases)
    for (const then of each.thens ?? (['restart'] as const))
      test(`${each.name}, ${then}: is kept, named, and removed only when discarded by name`, async () => {
        const { host: killed } = await killedAfter(each);
        const host = next(killed, then);
        each.write(host);

        const error = await rejectionOf(recoverOne(host));

        expect(error).toBeInstanceOf(StuckError);
        const said = error instanceof StuckError ? (error.remedy ?? '') : '';
        expect(said).toMatch(each.object);
        expect(host.snapshot()).toContain(each.theirs);

        const again = host.restart();
        await recoverOne(again, discardsIn(error));

        expect(again.snapshot()).not.toContain(each.theirs);
      });

  for (const each of cases.filter(({ unproven }) => unproven !== true))
    for (const then of each.thens ?? (['restart'] as const))
      test(`${each.name}, ${then}: without it everything is undone without a question`, async () => {
        const { host: killed, before } = await killedAfter(each);
        const host = next(killed, then);

        await recoverOne(host);

        expect(volumesOf(host)).toEqual(volumesOf(before));
      });
});

describe('foreign bytes in an object that a killed step created or grew', () => {
  const bytes = Buffer.from('tables of a database that nobody recognises');
  const mebibyte = 1024 ** 2;
  const write =
    (device: string, offset: number) =>
    ({ admin }: SimulatedHost): void =>
      admin.writeBytes(device, offset, bytes);
  const end = 'the last sector';

  test.each([
    ['a new partition', specimens.block.addPartition, '/dev/vdx2', 0],
    ['the end of a new partition', specimens.block.addPartition, '/dev/vdx2', end],
    ['the new part of a partition', specimens.block.growPartition, '/dev/vdx1', 16 * mebibyte],
    ['the new part of a volume', specimens.lvm.resizeLv, '/dev/vg0/web1-root', end],
    ['the new part of an open LUKS device', specimens.crypt.resize.slice(1), '/dev/mapper/web1', end],
    ['a device with a detached header', specimens.crypt.formatDetached, '/dev/vg0/web1-root', 0],
  ] as const)('%s: are kept, and removed only when discarded', async (_, [specimen], device, at) => {
    const host = neighbourhood();
    const act = specimen.stage(host);
    const before = host.restart().snapshot();
    await run({ host, act }, { ends: 'well', onBodyEnds: () => host.kill() });
    const later = host.restart();
    const offset = at === end ? sizeOf(later, device) - 512 : at;
    write(device, offset)(later);

    const error = await rejectionOf(recoverOne(later));

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('others wrote to');
    const again = later.restart();
    await recoverOne(again, discardsIn(error));
    expect(volumesOf(again)).toEqual(volumesOf(later).filter((name) => before.includes(name)));
    expect(await openJournals(simulatedBofh({ host: again }).engine)).toEqual([]);
  });
});

describe('bytes that no step wrote', () => {
  const bytes = Buffer.from('what lay there before, or tables of somebody else');
  const snapshot = (tx: Tx) =>
    tx.lvm.createSnapshot({ vg: 'vg0', origin: 'origin', name: 'own', extents: 4 });
  const volume = { make: makeVolume, lv: 'lvm.lv.create' };
  const both = [volume, { make: snapshot, lv: 'lvm.snapshot.create' }];
  const cutOff = (kind: string) =>
    `, or ${kind} was cut off before it was finished; which of the two is not known`;
  const wentDown = ', or the host went down before its data was on the disk; which of the two is not known';
  const since = (kind: string) => `logical volume vg0/own has changed since ${kind}: others wrote to `;
  const unlike = (kind: string) => `logical volume vg0/own is not as ${kind} leaves it: others wrote to `;

  test.each(
    both.flatMap(({ make, lv: kind }) => [
      { make, kind, ends: 'cut off', then: 'restart', says: [unlike(kind), cutOff(kind)] } as const,
      { make, kind, ends: 'cut off', then: 'power cut, all', says: [unlike(kind), cutOff(kind)] } as const,
      { make, kind, ends: 'done', then: 'power cut, all', says: [unlike(kind), wentDown] } as const,
      { make, kind, ends: 'done', then: 'restart', says: [since(kind)] } as const,
    ]),
  )('$kind, $ends, then $then: are kept, with every possible cause', async ({ make, ends, then, says }) => {
    const killed = neighbourhood();
    killed.admin.lvcreate({ vg: 'vg0', name: 'origin', extents: 16 });
    if (ends === 'cut off') killed.fault({ tool: 'lvcreate', mode: 'acts then crash' });
    await run({ host: killed, act: make }, { ends: 'well', onBodyEnds: () => killed.kill() });
    killed.clearFaults();
    const host = next(killed, then);
    host.admin.writeBytes(device, 0, bytes);

    const error = await rejectionOf(recoverOne(host));

    for (const words of says) expect(String(error)).toContain(words);
    expect(String(error).includes('is not known')).toBe(says.length > 1);
    const again = host.restart();
    await recoverOne(again, discardsIn(error));
    expect(volumesOf(again)).not.toContain('own');
  });
});

describe('foreign bytes in a new volume to which the sequence wrote nothing', () => {
  const bytes = Buffer.from('tables of a database that nobody recognises');
  const own = { vg: 'vg0', name: 'own' };
  const fail = async (): Promise<never> => Promise.reject(new Error('it fails'));
  const acts: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
    [
      'removed and brought back by a scope that failed',
      (tx) => undoneIn(tx, (inner) => inner.lvm.removeLv(own)),
    ],
    ['renamed', (tx) => tx.lvm.renameLv({ ...own, to: 'other' })],
    ['renamed and back', (tx) => undoneIn(tx, (inner) => inner.lvm.renameLv({ ...own, to: 'other' }))],
    [
      'renamed and back, and another volume got the name and was filled',
      async (tx) => {
        await undoneIn(tx, (inner) => inner.lvm.renameLv({ ...own, to: 'other' }));
        await tx.lvm.createLv({ ...own, name: 'other', size: '64m' });
        await tx.filesystem.create({ device: '/dev/vg0/other', type: 'ext4' });
      },
    ],
    [
      'renamed, and another volume got its name and was filled',
      async (tx) => {
        await tx.lvm.renameLv({ ...own, to: 'other' });
        await makeFilesystem(tx);
      },
    ],
    ['renamed with its group', (tx) => tx.lvm.renameVg({ vg: 'vg0', to: 'vg1' })],
    [
      'renamed with its group, and back',
      (tx) => undoneIn(tx, (inner) => inner.lvm.renameVg({ vg: 'vg0', to: 'vg1' })),
    ],
    [
      'in a group that got another disk',
      async (tx) => {
        await tx.lvm.createPv({ device: '/dev/vdw' });
        await tx.lvm.extendVg({ vg: 'vg0', devices: ['/dev/vdw'] });
      },
    ],
    [
      'moved to another disk',
      async (tx) => {
        await tx.lvm.createPv({ device: '/dev/vdw' });
        await tx.lvm.extendVg({ vg: 'vg0', devices: ['/dev/vdw'] });
        await tx.lvm.movePv({ device: '/dev/vdb', to: ['/dev/vdw'], volume: own });
      },
    ],
    ['made larger', (tx) => tx.lvm.resizeLv({ ...own, size: '96m' })],
    ['made larger and undone', (tx) => undoneIn(tx, (inner) => inner.lvm.resizeLv({ ...own, size: '96m' }))],
    [
      'copied by a snapshot',
      (tx) => tx.lvm.createSnapshot({ vg: 'vg0', origin: 'own', name: 'before', extents: 4 }),
    ],
    ['tagged', (tx) => tx.lvm.tagLv({ ...own, add: ['mine'] })],
    ['deactivated', (tx) => undoneIn(tx, (inner) => inner.lvm.deactivateLv(own))],
  ];
  const disks = [{ name: 'vdw', size: 256 * 1024 ** 2 }];
  const places: Readonly<Record<string, string>> = {
    renamed: '/dev/vg0/other',
    'renamed, and another volume got its name and was filled': '/dev/vg0/other',
    'renamed with its group': '/dev/vg1/own',
  };
  const undoneIn = async (tx: Tx, work: (inner: Tx) => Promise<unknown>): Promise<void> => {
    const scope = tx.scope('undone', async (inner) => {
      await work(inner);
      await fail();
    });
    await scope.catch(() => undefined);
  };
  const namesOf = ({ world }: SimulatedHost) => world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name));

  for (const [how, more] of acts)
    for (const then of ['restart', 'reboot'] as const)
      test(`and that was ${how}, ${then}: are kept, and removed only when discarded`, async () => {
        const act = async (tx: Tx): Promise<void> => {
          await makeVolume(tx);
          await more(tx);
        };
        // A group with volumes in use cannot be renamed.
        const killed = /group|disk/.test(how) ? simulatedHost({ disks }) : neighbourhood();
        await run({ host: killed, act }, { ends: 'well', onBodyEnds: () => killed.kill() });
        const host = next(killed, then);
        host.admin.writeBytes(places[how] ?? device, 0, bytes);

        const error = await rejectionOf(recoverOne(host));

        expect(String(error)).toContain('others wrote to');
        expect(namesOf(host)).toContain('own');
        const again = host.restart();
        await recoverOne(again, discardsIn(error));
        expect(namesOf(again)).not.toContain('own');
      });

  test('a volume whose filesystem was created under its other name and undone is undone without a question', async () => {
    const act = async (tx: Tx): Promise<void> => {
      await makeVolume(tx);
      await tx.lvm.renameLv({ ...own, to: 'other' });
      await undoneIn(tx, (inner) => inner.filesystem.create({ device: '/dev/vg0/other', type: 'ext4' }));
    };
    const killed = neighbourhood();
    await run({ host: killed, act }, { ends: 'well', onBodyEnds: () => killed.kill() });
    const host = killed.restart();
    // A mkfs that was cut short leaves bytes without a signature.
    host.admin.writeBytes('/dev/vg0/other', 0, bytes);

    await recoverOne(host);

    expect(namesOf(host)).not.toContain('own');
  });
});

test('a key that others added to a new LUKS device, which the sequence also opened, is kept', async () => {
  const killed = neighbourhood();
  killed.admin.lvcreate({ vg: 'vg0', name: 'own', extents: 16 });
  killed.admin.writeFile('/etc/key', 'a passphrase');
  const key = { from: 'file', path: '/etc/key' } as const;
  const act = async (tx: Tx): Promise<void> => {
    await tx.crypt.format({ device, key, uuid });
    await tx.crypt.open({ device, key, name: 'own' });
  };
  await run({ host: killed, act }, { ends: 'well', onBodyEnds: () => killed.kill() });
  const host = killed.restart();
  for (const [storage, content] of host.world.live) {
    if (content.luks === undefined) continue;
    const theirs = content.luks.slots.map((slot) => ({ ...slot, slot: 3, key: 'theirs' }));
    const luks = { ...content.luks, slots: [...content.luks.slots, ...theirs] };
    host.world.live.set(storage, { ...content, luks });
  }

  const error = await rejectionOf(recoverOne(host));

  expect(String(error)).toContain('others changed the header in /dev/vg0/own');
  const again = host.restart();
  await recoverOne(again, discardsIn(error));
  expect(await openJournals(simulatedBofh({ host: again }).engine)).toEqual([]);
});

test('a full snapshot with I/O errors everywhere can be created and undone', async () => {
  const host = neighbourhood();
  host.admin.lvcreate({ vg: 'vg0', name: 'origin', extents: 16 });
  host.fault({
    ...{ tool: 'dd', access: 'read', argvIncludes: 'direct', times: 99, mode: 'fails before' },
    stderr: "dd: error reading '/dev/vg0/own': Input/output error\n",
  });
  const act = (tx: Tx): Promise<unknown> =>
    tx.lvm.createSnapshot({ vg: 'vg0', origin: 'origin', name: 'own', extents: 4 });
  const ending = await run({ host, act }, { ends: 'well', onBodyEnds: () => host.kill() });
  const later = host.restart();
  expect([ending.how, volumesOf(later).includes('own')]).toEqual(['died', true]);

  await recoverOne(later);

  expect(volumesOf(later)).not.toContain('own');
});

describe('data written to an object while its sequence runs, which then fails', () => {
  const write = (host: SimulatedHost): void => {
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: foreign, version: '1.0' });
  };
  const fails =
    (host: SimulatedHost) =>
    async (tx: Tx): Promise<void> => {
      await makeVolume(tx);
      write(host);
      throw new Error('it fails');
    };

  test('is kept when only steps write', async () => {
    const host = neighbourhood();

    const error = await rejectionOf(withBofh(simulatedBofh({ host }), () => single('own', fails(host))));

    expect(error).toBeInstanceOf(StuckError);
    expect(host.snapshot()).toContain(foreign);
  });

  test('belongs to a script, and is undone with it', async () => {
    const host = neighbourhood();

    const error = await rejectionOf(withBofh(simulatedBofh({ host }), () => atomic('own', fails(host))));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).not.toContain(foreign);
  });

  test('through a mount that the script ended: belongs to it for a recovery too', async () => {
    const host = neighbourhood();
    mountPoint(host);
    const act = async (tx: Tx): Promise<void> => {
      await makeFilesystem(tx);
      const mounted = await tx.temporary.mount.mount({ device, path: '/mnt/own', mode: 'rw' });
      host.admin.writeFile('/mnt/own/notes', text);
      await mounted.release();
    };
    await run({ host, act }, { ends: 'well', onBodyEnds: () => host.kill() });

    const again = host.restart();
    await recoverOne(again);

    expect(volumesOf(again)).not.toContain('own');
  });
});

describe('an object that others used after its removal step and before the commit', () => {
  /** Killed when this program was about to do what comes after the commit. */
  async function killedBefore(tool: Tool, act: (tx: Tx) => Promise<unknown>): Promise<SimulatedHost> {
    const host = neighbourhood();
    host.admin.lvcreate({ vg: 'vg0', name: 'own', extents: 16 });
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
    host.admin.snapshot({ vg: 'vg0', name: 'own-monday', origin: 'own', extents: 4 });
    host.fault({ tool, mode: 'crash here' });
    await run({ host, act }, { ends: 'well' });
    return host.restart();
  }
  const reformat = (name: string) => (host: SimulatedHost) => {
    host.admin.format(`/dev/vg0/${name}`, {
      type: 'ext4',
      usage: 'filesystem',
      uuid: foreign,
      version: '1.0',
    });
  };
  const goneIn = (host: SimulatedHost): string =>
    volumesOf(host).find((name) => /^bofh_gone_(?!0{12}_)/.test(name)) ?? '';
  const activate = (host: SimulatedHost): void => {
    const lv = host.world.lvm.flatMap(({ lvs }) => lvs).find(({ name }) => name === goneIn(host));
    host.world.active.set(lv?.uuid ?? '', 99);
    host.world.revision += 1;
    reformat(goneIn(host))(host);
  };

  test.each([
    [
      'a volume',
      'lvremove',
      (tx: Tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'own-monday' }),
      (host: SimulatedHost) => reformat(goneIn(host))(host),
    ],
    [
      'the origin of a merge',
      'lvconvert',
      (tx: Tx) => tx.lvm.mergeSnapshot({ vg: 'vg0', name: 'own-monday' }),
      reformat('own'),
    ],
  ] as const)('%s: stays, until it is named', async (_, tool, act, write) => {
    const host = await killedBefore(tool, act);
    write(host);

    const error = await rejectionOf(recoverOne(host));

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('others wrote to');
    expect(host.snapshot()).toContain(foreign);
    const again = host.restart();
    await recoverOne(again, ['lv:vg0/own-monday']);
    expect(again.snapshot()).not.toContain(foreign);
  });

  test('a volume that was activated again under its private name stays', async () => {
    const host = neighbourhood();
    host.admin.lvcreate({ vg: 'vg0', name: 'own', extents: 16 });
    host.fault({ tool: 'lvremove', mode: 'crash here' });
    await run({ host, act: (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'own' }) }, { ends: 'well' });
    const later = host.restart();
    activate(later);

    expect(await rejectionOf(recoverOne(later))).toBeInstanceOf(StuckError);

    expect(later.snapshot()).toContain(foreign);
  });

  test('is removed without a question when unused', async () => {
    const host = await killedBefore('lvremove', (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'own-monday' }));

    await recoverOne(host);

    expect(goneIn(host)).toBe('');
  });
});

test('names the objects of a journal if --discard names another one', async () => {
  const [each] = cases;
  if (each === undefined) throw new TypeError('there is no case');
  const { host } = await killedAfter(each);
  const later = host.restart();
  const error = await rejectionOf(recoverOne(later, ['lv:vg0/none']));
  expect(String(error)).toMatch(/has no object "lv:vg0\/none"; its objects: \w+:\S+/);
  expect(error).toBeInstanceOf(UsageError);
  expect(error instanceof UsageError ? error.remedy : '').toMatch(/bofh journal show [0-9a-f]+$/);
});

async function killedAfter(
  each: Case,
): Promise<{ readonly host: SimulatedHost; readonly before: SimulatedHost }> {
  const host = neighbourhood();
  each.stage?.(host);
  const before = host.restart();
  await run(
    { host, act: each.act },
    {
      ends: 'well',
      onBodyEnds: () => {
        host.kill();
      },
    },
  );
  return { host, before };
}

async function recoverOne(host: SimulatedHost, discard: readonly string[] = []): Promise<void> {
  const { engine } = simulatedBofh({ host });
  for (const { id } of await openJournals(engine)) await recover(id, { engine, yes: true, discard });
}

/** The objects of the remedy that it names. */
function discardsIn(error: unknown): readonly string[] {
  const said = error instanceof StuckError ? (error.remedy ?? '') : '';
  return [...said.matchAll(/--discard (?<object>\S+)/g)].flatMap(([, objects = '']) => objects.split(','));
}

function sizeOf({ world }: SimulatedHost, device: string): number {
  return deviceOf(world, device).size;
}

function volumesOf({ world }: SimulatedHost): readonly string[] {
  return world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).sort();
}
