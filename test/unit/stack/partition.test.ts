import { describe, expect, it } from 'vitest';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { partitionedDisk } from '../../support/undo/specimens/block.ts';
import { recoverAll } from '../simulator/support.ts';
import { stackAt } from './support.ts';

const mib = 1024 ** 2;
const uuid = '0c0ffee0-0000-4000-8000-000000000001';
const device = '/dev/vdx1';

type Inside = 'ext4' | 'ext4 in LUKS';

/** A partition of 16 or 32 MiB at the start of a disk of 96, full of a filesystem, with or without a container. */
function host(inside: Inside, type: 'gpt' | 'dos' = 'gpt'): SimulatedHost {
  const there = simulatedHost({ disks: [{ name: 'vdx', size: 96 * mib }] });
  there.admin.writeFile('/etc/key', 'geheim', 0o600);
  partitionedDisk(there, type, inside === 'ext4' ? 16 : 32);
  if (inside === 'ext4 in LUKS') {
    there.admin.luksFormat({ device, uuid: '0c0ffee0-0000-4000-8000-00000000000f', key: 'geheim' });
    there.admin.luksOpen(device, 'web1');
  }
  const at = inside === 'ext4' ? device : '/dev/mapper/web1';
  there.admin.format(at, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  return there;
}

const { resize, sizesNow } = stackAt(device);

const through: Readonly<Record<Inside, (partition: number) => readonly number[]>> = {
  ext4: (partition) => [partition, partition],
  'ext4 in LUKS': (partition) => [partition, partition - 16, partition - 16, partition - 16],
};

describe.each(['ext4', 'ext4 in LUKS'] as const)('a partition with %s', (inside) => {
  it.each(['gpt', 'dos'] as const)('of a %s table grows by a size, and up to the end', async (type) => {
    const there = host(inside, type);

    const { layers } = await resize(there, { by: 16 * mib - 1 });
    const by = await sizesNow(there);
    await resize(there, 'max');

    const most = type === 'gpt' ? 94 : 95;
    expect(layers[0]).toMatchObject({ title: 'the partition vdx1', when: 'now' });
    expect([by, await sizesNow(there)]).toEqual([inside === 'ext4' ? 32 : 48, most].map(through[inside]));
  });

  it('is unchanged, with its table, when any step fails', async () => {
    const undisturbed = host(inside);
    await resize(undisturbed, { by: 16 * mib });
    const done = await sizesNow(undisturbed);
    const wentBack = new Set<string>();
    for (const [index, change] of undisturbed.changes.entries()) {
      const there = host(inside);
      const before = there.snapshot();
      there.fault({ nth: index + 1, mode: 'fails before' });
      const ended = await resize(there, { by: 16 * mib }).catch((error: unknown) => error);
      if (!(ended instanceof Error)) {
        expect(await sizesNow(there)).toEqual(done);
        continue;
      }
      expect(ended).toBeInstanceOf(RolledBackError);
      expect(there.snapshot()).toBe(before);
      if (change.what === 'command') wentBack.add(change.command.tool);
    }
    const own = inside === 'ext4' ? [] : ['cryptsetup'];
    expect([...wentBack]).toEqual(expect.arrayContaining(['sfdisk', ...own, 'resize2fs']));
  });

  it('is as before, or completed, after a kill at any change and a recovery', async () => {
    const undisturbed = host(inside);
    await resize(undisturbed, { by: 16 * mib });
    const done = await sizesNow(undisturbed);
    for (let nth = 1; nth <= undisturbed.changes.length; nth += 1) {
      const there = host(inside);
      const sizes = await sizesNow(there);
      there.fault({ nth, mode: 'acts then crash' });
      await expect(resize(there, { by: 16 * mib })).rejects.toThrow();
      there.clearFaults();
      const again = there.restart();
      await recoverAll(again);
      expect([sizes, done]).toContainEqual(await sizesNow(again));
    }
  });
});

describe('a partition', () => {
  it.each([
    ['smaller', { by: -4 * mib }, /only enlarge/],
    ['larger than what is free behind it', { by: 96 * mib }, /at most 94 MiB, up to the next partition/],
  ] as const)('is not made %s: refused before anything changes', async (_, to, why) => {
    const there = host('ext4');

    const error = await rejectionOf(resize(there, to));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(why);
    expect(there.changes).toEqual([]);
  });

  it('without free space behind it is refused, with the command that shows the layout', async () => {
    const there = host('ext4');
    await resize(there, 'max');
    const before = there.snapshot();

    const error = await rejectionOf(resize(there, { by: mib }));

    expect(error).toMatchObject({
      remedy: expect.stringContaining('bofh block partitions /dev/vdx') as string,
    });
    expect(String(error)).toMatch(/there is no free space after it/);
    expect(there.snapshot()).toBe(before);
  });

  it('in a table that bofh does not change still gets its filesystem grown', async () => {
    const there = host('ext4', 'dos');
    there.admin.partition('/dev/vdx', {
      ...{ type: 'dos', id: '0x5e1f0001' },
      partitions: [
        { number: 1, start: 2048, size: 32768, type: '83' },
        { number: 2, start: 36864, size: 2048, type: '5' },
      ],
    });

    const error = await rejectionOf(resize(there, { by: mib }));
    const { layers } = await resize(there, 'max');

    expect(String(error)).toMatch(/without an extended partition/);
    expect(layers.map(({ when }) => when)).toEqual(['unchanged', 'unchanged']);
  });
});
