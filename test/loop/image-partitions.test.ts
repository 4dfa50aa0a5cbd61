import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { probe } from '../../src/blockdevice/index.ts';
import { imageSource } from '../../src/copy/image-source.ts';
import { partitionsIn } from '../../src/copy/index.ts';
import { image } from '../../src/copy/operations.ts';
import { readRoot } from '../../src/copy/read-root.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { scratch, take } from '../unit/file/support.ts';
import { sh, storage } from './sequence.ts';

const host = localHost();
const mib = 1024 ** 2;
let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;

beforeEach(() => {
  disk = storage();
  step = scratch();
});
afterEach(() => {
  disk.clean();
  step.remove();
});

/** A raw image with this table, a script of sfdisk(8). */
function table(script: string, { size = 64, sector = 512, name = 'disk,1.raw' } = {}): string {
  const path = disk.path(name);
  writeFileSync(path, '');
  truncateSync(path, size * mib);
  const on =
    sector === 512 ? path : sh('losetup', '--find', '--show', '--sector-size', `${sector}`, path).trim();
  try {
    execFileSync('sfdisk', ['--quiet', on], { input: script });
  } finally {
    if (on !== path) sh('losetup', '--detach', on);
  }
  return path;
}

/** Writes content at an offset in MiB. */
function lay(path: string, at: number, make: (part: string) => void, mebibytes = 16): string {
  const part = disk.path(`part-${String(at)}`);
  writeFileSync(part, '');
  truncateSync(part, mebibytes * mib);
  make(part);
  sh('dd', `if=${part}`, `of=${path}`, 'bs=1M', `seek=${String(at)}`, 'conv=notrunc', 'status=none');
  return part;
}

function ext4(part: string): void {
  const tree = disk.path('tree');
  mkdirSync(`${tree}/etc`, { recursive: true });
  writeFileSync(`${tree}/etc/hostname`, 'image\n');
  sh('mkfs.ext4', '-q', '-d', tree, part);
}

