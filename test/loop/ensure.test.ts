import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { atomic, connect, ensure, RolledBackError, withBofh } from '../../src/index.ts';
import type { EnsureMethods, Tx } from '../../src/operations.ts';
import { sh, storage } from './sequence.ts';

type Ensured = Promise<{ readonly value: unknown; readonly changed: boolean }>;

/** Makes the place for an object; returns its `ensure`, and one that asks for something else. */
interface Case {
  readonly title: string;
  readonly stage: () => {
    readonly same: (of: EnsureMethods) => Ensured;
    readonly other: (of: EnsureMethods) => Ensured;
    readonly property: string;
  };
}

let disk: ReturnType<typeof storage>;
const passphrase = 'correct horse';
const key = () => {
  writeFileSync(disk.path('key'), passphrase, { mode: 0o600 });
  return { from: 'file', path: disk.path('key') } as const;
};
const table = (name: string): string => {
  writeFileSync(disk.path(name), '# by hand\n');
  return disk.path(name);
};

const cases: readonly Case[] = [
  {
    title: 'an image with a filesystem',
    stage: () => {
      const asked = { file: disk.path('new.img'), size: '8m', type: 'ext4' } as const;
      return {
        same: (of) => of.filesystem.createImage({ ...asked, label: 'web1' }),
        other: (of) => of.filesystem.createImage({ ...asked, label: 'other' }),
        property: 'label',
      };
    },
  },
  {
    title: 'an image',
    stage: () => ({
      same: (of) => of.block.createImage({ file: disk.path('new.img'), size: '8m' }),
      other: (of) => of.block.createImage({ file: disk.path('new.img'), size: '9m' }),
      property: 'size',
    }),
  },
  {
    title: 'a loop device',
    stage: () => {
      const file = disk.path('of-a-loop.img');
      sh('truncate', '--size=8M', file);
      return {
        same: (of) => of.block.attachLoop({ file, offset: '1m', mode: 'ro' }),
        other: (of) => of.block.attachLoop({ file, offset: '1m', mode: 'rw' }),
        property: 'mode',
      };
    },
  },
  ...(['ext4', 'xfs', 'btrfs', 'vfat', 'swap'] as const).map((type) => ({
    title: type,
    stage: () => {
      const device = disk.blank('blank.img', 400);
      return {
        same: (of: EnsureMethods) => of.filesystem.create({ device, type, label: 'DATA' }),
        other: (of: EnsureMethods) => of.filesystem.create({ device, type, label: 'OTHER' }),
        property: 'label',
      };
    },
  })),
  {
    title: 'LUKS',
    stage: () => {
      const device = disk.blank('luks.img', 32);
      const file = key();
      writeFileSync(disk.path('wrong'), 'another key', { mode: 0o600 });
      return {
        same: (of) => of.crypt.format({ device, key: file, label: 'data', pbkdf: 'pbkdf2' }),
        other: (of) => of.crypt.format({ device, key: { from: 'file', path: disk.path('wrong') } }),
        property: 'key',
      };
    },
  },
  {
    title: 'a mount',
    stage: () => {
      const { device } = disk.ext4('ext4.img');
      const path = disk.makeDir('mnt');
      return {
        same: (of) =>
          of.mount.mount({ device, path, mode: 'rw', type: 'ext4', options: ['nodev', 'noatime'] }),
        other: (of) => of.mount.mount({ device, path, mode: 'rw', options: ['nodev', 'noexec'] }),
        property: 'options',
      };
    },
  },
  {
    title: 'a line of fstab',
    stage: () => {
      const file = table('fstab');
      const { device: source } = disk.ext4('ext4.img');
      const target = disk.makeDir('srv');
      return {
        same: (of) =>
          of.mount.addFstab({ file, source, target, type: 'ext4', options: ['noatime'], pass: 2 }),
        other: (of) => of.mount.addFstab({ file, source, target: `${target}/`, type: 'ext4', pass: 1 }),
        property: 'pass',
      };
    },
  },
  {
    title: 'a line of crypttab',
    stage: () => {
      const file = table('crypttab');
      const device = disk.blank('luks.img', 32);
      return {
        same: (of) => of.mount.addCrypttab({ file, name: 'data', device, key: 'none', options: ['luks'] }),
        other: (of) =>
          of.mount.addCrypttab({ file, name: 'data', device: '/dev/null', key: 'none', options: ['nofail'] }),
        property: 'device',
      };
    },
  },
  {
    title: 'a subvolume',
    stage: () => {
      const device = disk.btrfs('btrfs.img');
      const path = disk.makeDir('pool');
      sh('mount', device, path);
      disk.makeDir('pool/plain');
      return {
        same: (of) => of.btrfs.createSubvolume({ path: `${path}/data` }),
        other: (of) => of.btrfs.createSubvolume({ path: `${path}/plain` }),
        property: 'kind',
      };
    },
  },
];

