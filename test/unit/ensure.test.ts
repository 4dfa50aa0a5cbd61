import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  atomic,
  type Bofh,
  CommandError,
  DiffersError,
  ensure,
  RolledBackError,
  UsageError,
  withBofh,
} from '../../src/index.ts';
import { type EnsureMethods, loadExisting, type Tx } from '../../src/operations.ts';
import { memoryLocks, simulatedBofh, type SimulatedHost } from '../../src/simulator/index.ts';
import { type Specimen, specimens } from '../support/undo/specimens.ts';
import { neighbourhood } from '../support/undo/stage.ts';

type Args = Readonly<Record<string, unknown>>;
type Ensure = (args: Args) => Promise<{ readonly value: unknown; readonly changed: boolean }>;

const existing = Object.entries(await loadExisting()).flatMap(([driver, module]) =>
  Object.keys(module).map((method) => ({ driver, method })),
);

/** The arguments that a specimen passes to its method, on a host that is ready for it. */
async function staged({ stage }: Specimen): Promise<{ readonly host: SimulatedHost; readonly args: Args }> {
  const host = neighbourhood();
  let args: Args = {};
  const method = new Proxy({}, { get: () => async (given: Args) => void (args = given) });
  await stage(host)(new Proxy({}, { get: () => method }) as Tx);
  return { host, args };
}

/** What is asked beside the arguments of the specimen, and what ensure cannot compare. */
const cases: Readonly<Record<string, { readonly refused: readonly string[]; readonly differs: Args }>> = {
  'block.createImage': { refused: ['room'], differs: { size: '7m' } },
  'block.attachLoop': { refused: [], differs: { sectorSize: 2048 } },
  'lvm.createLv': {
    refused: ['stripes', 'stripeSize', 'mirrors', 'content'],
    differs: { tags: ['another'] },
  },
  'lvm.createThinPool': { refused: ['chunkSize'], differs: { metadataSize: '64m' } },
  'filesystem.create': {
    refused: ['overwrite', 'bytesPerInode', 'reservedPercent', 'nodeSize', 'checksum', 'fatBits'],
    differs: { label: 'OTHER' },
  },
  'filesystem.createImage': {
    refused: [
      ...['room', 'blockSize', 'bytesPerInode', 'reservedPercent', 'nodeSize', 'checksum', 'fatBits'],
    ],
    differs: { label: 'OTHER' },
  },
  'file.create': { refused: [], differs: { content: 'name = "web2"\n' } },
  'file.createDirectory': { refused: [], differs: { mode: 0o700 } },
  'mount.mount': { refused: ['path'], differs: { options: ['noatime', 'nosuid'] } },
  'mount.addFstab': { refused: [], differs: { pass: 3 } },
  'mount.addCrypttab': { refused: [], differs: { options: ['discard', 'nofail'] } },
  'crypt.format': {
    refused: ['overwrite', 'pbkdfMemory', 'pbkdfTimeMs'],
    differs: { uuid: '5e1f0000-0000-4000-8000-00000000dddd' },
  },
  'btrfs.createSubvolume': { refused: [], differs: { path: '/srv/pool/snapshots' } },
  'drbd.createConfig': { refused: ['nodeId', 'whileUp'], differs: { protocol: 'A' } },
  'xen.create': { refused: [], differs: { initially: 'paused' } },
};

function methodOf(of: EnsureMethods, driver: string, method: string): Ensure {
  return (of as unknown as Record<string, Record<string, Ensure>>)[driver]?.[method] as Ensure;
}

function isRefused(name: string, args: Args): boolean {
  const { refused = [] } = cases[name] ?? {};
  if (name === 'mount.mount') return args['path'] === undefined;
  return refused.some((option) => JSON.stringify(args).includes(`"${option}":`));
}