const packed = (raw: string): string => {
  const path = disk.path('disk,1.qcow2');
  sh('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, path);
  return path;
};
const found = async (path: string, format: 'raw' | 'qcow2' = 'raw') =>
  partitionsIn(host, await imageSource(host, { path, format }));
const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const cloud =
  'label: gpt\nsize=1M,type=21686148-6449-6E6F-744E-656564454649\nsize=8M,type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\nsize=16M,type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709,uuid=11111111-2222-4333-8444-555555555555\n';
/** A cloud image: BIOS boot, ESP and root. */
function cloudImage(sector = 512): { readonly raw: string; readonly root: string } {
  const raw = table(cloud, { sector });
  lay(raw, 2, (part) => sh('mkfs.vfat', part), 8);
  return { raw, root: lay(raw, 10, ext4) };
}

describe('the partitions of the disk in an image', () => {
  it.each([
    ['raw', 512],
    ['qcow2', 512],
    ['raw', 4096],
  ] as const)('%s with a gpt and sectors of %i', async (format, sector) => {
    const { raw } = cloudImage(sector);
    expect(await found(format === 'raw' ? raw : packed(raw), format)).toMatchObject([
      { number: 1, from: mib, bytes: mib, content: undefined },
      { number: 2, from: 2 * mib, bytes: 8 * mib, content: 'vfat' },
      {
        ...{ number: 3, from: 10 * mib, bytes: 16 * mib, content: 'ext' },
        ...{ type: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', uuid: '11111111-2222-4333-8444-555555555555' },
      },
    ]);
  });

  it('are read from an enlarged image, whose backup table is not at its end', async () => {
    const { raw } = cloudImage();
    truncateSync(raw, 80 * mib);
    expect(await found(raw)).toHaveLength(3);
  });

  it('are read from a dos table, also in its extended partition', async () => {
    const raw = table(
      'label: dos\nlabel-id: 0x1234abcd\nstart=2048,size=8M,type=83\nstart=20480,size=50M,type=5\nstart=22528,size=16M,type=83\nstart=59392,size=8M,type=8e\n',
    );
    lay(raw, 11, ext4);
    lay(
      raw,
      29,
      (part) => writeFileSync(part, Buffer.from(`${'\0'.repeat(512)}LABELONE${'\0'.repeat(16)}LVM2 001`)),
      8,
    );
    const offsets = sh('sfdisk', '--list', '--output', 'start', raw);
    expect(
      (await found(raw))?.map(({ number, type, content, uuid }) => ({ number, type, content, uuid })),
    ).toEqual([
      { number: 1, type: '83', content: undefined, uuid: '1234abcd-01' },
      { number: 5, type: '83', content: 'ext', uuid: '1234abcd-05' },
      { number: 6, type: '8e', content: 'LVM2_member', uuid: '1234abcd-06' },
    ]);
    for (const { from } of (await found(raw)) ?? []) expect(offsets).toContain(String(from / 512));
  });

  it.each([
    ['ext4', (path: string) => sh('mkfs.ext4', '-q', path)],
    ['vfat, whose first sector is marked like a table', (path: string) => sh('mkfs.vfat', path)],
    ['nothing', () => undefined],
  ])('are empty in an image of %s', async (_, make) => {
    const path = disk.path('whole.raw');
    writeFileSync(path, '');
    truncateSync(path, 16 * mib);
    make(path);
    expect(await found(path)).toBeUndefined();
  });

  it('are refused in a truncated image, and in one with a damaged table', async () => {
    const { raw } = cloudImage();
    truncateSync(raw, 20 * mib);
    expect(String(await rejectionOf(found(raw)))).toContain('partition 3 is not within the 20971520 bytes');
    const damage = (at: number): void => {
      const bytes = readFileSync(raw);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(raw, bytes);
    };
    damage(1024 + 130);
    expect(String(await rejectionOf(found(raw)))).toContain('the checksum of its entries is wrong');
    damage(512 + 60);
    expect(String(await rejectionOf(found(raw)))).toContain('the checksum of its header is wrong');
    damage(512);
    expect(String(await rejectionOf(found(raw)))).toContain('the header of its gpt is missing');
  });
});

describe('the copy of a partition', () => {
  it.each(['raw', 'qcow2'] as const)('of a %s image copies every byte, and is undone', async (format) => {
    const { raw, root } = cloudImage();
    const device = disk.blank('target', 24);
    sh('dd', 'if=/dev/urandom', `of=${device}`, 'bs=1M', 'seek=4', 'count=8', 'conv=notrunc', 'status=none');
    const source = format === 'raw' ? raw : packed(raw);
    const copied = await take(image, { source, format, partition: 3, device }, step.host);

    expect(await copied.run()).toEqual({ device, bytes: 16 * mib });

    expect(sum(readFileSync(device).subarray(0, 16 * mib))).toBe(sum(readFileSync(root)));
    const { texts } = await readRoot(host, { device, directories: ['etc'], files: ['etc/hostname'] });
    expect(texts.get('etc/hostname')).toBe('image\n');
    const changed = () =>
      image.content?.changed({
        undo: copied.undo,
        way: 'back',
        touched: false,
        filled: 'never',
        host: step.host,
      });
    expect(await changed()).toBeUndefined();
    sh('mkfs.ext4', '-q', '-F', device);
    expect(await changed()).toEqual({ found: `${device} does not begin as ${source} does`, fromBytes: true });
    await copied.goBack();
    expect(await probe(host, device)).toBeUndefined();
  });

  it('is refused for a number that the image does not have, and for a device', async () => {
    const { raw } = cloudImage();
    const device = disk.blank('target', 24);
    const of = (source: string, partition: number) =>
      rejectionOf(take(image, { source, format: 'raw', partition, device }, step.host));
    expect(String(await of(raw, 4))).toContain('has no partition 4');
    expect(String(await of(disk.ext4('other').device, 1))).toContain('use one of its partitions');
  });
});
