import { describe, expect, it } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import type { KeyRef } from '../../../src/command/index.ts';
import type { Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { replicatedVolumes } from '../../support/undo/specimens/drbd.ts';
import { neighbourhood } from '../../support/undo/stage.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { on } from '../crypt/support.ts';
import { rejectionOf } from '../../support/rejection.ts';

const own = { vg: 'vg0', name: 'own' } as const;
const device = '/dev/vg0/own';
const filesystem = '5e1f0000-0000-4000-8000-0000000000f5';
const luks = '5e1f0000-0000-4000-8000-0000000000f6';
const image = '/srv/own.img';
const key: KeyRef = { from: 'file', path: '/etc/key' };

/** What takes the device of a filesystem out of reach, in the sequence that created the filesystem. */
interface Case {
  readonly name: string;
  readonly stage?: (host: SimulatedHost) => void;
  /** Creates the device; gives its path. */
  readonly make: (tx: Tx) => Promise<string>;
  /** Whether the filesystem is there afterwards (default: true). */
  readonly kept?: false;
  readonly end: (tx: Tx, path: string) => Promise<unknown>;
}

const volume = async (tx: Tx): Promise<string> => (await tx.lvm.createLv({ ...own, size: '64m' })).path;
const opened = async (tx: Tx): Promise<string> => {
  await volume(tx);
  await tx.crypt.format({ device, key });
  return (await tx.crypt.open({ device, key, name: 'own' })).path;
};
const writeKey = (host: SimulatedHost): void => host.admin.writeFile('/etc/key', 'geheim', 0o600);

const cases: readonly Case[] = [
  { name: 'the removal of its volume', make: volume, kept: false, end: (tx) => tx.lvm.removeLv(own) },
  { name: 'the deactivation of its volume', make: volume, end: (tx) => tx.lvm.deactivateLv(own) },
  {
    name: 'the deactivation and the removal of its volume',
    make: volume,
    kept: false,
    end: async (tx) => {
      await tx.lvm.deactivateLv(own);
      await tx.lvm.removeLv(own);
    },
  },
  {
    name: 'closing its LUKS device',
    stage: writeKey,
    make: opened,
    end: (tx) => tx.crypt.close({ name: 'own', key }),
  },
  {
    name: 'closing its LUKS device and removing the volume beneath',
    kept: false,
    stage: writeKey,
    make: opened,
    end: async (tx) => {
      await tx.crypt.close({ name: 'own', key });
      await tx.lvm.removeLv(own);
    },
  },
  {
    name: 'detaching its loop device',
    make: async (tx) => {
      await tx.block.createImage({ file: image, size: '64m' });
      return (await tx.block.attachLoop({ file: image })).device;
    },
    end: (tx, path) => tx.block.detachLoop({ device: path }),
  },
  {
    name: 'taking its DRBD resource down',
    stage: (host) => replicatedVolumes(host, 'primary'),
    make: () => Promise.resolve('/dev/drbd3'),
    end: async (tx) => {
      await tx.drbd.secondary({ name: 'web1' });
      await tx.drbd.down({ name: 'web1' });
    },
  },
];

describe('a filesystem whose device the same sequence makes unreachable', () => {
  it.each(cases)(
    'is synced to the disk before $name, if it is kept',
    async ({ stage, make, end, kept = true }) => {
      const host = neighbourhood();
      stage?.(host);

      await on(host, async (tx) => {
        const path = await make(tx);
        await tx.filesystem.create({ device: path, type: 'ext4', uuid: filesystem });
        const mounted = await tx.temporary.mount.mount({ device: path, mode: 'rw' });
        await tx.copy.unpack({
          source: '/srv/debian.tar',
          root: mounted.path,
          device: path,
          filesystem,
          files: [],
        });
        await mounted.release();
        await end(tx, path);
      });

      expect(await openJournals(bofhOn(host).engine)).toEqual([]);
      const later = host.powerCut({ keep: 'none' });
      const volumes = later.world.lvm.flatMap(({ lvs }) => lvs).filter(({ name }) => name === 'own');
      const all = [...later.world.live.values()];
      const found = all.filter(({ superblock }) => superblock?.uuid === filesystem);
      expect(kept ? found.length : volumes.length).toBe(kept ? 1 : 0);
    },
  );
});

/** The same sequence, with a step after it. */
const whole = async (host: SimulatedHost, { make, end }: Case): Promise<void> => {
  await on(host, async (tx) => {
    const path = await make(tx);
    await tx.filesystem.create({ device: path, type: 'ext4', uuid: filesystem });
    await end(tx, path);
    await tx.file.create({ path: '/etc/last', content: 'x', mode: 0o644 });
  });
};

/** A host before that sequence, and after a crash in its last step. */
const crashed = async (each: Case) => {
  const host = neighbourhood();
  each.stage?.(host);
  const before = host.snapshot();
  host.fault({ tool: 'file', argvIncludes: '/etc/last', mode: 'crash here' });
  await rejectionOf(whole(host, each));
  return { before, host: host.restart() };
};

it.each(cases)('is undone by a recovery after $name', async (each) => {
  const { before, host } = await crashed(each);

  await recoverAll(host);

  expect(host.snapshot()).toBe(before);
});

it('is kept by a recovery if others wrote there after its LUKS device was closed', async () => {
  const each = cases.find(({ name }) => name === 'closing its LUKS device');
  if (each === undefined) throw new TypeError('there is no such case');
  const { host } = await crashed(each);
  host.admin.luksOpen(device, 'theirs');
  host.admin.mkdir('/theirs');
  host.admin.mount('/dev/mapper/theirs', '/theirs');
  host.admin.writeFile('/theirs/x', 'theirs');
  host.admin.umount('/theirs');
  host.admin.luksClose('theirs');

  expect(String(await rejectionOf(recoverAll(host)))).toMatch(/others wrote to the encrypted data/);
});

// After the commit nothing could tell what others wrote there by the time the device is back.
it('refuses an act after the commit whose device the same sequence makes unreachable', async () => {
  const host = neighbourhood();
  writeKey(host);
  await on(host, async (tx) => {
    await volume(tx);
    await tx.crypt.format({ device, key, uuid: luks });
  });
  const before = host.snapshot();

  const error = await rejectionOf(
    on(host, async (tx) => {
      await tx.crypt.erase({ device, uuid: luks });
      await tx.lvm.deactivateLv(own);
    }),
  );

  expect(error).toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
});
