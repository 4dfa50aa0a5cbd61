import { describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { recoverAll } from '../simulator/support.ts';
import { stackAt } from './support.ts';

const mib = 1024 ** 2;
const uuid = '0c0ffee0-0000-4000-8000-000000000001';
const device = '/dev/vg0/web1';

type Inside = 'ext4' | 'xfs' | 'btrfs' | 'ext4 in LUKS' | 'btrfs in LUKS';

/** A volume of 512 MiB, with or without a container, full of a filesystem. */
function host(inside: Inside): SimulatedHost {
  const there = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 1024 * mib }] });
  there.admin.writeFile('/etc/key', 'geheim', 0o600);
  there.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 128 });
  const [type = '', , isEncrypted] = inside.split(' ');
  if (isEncrypted !== undefined) {
    there.admin.luksFormat({ device, uuid: '0c0ffee0-0000-4000-8000-00000000000f', key: 'geheim' });
    there.admin.luksOpen(device, 'web1-luks');
  }
  const at = isEncrypted === undefined ? device : '/dev/mapper/web1-luks';
  there.admin.format(at, { type, usage: 'filesystem', uuid, version: '1.0' });
  there.admin.mkdir('/mnt/a');
  return there;
}

const { resize, sizesNow } = stackAt(device);

const through: Readonly<Record<Inside, (volume: number) => readonly number[]>> = {
  ext4: (volume) => [volume, volume],
  xfs: (volume) => [volume, volume],
  btrfs: (volume) => [volume, volume],
  'ext4 in LUKS': (volume) => [volume, volume - 16, volume - 16, volume - 16],
  'btrfs in LUKS': (volume) => [volume, volume - 16, volume - 16, volume - 16],
};

const shrinking = ['ext4', 'btrfs', 'ext4 in LUKS', 'btrfs in LUKS'] as const;

describe.each([...shrinking, 'xfs'] as const)('a volume with %s', (inside) => {
  it('grows, to a size, by one, and to all free space', async () => {
    const there = host(inside);

    await resize(there, { size: 600 * mib });
    const to = await sizesNow(there);
    await resize(there, { by: 41 * mib });
    const by = await sizesNow(there);
    await resize(there, 'max');

    expect([to, by, await sizesNow(there)]).toEqual([600, 644, 1020].map(through[inside]));
  });
});

describe.each(shrinking)('a volume with %s', (inside) => {
  it('shrinks, and keeps its files below its new end', async () => {
    const there = host(inside);

    const { layers } = await resize(there, { by: -100 * mib });

    expect(await sizesNow(there)).toEqual(through[inside](412));
    expect(layers[0]).toMatchObject({ title: 'the logical volume vg0/web1', to: 412 * mib, when: 'now' });
  });

  it('is unchanged when any step fails', async () => {
    const tools = ['resize2fs', 'btrfs', 'cryptsetup', 'lvreduce', 'e2fsck', 'lvextend'] as const;
    for (const tool of tools)
      for (const nth of [1, 2]) {
        const there = host(inside);
        const [before, sizes] = [there.snapshot(), await sizesNow(there)];
        there.fault({ tool, nth, mode: 'fails before', access: 'change' });
        const ended = await resize(there, { by: -100 * mib }).then(
          () => 'resized',
          (error: unknown) => error,
        );
        if (ended === 'resized') {
          expect(await sizesNow(there)).toEqual(through[inside](412));
          continue;
        }
        expect(ended).toBeInstanceOf(RolledBackError);
        expect(await sizesNow(there)).toEqual(sizes);
        expect(there.snapshot()).toBe(before);
      }
  });

  it('is as before, or completed, after a kill at any change and a recovery', async () => {
    const undisturbed = host(inside);
    await resize(undisturbed, { by: -100 * mib });
    for (let nth = 1; nth <= undisturbed.changes.length; nth += 1) {
      const there = host(inside);
      const sizes = await sizesNow(there);
      there.fault({ nth, mode: 'acts then crash' });
      await expect(resize(there, { by: -100 * mib })).rejects.toThrow();
      there.clearFaults();
      const again = there.restart();
      await recoverAll(again);
      expect([sizes, through[inside](412)]).toContainEqual(await sizesNow(again));
    }
  });
});