function latch(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

describe('ensure', () => {
  it('is tested for each of its methods', () => {
    expect(existing.map(({ driver, method }) => `${driver}.${method}`).sort()).toEqual(
      Object.keys(cases).sort(),
    );
  });

  for (const { driver, method } of existing) {
    const name = `${driver}.${method}`;
    const all = (specimens as unknown as Record<string, Record<string, readonly Specimen[]>>)[driver]?.[
      method
    ];
    let creates = 0;
    for (const specimen of all ?? []) {
      const call = async (bofh: Bofh, args: Args) =>
        withBofh(bofh, () => methodOf(ensure, driver, method)(args));

      it(`${name} ${specimen.title ?? ''}: creates once, and then changes nothing`, async () => {
        const { host, args } = await staged(specimen);
        const bofh = simulatedBofh({ host });
        if (isRefused(name, args)) {
          const before = host.snapshot();
          await expect(call(bofh, args)).rejects.toBeInstanceOf(UsageError);
          expect(host.snapshot()).toBe(before);
          return;
        }
        creates += 1;
        const first = await call(bofh, args);
        const [made, journals, acts] = [
          host.snapshot(),
          bofh.engine.store.names('history').length,
          host.changes.length,
        ];
        const again = await call(bofh, args);

        expect(first.changed).toBe(true);
        expect(again.changed).toBe(false);
        expect(first.value).toMatchObject(again.value as object);
        expect(host.snapshot()).toBe(made);
        expect(host.changes).toHaveLength(acts);
        expect(bofh.engine.store.names('history')).toHaveLength(journals);

        const other = { ...args, ...cases[name]?.differs };
        const error = await call(bofh, other).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(DiffersError);
        expect(error).toMatchObject({ code: 'differs' });
        expect((error as DiffersError).differences.length).toBeGreaterThan(0);
        expect(host.snapshot()).toBe(made);
      });

      it(`${name} ${specimen.title ?? ''}: is undone only where it created`, async () => {
        const { host, args } = await staged(specimen);
        if (isRefused(name, args)) return;
        const bofh = simulatedBofh({ host });
        const failing = async () =>
          withBofh(bofh, () =>
            atomic('web1', async (tx) => {
              await methodOf(tx.ensure, driver, method)(args);
              await tx.file.create({ path: '/srv/after', content: '', mode: 0o600 });
              throw new Error('later');
            }),
          );
        const before = host.snapshot();
        await expect(failing()).rejects.toBeInstanceOf(RolledBackError);
        if (specimen.restored === undefined) expect(host.snapshot()).toBe(before);
        await call(bofh, args);
        const made = host.snapshot();
        await expect(failing()).rejects.toBeInstanceOf(RolledBackError);
        expect(host.snapshot()).toBe(made);
      });
    }

    it(`${name}: is really created by a specimen`, () => {
      expect(creates).toBeGreaterThan(0);
    });
  }

  const volume = { vg: 'vg0', name: 'web1', size: '8m' };

  it('names every property that differs, with both values', async () => {
    const bofh = simulatedBofh();
    await withBofh(bofh, () => ensure.lvm.createLv({ ...volume, tags: ['a'] }));

    const error = await withBofh(bofh, () =>
      ensure.lvm.createLv({ ...volume, size: '12m', tags: ['a', 'b'], pool: 'pool0' }),
    ).catch((thrown: unknown) => thrown);

    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      class: 'DiffersError',
      code: 'differs',
      host: 'unchanged',
      differences: [
        { property: 'size', asked: 12 * 1024 ** 2, found: 8 * 1024 ** 2 },
        { property: 'tags', asked: ['a', 'b'], found: ['a'] },
        { property: 'pool', asked: 'pool0', found: null },
      ],
    });
  });

  it('compares only the given properties', async () => {
    const bofh = simulatedBofh();
    await withBofh(bofh, () => ensure.lvm.createLv({ ...volume, tags: ['a'] }));
    expect(await withBofh(bofh, () => ensure.lvm.createLv(volume))).toMatchObject({ changed: false });
  });

  it('does not treat an unreadable object as equal or missing', async () => {
    const bofh = simulatedBofh();
    await withBofh(bofh, () => ensure.lvm.createLv(volume));
    bofh.host.fault({ tool: 'lvm', access: 'read', mode: 'fails before' });
    const changes = bofh.host.changes.length;
    await expect(withBofh(bofh, () => ensure.lvm.createLv(volume))).rejects.toBeInstanceOf(CommandError);
    expect(bofh.host.changes).toHaveLength(changes);
  });

  for (const ends of ['well', 'badly'] as const)
    it(`waits for a sequence that creates the object, and relies on it only if that ends well: ${ends}`, async () => {
      const bofh = simulatedBofh();
      const [gate, begun] = [latch(), latch()];
      const first = withBofh(bofh, () =>
        atomic('first', async (tx) => {
          await tx.lvm.createLv(volume);
          begun.open();
          await gate.opened;
          if (ends === 'badly') throw new Error('later');
        }),
      ).catch(() => undefined);
      await begun.opened;
      const other = { ...bofh, engine: { ...bofh.engine, locks: memoryLocks(bofh.host.restart()) } };

      await expect(withBofh(other, () => ensure.lvm.createLv(volume))).rejects.toMatchObject({
        code: 'busy',
      });
      const second = withBofh(other, () =>
        atomic('second', (tx) => tx.ensure.lvm.createLv(volume), { wait: 5_000 }),
      );
      await delay(300);
      gate.open();

      expect(await second).toMatchObject({ changed: ends === 'badly' });
      await first;
      expect(bofh.host.world.lvm[0]?.lvs.map(({ name }) => name)).toEqual(['web1']);
    });

  it('accepts an object that another process creates after the first look, if it is equal', async () => {
    const bofh = simulatedBofh();
    let looks = 0;
    bofh.host.faults.watch(({ tool, argv }) => {
      if (tool !== 'lvm' || argv[0] !== 'fullreport') return;
      looks += 1;
      if (looks === 2) bofh.host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 2 });
    });

    const made = await withBofh(bofh, () => ensure.lvm.createLv(volume));

    expect(looks).toBeGreaterThan(2);
    expect(made.changed).toBe(false);
    expect(bofh.host.changes.filter((change) => JSON.stringify(change).includes('lvcreate'))).toEqual([]);
  });

  it('leaves the sequence usable when it refuses', async () => {
    const bofh = simulatedBofh();
    const made = await withBofh(bofh, () =>
      atomic('web1', async (tx) => {
        await tx.lvm.createLv(volume);
        await tx.ensure.lvm.createLv({ ...volume, size: '16m' }).catch(() => undefined);
        return tx.ensure.lvm.createLv({ ...volume, name: 'web2' });
      }),
    );
    expect(made.changed).toBe(true);
  });
});
