import { beforeEach, describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const mib = 1024 ** 2;
const device = '/dev/vg0/a';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 16 });
  const uuid = '0c0ffee0-0000-4000-8000-00000000000f';
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
});

const resize = (to: block.ResizeRequest['to']): Promise<unknown> =>
  withBofh(simulatedBofh({ host }), () => block.resize({ device, to }));
const sizes = () => {
  const lv = host.world.lvm[0]?.lvs[0];
  const superblock = host.world.live.get(`lv:${lv?.uuid ?? ''}`)?.superblock;
  return [(lv?.extents ?? 0) * 4, ((superblock?.blocks ?? 0) * 4096) / mib];
};

describe('a logical volume with an ext4', () => {
  it.each([
    ['grows', { by: 64 * mib }, [128, 128]],
    ['shrinks', { size: 48 * mib }, [48, 48]],
  ] as const)('%s with it', async (_, to, expected) => {
    await resize(to);
    expect(sizes()).toEqual(expected);
  });

  it('asks the filesystem for its minimum once', async () => {
    const asked: string[] = [];
    const counting: SimulatedHost = {
      ...host,
      run: (command) => {
        if (command.argv.includes('-P')) asked.push(command.tool);
        return host.run(command);
      },
    };
    await withBofh(simulatedBofh({ host: counting }), () => block.resize({ device, to: { by: 64 * mib } }));

    expect(asked).toEqual(['resize2fs']);
  });

  it.each([
    ['growing', { by: 64 * mib }, 'resize2fs'],
    ['shrinking', { size: 48 * mib }, 'lvreduce'],
  ] as const)('is unchanged when %s fails half-way', async (_, to, tool) => {
    const before = host.snapshot();
    host.fault({ tool, mode: 'fails before' });

    await expect(resize(to)).rejects.toBeInstanceOf(RolledBackError);

    expect(sizes()).toEqual([64, 64]);
    expect(host.snapshot()).toBe(before);
  });
});