describe.each(['mounted', 'not mounted'] as const)('a volume with a btrfs that is %s', (where) => {
  const there = (inside: Inside = 'btrfs'): SimulatedHost => {
    const made = host(inside);
    if (where === 'mounted') made.admin.mount(device, '/mnt/a');
    return made;
  };

  it('shrinks to the minimum of the kernel, with the margin', async () => {
    const at = there();

    await resize(at, 'min');

    expect(await sizesNow(at)).toEqual([260, 260]);
  });

  it.each([256, 260])('shrinks to %i MiB, also where the margin does not fit', async (size) => {
    const at = there();

    await resize(at, { size: size * mib });

    expect(await sizesNow(at)).toEqual([size, size]);
  });

  it('is refused a smaller size before anything changes', async () => {
    const at = there();

    await expect(resize(at, { size: 252 * mib })).rejects.toThrow(
      /needs 256 MiB, the smallest btrfs that the kernel allows/,
    );

    expect(at.changes).toEqual([]);
  });

  it('is unchanged by min when it is smaller already', async () => {
    const at = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 1024 * mib }] });
    at.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 40 });
    at.admin.format(device, { type: 'btrfs', usage: 'filesystem', uuid, version: '1.0' });
    at.admin.mkdir('/mnt/a');
    if (where === 'mounted') at.admin.mount(device, '/mnt/a');

    await resize(at, 'min');

    expect(await sizesNow(at)).toEqual([160, 160]);
    expect(at.changes).toEqual([]);
  });
});

describe('a volume', () => {
  it('keeps its size when its content cannot shrink: refused before anything changes', async () => {
    const there = host('xfs');

    await expect(resize(there, { by: -100 * mib })).rejects.toThrow(/an xfs cannot be shrunk/);

    expect(there.changes).toEqual([]);
  });

  it('does not shrink below a mounted ext4, whose mount is named; but grows', async () => {
    const there = host('ext4');
    there.admin.mount(device, '/mnt/a');

    await expect(resize(there, { by: -100 * mib })).rejects.toThrow(/mounted on \/mnt\/a/);
    await resize(there, { by: 100 * mib });

    expect(await sizesNow(there)).toEqual([612, 612]);
  });

  it('is limited to the free space of its group', async () => {
    await expect(resize(host('ext4'), { size: 2048 * mib })).rejects.toMatchObject({
      message: expect.stringContaining('all that is free in vg0') as unknown,
      code: 'no-space',
      remedy: 'name a smaller size, or max; or add a device: bofh lvm vg extend vg0 DEVICE',
    });
  });

  it('with a snapshot, and the snapshot, are left to lvm', async () => {
    const there = host('ext4');
    there.admin.snapshot({ vg: 'vg0', name: 'snap', origin: 'web1', extents: 4 });

    const error = await rejectionOf(resize(there, { by: 4 * mib }));
    expect(String(error)).toContain('it has snapshots (snap)');
    await expect(
      withBofh(simulatedBofh({ host: there }), () =>
        block.resize({ device: '/dev/vg0/snap', to: { by: 4 * mib }, what: 'device' }),
      ),
    ).rejects.toThrow(RefusedError);

    const [, line = ''] = /: bofh (.*)$/.exec((error as RefusedError).remedy ?? '') ?? [];
    const { runtime } = testRuntime(simulatedBofh({ host: there }), { yes: true });
    expect(await runVerb(runtime, line)).toBe(0);
    await resize(there, { by: 4 * mib });
    expect((await sizesNow(there))[0]).toBe(516);
  });

  it('shrinks when it is blank', async () => {
    const there = host('ext4');
    there.admin.format(device, undefined);
    const alone = { device, to: { by: -256 * mib }, what: 'device' } as const;

    await withBofh(simulatedBofh({ host: there }), () => block.resize(alone));

    expect((await sizesNow(there))[0]).toBe(256);
  });
});
