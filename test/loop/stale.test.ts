import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { directBytesAt } from '../../src/blockdevice/bytes-at.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { reachOf } from '../../src/blockdevice/reach.ts';
import { headerOf } from '../../src/crypt/index.ts';
import { localHost } from '../../src/host/local.ts';
import { tree } from '../../src/stack/index.ts';
import { sh, storage } from './sequence.ts';

// An open device keeps its page cache, and does not see writes that reach it in another way: as DRBD, a mapping
// or a guest writes to the device beneath. Here that way is the file behind a loop device.

const host = localHost();
let disk: ReturnType<typeof storage>;
let lower = '';
let upper = '';

beforeEach(() => {
  disk = storage();
  lower = disk.blank('image', 32);
  upper = sh('losetup', '--find', '--show', lower).trim();
});

afterEach(() => {
  sh('losetup', '--detach', upper);
  disk.clean();
});

/** Has the kernel cache what is on the device, and then changes that beneath it. */
function writtenBeneath(write: (image: string) => void): void {
  sh('dd', `if=${lower}`, 'of=/dev/null', 'bs=1M', 'status=none');
  write(disk.path('image'));
}

describe('a device with new content', () => {
  test('shows its current content, not an older read', async () => {
    writtenBeneath((image) => void sh('mkfs.ext4', '-q', image));
    // The page cache is stale indeed.
    expect(() => sh('blkid', '-p', lower)).toThrow();

    expect(await probe(host, lower)).toMatchObject({ type: 'ext4' });
    expect(await reachOf(host, lower)).toMatchObject({ type: 'ext4', bytes: 32 * 1024 ** 2 });
  });

  test('shows its current content in the tree', async () => {
    writtenBeneath((image) => void sh('mkfs.ext4', '-q', image));
    const { devices } = await tree({ host, device: lower });
    expect(devices.find(({ path }) => path === lower)?.content).toMatchObject({ type: 'ext4' });
  });

  test('shows no content that was removed', async () => {
    sh('mkfs.ext4', '-q', disk.path('image'));
    writtenBeneath((image) => void sh('wipefs', '--all', '--quiet', image));
    expect(sh('blkid', '-p', lower)).toContain('ext4');

    expect(await probe(host, lower)).toBe(undefined);
  });

  test('reads a LUKS2 header past the page cache', async () => {
    writeFileSync(disk.path('key'), 'geheim', { mode: 0o600 });
    const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-file', disk.path('key')];
    writtenBeneath((image) => void sh('cryptsetup', 'luksFormat', '-q', ...quick, image));

    expect(await headerOf(host, lower)).toEqual(await headerOf(host, disk.path('image')));
  });

  test('reads bytes of the device at any offset and length', async () => {
    const bytes = Buffer.from(Array.from({ length: 9000 }, (_, at) => at % 251));
    writtenBeneath((image) => {
      const all = readFileSync(image);
      bytes.copy(all, 5000);
      writeFileSync(image, all);
    });
    const { buffer, byteOffset, byteLength } = await host.run(
      directBytesAt(lower, { from: 5000, count: 9000 }),
    );
    expect(Buffer.from(buffer, byteOffset, byteLength).equals(bytes)).toBe(true);
  });
});
