import { beforeEach, describe, expect, test } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { LogicalVolume } from '../../../src/lvm/objects.ts';
import { roomFor, spreadAmong, takenFor, unitOf } from '../../../src/lvm/spread.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failNow, rejectionOf } from '../../support/rejection.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';

const mib = 1024 ** 2;
const consent = 'lose the data beyond the new size';

let host: SimulatedHost;
beforeEach(async () => {
  host = simulatedHost({ disks: [{ name: 'vdx', size: 1024 * mib }] });
  const uuid = 'free00-0000-0000-0000-0000-0000-000001';
  host.admin.format('/dev/vdx', { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  host.admin.vgextend('vg0', '/dev/vdx');
  await does(async (tx) => {
    await tx.lvm.createLv({ vg: 'vg0', name: 's', type: 'striped', size: '32m' });
    await tx.lvm.createLv({ vg: 'vg0', name: 'r', type: 'raid1', size: '32m' });
  });
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('sizes', body));
const resize = (tx: Tx, name: string, size: string) =>
  tx.lvm.resizeLv({ vg: 'vg0', name, size, shrink: consent });
const volume = (name: string) => host.world.lvm[0]?.lvs.find((each) => each.name === name);

describe('resizeLv of a volume on several devices', () => {
  test.each([
    ['s', '41m', 48, 'whole stripes'],
    ['r', '41m', 44, 'whole extents'],
  ])('%s to %s: gets %d MiB, %s, and is undone', async (name, size, expected) => {
    const before = host.snapshot();
    const error = await rejectionOf(
      does(async (tx) => {
        expect(await resize(tx, name, size)).toMatchObject({ size: expected * mib });
        expect(volume(name)?.extents).toBe(expected / 4);
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await does((tx) => resize(tx, name, size));
    expect(volume(name)?.extents).toBe(expected / 4);
  });

  test.each(['s', 'r'])('%s is as it was after a crash and a recovery', async (name) => {
    const before = host.snapshot();
    host.fault({ tool: 'lvextend', mode: 'acts then crash' });
    await rejectionOf(does((tx) => resize(tx, name, '64m')));
    const after = host.restart();
    await recoverAll(after);
    expect(after.snapshot()).toBe(before);
  });

  test('a raid1 needs the same space for its copy, and is refused when the group lacks it', async () => {
    const error = await failureOf(does((tx) => resize(tx, 'r', '5g')));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(/vg0\/r needs 9\.9 GiB more; vg0 has .* free/);
  });

  test.each([
    ['s', 'it is striped, which bofh only grows'],
    ['r', 'it is a raid1, which bofh only grows'],
  ])('%s does not shrink, because its extents could not be restored', async (name, words) => {
    const before = host.snapshot();
    const error = await failureOf(does((tx) => resize(tx, name, '16m')));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(words);
    expect(host.snapshot()).toBe(before);
  });

  test.each([{ synced: 42 }, { health: 'partial' }])(
    'refuses a raid1 with different copies: %j',
    async (state) => {
      Object.assign(volume('r') ?? {}, state);
      host.world.revision += 1;
      const error = await failureOf(does((tx) => resize(tx, 'r', '64m')));
      expect(error).toBeInstanceOf(RefusedError);
      expect(String(error)).toMatch(/vg0\/r cannot grow: the copies of vg0\/r may differ/);
    },
  );

  test('an inactive raid1 must be activated first', async () => {
    await does((tx) => tx.lvm.deactivateLv({ vg: 'vg0', name: 'r' }));
    const error = await failureOf(does((tx) => resize(tx, 'r', '64m')));
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({ remedy: expect.stringContaining('bofh lvm activate vg0/r') as string });
  });

  test('the current size is a success, for any layout', async () => {
    const run: SimulatedHost['run'] = async (command) => {
      if (command.argv.some((word) => word.includes('segtype'))) throw new Error('nobody needs to know');
      return host.run(command);
    };
    await withBofh(bofhOn({ ...host, run }), () => atomic('sizes', (tx) => resize(tx, 's', '29m')));
    expect(volume('s')?.extents).toBe(8);
  });

  test('a copy of a linear volume grows with the other', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 });
    await does((tx) => tx.lvm.convertLv({ vg: 'vg0', name: 'a', to: 'raid1', device: '/dev/vdx' }));
    const before = host.snapshot();
    const error = await rejectionOf(does(async (tx) => [await resize(tx, 'a', '64m'), await failNow()]));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await does((tx) => resize(tx, 'a', '64m'));
    const images = (host.world.lvm[0]?.hidden ?? []).filter(({ name }) => name.includes('rimage'));
    expect(images.map(({ extents }) => extents)).toEqual([16, 16]);
  });
});

describe('a stack on such a volume', () => {
  const ext4 = {
    type: 'ext4',
    usage: 'filesystem',
    uuid: '0c0ffee0-0000-4000-8000-00000000000f',
    version: '1.0',
  } as const;
  const stack = (name: string, to: block.ResizeRequest['to']) =>
    withBofh(bofhOn(host), () => block.resize({ device: `/dev/vg0/${name}`, to }));

  test.each(['s', 'r'])('grows on %s, the filesystem with it', async (name) => {
    host.admin.format(`/dev/vg0/${name}`, ext4);
    const { layers } = await stack(name, { by: 17 * mib });
    expect(layers.map(({ to }) => to)).toEqual([
      (name === 's' ? 56 : 52) * mib,
      (name === 's' ? 56 : 52) * mib,
    ]);
  });

  test('is refused to shrink, before its filesystem does', async () => {
    host.admin.format('/dev/vg0/s', ext4);
    const before = host.snapshot();
    const error = await failureOf(stack('s', { size: 16 * mib }));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('it is striped, which bofh only grows');
    expect(host.snapshot()).toBe(before);
  });
});

describe('the space of a volume on several devices', () => {
  test('is known only for one uniform layout', () => {
    const lv = { uuid: 'a', layout: ['striped'] } as unknown as LogicalVolume;
    const segment = (stripes: number, type = 'striped') => ({ lvUuid: 'a', type, stripes });
    const among = (...segments: readonly ReturnType<typeof segment>[]) => spreadAmong({ segments }, lv);
    expect(among(segment(2), segment(2))).toEqual({ type: 'striped', areas: 2 });
    expect([among(segment(2), segment(3)), among(segment(2), segment(2, 'linear')), among()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  const striped = { type: 'striped', areas: 2 } as const;
  const raid1 = { type: 'raid1', areas: 2 } as const;

  test('is whole stripes, and once for each copy', () => {
    expect([unitOf(striped, 4), unitOf(raid1, 4), unitOf(undefined, 4)]).toEqual([8, 4, 4]);
    expect([takenFor(striped, 8), takenFor(raid1, 8), takenFor(undefined, 8)]).toEqual([8, 16, 8]);
  });

  test('is limited to devices without another part of the same location', () => {
    const free = [100, 20, 8];
    expect(roomFor(undefined, free, 4)).toBe(128);
    expect(roomFor(raid1, free, 4)).toBe(28);
    expect(roomFor(striped, free, 8)).toBe(56);
    expect(roomFor({ type: 'raid1', areas: 3 }, free, 4)).toBe(8);
    expect(roomFor({ type: 'raid1', areas: 4 }, free, 4)).toBe(0);
  });
});
