import { beforeEach, describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { withBofh } from '../../../src/bofh.ts';
import { resize as operation } from '../../../src/crypt/operations/resize.ts';
import {
  BofhError,
  RefusedError,
  RolledBackError,
  StuckError,
  UsageError,
} from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { type SimulatedHost, simulatedBofh } from '../../../src/simulator/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { failNow, rejectionOf } from '../../support/rejection.ts';
import { bofhOn } from '../simulator/support.ts';
import { encrypted, device, key, on, programsOf } from './support.ts';

const mib = 1024 ** 2;
const inner = '/dev/mapper/mine';
const consent = { shrink: 'lose the data beyond the new size' } as const;

const filled = (type: 'ext4' | 'btrfs' | 'vfat', mebibytes: number) => ({
  ...({ type, usage: 'filesystem', uuid: '0c0ffee0-0000-4000-8000-00000000000f', version: '1.0' } as const),
  blocks: mebibytes * 256,
});

/** A container of 48 MiB on a volume of 64, open as `mine`. */
let host: SimulatedHost;
beforeEach(() => {
  host = encrypted();
  host.admin.luksOpen(device, 'mine');
  host.admin.mkdir('/mnt/a');
});

const resize = (tx: Tx, size: number, more = {}) => tx.crypt.resize({ name: 'mine', size, key, ...more });
const cut = (size: number, more = {}): Promise<unknown> => on(host, (tx) => resize(tx, size, more));
const sizes = (there = host): readonly number[] => [
  (there.world.lvm[0]?.lvs[0]?.extents ?? 0) * 4,
  (there.world.mappings[0]?.size ?? 0) / mib,
];

async function refused(size: number, more = {}): Promise<BofhError> {
  const [before, programs] = [host.snapshot(), programsOf(host)];
  const error = await rejectionOf(cut(size, more));
  expect(host.snapshot()).toBe(before);
  expect(programsOf(host)).toEqual(programs);
  if (!(error instanceof BofhError)) throw error;
  return error;
}

describe('crypt.resize to a smaller size', () => {
  it.each([
    ['mounted', {}],
    ['mounted, and told that it may be lost', consent],
    ['not mounted', {}],
    ['not mounted, and told that it may be lost', consent],
  ])('is refused under an ext4 that reaches beyond, %s', async (how, more) => {
    host.admin.format(inner, filled('ext4', 40));
    if (how.startsWith('mounted')) host.admin.mount(inner, '/mnt/a');

    const error = await refused(16 * mib, more);

    expect(error).toBeInstanceOf(RefusedError);
    expect(error.message).toMatch(/mine would be cut to 16 MiB, but is in use: its ext4 reaches to 40 MiB/);
    expect(error.remedy).toMatch(/shrink its content first/);
  });

  it('cuts the space beyond the end of a filesystem without confirmation', async () => {
    host.admin.format(inner, filled('ext4', 16));
    host.admin.mount(inner, '/mnt/a');

    await cut(16 * mib);

    expect(sizes()).toEqual([64, 16]);
    expect(String(await refused(15 * mib))).toContain('its ext4 reaches to 16 MiB');
  });

  it.each([
    ['that is blank', undefined],
    ['whose filesystem does not say how large it is', filled('vfat', 40)],
  ])('of one %s needs the confirmation that data may be lost', async (_, superblock) => {
    host.admin.format(inner, superblock);

    const error = await refused(16 * mib);

    expect(error).toBeInstanceOf(UsageError);
    expect(error.remedy).toContain("shrink: 'lose the data beyond the new size'");
    await cut(16 * mib, consent);
    expect(sizes()).toEqual([64, 16]);
  });

  it('is refused below a holder with an unknown end', async () => {
    host.admin.format(inner, filled('vfat', 40));
    host.admin.mount(inner, '/mnt/a');

    expect((await refused(16 * mib, consent)).message).toContain('mounted on /mnt/a');
  });

  it('is refused when its content grew between check and act', async () => {
    host.admin.format(inner, filled('ext4', 16));
    const args = { name: 'mine', size: 16 * mib, key };
    const undo = await operation.prepare({ args, mark: 'bofh.00000000abcd.1', host });
    host.admin.format(inner, filled('ext4', 40));

    expect(
      String(
        await rejectionOf(
          operation.run({ args, undo, host: host.during({ outputs: '/nowhere', lock: -1 }) }),
        ),
      ),
    ).toContain('its ext4 reaches to 40 MiB');

    expect(sizes()).toEqual([64, 48]);
  });

  it('is refused while a process has it open and its end is unknown', async () => {
    host.admin.format(inner, undefined);
    host.admin.hold(host.world.mappings[0]?.number ?? '', 'dd of=/dev/mapper/mine');

    expect((await refused(16 * mib, consent)).message).toContain('would be cut to 16 MiB, but is in use');
  });

  it('also prevents shrinking the volume beneath', async () => {
    host.admin.format(inner, filled('ext4', 40));

    const error = await rejectionOf(
      on(host, async (tx) => {
        await resize(tx, 16 * mib);
        await tx.lvm.resizeLv({ vg: 'vg0', name: 'web1', size: 32 * mib, ...consent });
      }),
    );

    expect(String(error)).toContain('its ext4 reaches to 40 MiB');
    expect(sizes()).toEqual([64, 48]);
  });

  it('is part of block resize, which shrinks the filesystem first', async () => {
    host.admin.format(inner, filled('ext4', 48));

    await withBofh(simulatedBofh({ host }), () => block.resize({ device, to: { size: 48 * mib }, key }));

    expect(sizes()).toEqual([48, 32]);
  });
});

describe('the undo of a growth', () => {
  const grown = (then: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
    rejectionOf(
      on(host, async (tx) => {
        await tx.lvm.resizeLv({ vg: 'vg0', name: 'web1', size: 128 * mib });
        await tx.crypt.resize({ name: 'mine', key });
        await then(tx);
        await failNow();
      }),
    );

  it('is stuck when the filesystem grew meanwhile, and finishes once that is smaller again', async () => {
    host.admin.format(inner, filled('btrfs', 48));
    host.admin.mount(inner, '/mnt/a');

    const error = await grown(async () => host.admin.format(inner, filled('btrfs', 100)));

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain(
      'would be cut to 48 MiB, but is in use: its btrfs reaches to 100 MiB',
    );
    expect(sizes()).toEqual([128, 112]);

    host.admin.format(inner, filled('btrfs', 48));
    const later = host.restart();
    const { engine } = bofhOn(later);
    for (const { id } of await openJournals(engine))
      expect(await recover(id, { engine, yes: false })).toMatchObject({ end: 'rolled-back' });
    expect(sizes(later)).toEqual([64, 48]);
  });

  it('keeps the volume when others grew the filesystem and closed the device', async () => {
    host.admin.format(inner, filled('btrfs', 48));

    const error = await grown(async () => {
      host.admin.format(inner, filled('btrfs', 100));
      host.admin.luksClose('mine');
    });

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify(error)).toContain(`open it again: cryptsetup open /dev/mapper/vg0-web1 mine`);
    expect(sizes()[0]).toBe(128);

    host.admin.luksOpen(device, 'mine');
    host.admin.format(inner, filled('btrfs', 48));
    const later = host.restart();
    const { engine } = bofhOn(later);
    for (const { id } of await openJournals(engine))
      expect(await recover(id, { engine, yes: false })).toMatchObject({ end: 'rolled-back' });
    expect(sizes(later)).toEqual([64, 48]);
  });

  it('works under a filesystem that has not grown, mounted or not', async () => {
    host.admin.format(inner, filled('btrfs', 48));
    host.admin.mount(inner, '/mnt/a');
    const before = host.snapshot();

    expect(await grown(async () => undefined)).toBeInstanceOf(RolledBackError);

    expect(host.snapshot()).toBe(before);
  });

  it('does not block the undo of the format, with everything in it', async () => {
    host.admin.luksClose('mine');
    host.admin.format(device, undefined);
    const before = host.snapshot();

    const error = await rejectionOf(
      on(host, async (tx) => {
        await tx.crypt.format({ device, key });
        await tx.crypt.open({ device, key, name: 'mine' });
        await resize(tx, 16 * mib, consent);
        await resize(tx, 48 * mib);
        await tx.filesystem.create({ device: inner, type: 'ext4' });
        await failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });
});

describe('recovery of a stack that was killed while growing', () => {
  it('undoes it below a mounted filesystem that had not grown yet, without --yes', async () => {
    host.admin.format(inner, filled('btrfs', 48));
    host.admin.mount(inner, '/mnt/a');
    const before = host.snapshot();
    host.fault({ tool: 'btrfs', mode: 'crash here' });
    await rejectionOf(withBofh(bofhOn(host), () => block.resize({ device, to: { by: 64 * mib }, key })));
    expect(sizes()).toEqual([128, 112]);

    host.clearFaults();
    const later = host.restart();
    const { engine } = bofhOn(later);
    const ends = [];
    for (const { id } of await openJournals(engine)) ends.push(await recover(id, { engine, yes: false }));

    expect(ends).toMatchObject([{ end: 'rolled-back' }]);
    expect(later.snapshot()).toBe(before);
  });

  it('leaves a grown one as it is, also with --yes', async () => {
    host.admin.format(inner, filled('btrfs', 48));
    host.fault({ tool: 'btrfs', mode: 'crash here' });
    await rejectionOf(withBofh(bofhOn(host), () => block.resize({ device, to: { by: 64 * mib }, key })));
    host.admin.format(inner, filled('btrfs', 100));

    host.clearFaults();
    const later = host.restart();
    const { engine } = bofhOn(later);
    const [open] = await openJournals(engine);
    await rejectionOf(recover(open?.id ?? '', { engine, yes: true }));

    expect(sizes(later)).toEqual([128, 112]);
  });
});

describe('a power cut in the resize of a stack, then a boot that opens the container', () => {
  it.each([
    ['smaller', -16, '48,32'],
    ['larger', 64, '128,112'],
  ])('made %s by %i MiB, it gets its old size back after a cut at any point', async (_, by, after) => {
    host.admin.format(inner, filled('ext4', 48));
    const opened = new Set<string>();
    for (let at = 1; ; at += 1) {
      const cutOff = fork(host);
      cutOff.fault({ nth: at, mode: 'crash here' });
      const run = withBofh(bofhOn(cutOff), () => block.resize({ device, to: { by: by * mib }, key }));
      const isCut = await run.then(
        () => false,
        () => true,
      );
      if (!isCut) break;
      const later = cutOff.powerCut({ keep: 'all' });
      later.admin.luksOpen(device, 'mine');
      opened.add(sizes(later).join());

      const { engine } = bofhOn(later);
      for (const { id } of await openJournals(engine))
        expect(await recover(id, { engine, yes: true })).toMatchObject({
          end: 'rolled-back',
          leftUntouched: [],
        });

      expect(sizes(later)).toEqual([64, 48]);
      const { storage = '' } = later.world.mappings[0] ?? {};
      expect(later.world.live.get(storage)?.superblock).toEqual(filled('ext4', 48));
    }
    expect([...opened].sort()).toEqual(['64,48', after].sort());
  });
});