describe.skipIf(process.getuid?.() !== 0)('ensure, with the programs of this host', () => {
  beforeEach(() => {
    disk = storage();
  });
  afterEach(() => {
    for (const device of sh(
      'losetup',
      '--noheadings',
      '--output',
      'NAME',
      '--associated',
      disk.path('of-a-loop.img'),
    )
      .split('\n')
      .filter((line) => line !== ''))
      sh('losetup', '--detach', device.trim());
    disk.clean();
  });

  const bofh = () => connect({ stateDir: join(mkdtempSync(disk.path('state-')), 'state') });

  for (const { title, stage } of cases)
    it(`${title}: is created once, found again, and refused if it differs`, async () => {
      const { same, other, property } = stage();
      const here = bofh();
      const failing = () =>
        withBofh(here, () =>
          atomic('later', async (tx: Tx) => {
            await same(tx.ensure);
            await tx.file.create({ path: disk.path('after'), content: '', mode: 0o600 });
            throw new Error('later');
          }),
        );

      await expect(failing()).rejects.toBeInstanceOf(RolledBackError);
      const first = await withBofh(here, () => same(ensure));
      await expect(failing()).rejects.toBeInstanceOf(RolledBackError);
      const again = await withBofh(here, () => same(ensure));
      const error = await withBofh(here, () => other(ensure)).catch((thrown: unknown) => thrown);
      const after = await withBofh(here, () => same(ensure));

      expect(first.changed).toBe(true);
      expect(again).toEqual({ value: first.value, changed: false });
      expect(error).toMatchObject({ code: 'differs' });
      expect((error as { differences: readonly { property: string }[] }).differences).toEqual(
        expect.arrayContaining([expect.objectContaining({ property })]),
      );
      expect(after).toEqual(again);
    });

  it('accepts a logical volume and a thin pool that were created with lvm', async () => {
    const device = disk.blank('pv.img', 64);
    const vg = `bofhensure${String(process.pid)}`;
    const lvm = (...argv: readonly string[]) => sh('lvm', ...argv, '--driverloaded', 'n');
    lvm('vgcreate', '-qq', vg, device);
    try {
      lvm('lvcreate', '-qq', '-an', '-Zn', '-Wn', '--size', '8m', '--addtag', 'web', '--name', 'data', vg);
      const asked = { vg, name: 'data', size: '7m', tags: ['web'] };
      const found = await withBofh(bofh(), () => ensure.lvm.createLv(asked));
      expect(found).toMatchObject({
        changed: false,
        value: { path: `/dev/${vg}/data`, size: 8 * 1024 ** 2 },
      });
      await expect(
        withBofh(bofh(), () => ensure.lvm.createLv({ ...asked, size: '9m', type: 'raid1' })),
      ).rejects.toMatchObject({
        differences: [
          { property: 'size', asked: 12 * 1024 ** 2, found: 8 * 1024 ** 2 },
          { property: 'type', asked: 'raid1', found: 'linear' },
        ],
      });
      await expect(
        withBofh(bofh(), () => ensure.lvm.createThinPool({ vg, name: 'data', size: '8m' })),
      ).rejects.toMatchObject({ differences: [{ property: 'kind', asked: 'thin pool', found: 'volume' }] });
    } finally {
      lvm('vgremove', '-qq', '--force', vg);
    }
  });
});
