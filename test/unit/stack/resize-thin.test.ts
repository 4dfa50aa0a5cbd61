import { beforeEach, describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { withBofh } from '../../../src/bofh.ts';
import { blockResize } from '../../../src/cli/output/answers/index.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';

const mib = 1024 ** 2;
const device = '/dev/vg0/a';

// A pool of 64 MiB, in it a of 48 MiB with an ext4, and b of 8 MiB.
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
  host.admin.thinVolume({ vg: 'vg0', name: 'a', pool: 'pool', extents: 12 });
  host.admin.thinVolume({ vg: 'vg0', name: 'b', pool: 'pool', extents: 2 });
  const uuid = '0c0ffee0-0000-4000-8000-00000000000f';
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
});

const resize = (to: block.ResizeRequest['to']) =>
  withBofh(simulatedBofh({ host }), () => block.resize({ device, to }));
const sizes = () => {
  const lv = host.world.lvm[0]?.lvs.find(({ name }) => name === 'a');
  const superblock = host.world.live.get(`lv:${lv?.uuid ?? ''}`)?.superblock;
  return [(lv?.extents ?? 0) * 4, ((superblock?.blocks ?? 0) * 4096) / mib];
};

describe('a thin volume with an ext4', () => {
  it.each([
    ['grows', { by: 8 * mib }, [56, 56]],
    ['shrinks', { size: 32 * mib }, [32, 32]],
  ] as const)('%s with it, without a warning while its pool has enough space', async (_, to, expected) => {
    expect((await resize(to)).warnings).toEqual([]);
    expect(sizes()).toEqual(expected);
  });

  it('warns in words and in JSON if the volume grows beyond the free space of its pool', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await runVerb(runtime, `block resize ${device} 60m`)).toBe(0);
    const { warnings } = blockResize.parse(JSON.parse(stdout()));
    expect(warnings).toEqual([
      expect.stringMatching(/vg0\/a: the volumes in the pool vg0\/pool .* watch it/),
    ]);

    const said = testRuntime(simulatedBofh({ host }));
    expect(await runVerb(said.runtime, `block resize ${device} 1g`)).toBe(0);
    expect(said.stdout()).toContain('then need more space than the pool has');
    expect(sizes()).toEqual([1024, 1024]);
  });

  it('gives no warning when it shrinks and is still too large', async () => {
    await resize({ size: 1024 * mib });
    expect((await resize({ size: 512 * mib })).warnings).toEqual([]);
  });

  it('has no maximum', async () => {
    await expect(resize('max')).rejects.toThrow(/has no largest size/);
  });

  it.each([
    ['full of data', { data: 96, metadata: 10 }],
    ['full of metadata', { data: 10, metadata: 97 }],
  ])('does not grow while its pool is %s, and may shrink', async (_, of) => {
    host.admin.fill('vg0', 'pool', of);
    const before = host.snapshot();
    const error = await resize({ by: 4 * mib }).catch((failure: unknown) => failure);

    expect(String(error)).toMatch(/vg0\/a cannot be grown .*: the pool vg0\/pool is full/);
    expect(error).toMatchObject({ remedy: expect.stringContaining('bofh lvm pool resize') as unknown });
    expect(host.snapshot()).toBe(before);
    await resize({ size: 32 * mib });
    expect(sizes()).toEqual([32, 32]);
  });

  it.each([
    ['growing', { by: 8 * mib }, 'resize2fs'],
    ['shrinking', { size: 32 * mib }, 'lvreduce'],
  ] as const)('is unchanged when %s fails half-way', async (_, to, tool) => {
    const before = host.snapshot();
    host.fault({ tool, mode: 'fails before' });
    await expect(resize(to)).rejects.toBeInstanceOf(RolledBackError);
    expect(sizes()).toEqual([48, 48]);
    expect(host.snapshot()).toBe(before);
  });
});
