import { beforeEach, describe, expect, test } from 'vitest';
import type { Download } from '../../../src/command/index.ts';
import { vm, withBofh } from '../../../src/index.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { qcow2 } from '../../../src/simulator/tools/copy/qemu-img.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';

const url = 'https://localhost/images/debian-12.qcow2';
const sum = 'ab'.repeat(32);
const path = `/var/cache/bofh-images/debian-12-${sum.slice(0, 32)}.qcow2`;
const superblock = {
  ...({ type: 'ext4', usage: 'filesystem', version: '1.0', blockSize: 4096, blocks: 4096 } as const),
  ...{ uuid: '5e1f0000-0000-4000-8000-00000000000a', features: ['metadata_csum'] },
};
const image = qcow2({ size: 16 * 1024 ** 2, superblock, files: { 'etc/hostname': 'x\n' } });
const guest = { name: 'web1', memory: '128m', kernel: '/boot/k', ramdisk: '/boot/r' };

let host: SimulatedHost;
let downloads: Download[];
beforeEach(() => {
  host = hostWithSource();
  host.admin.writeFile('/boot/k', 'k');
  host.admin.writeFile('/boot/r', 'r');
  downloads = [];
});

/** The host, as one that downloads; `content` is the file of every address. */
function bofh(content: Uint8Array = image) {
  const download = (of: Download): Promise<void> => {
    downloads.push(of);
    host.admin.mkdir('/var/cache/bofh-images');
    host.admin.writeFile(of.path, content);
    of.onProgress?.(0.5);
    return Promise.resolve();
  };
  Object.assign(host, { download });
  return bofhOn(host);
}

const create = (source: object, more: object = {}) =>
  withBofh(bofh(), () => vm.create({ ...guest, ...more, source } as Parameters<typeof vm.create>[0]));

describe('a guest from a downloaded image', () => {
  test.each([
    ['a sha256', `sha256:${sum}`, 'sha256', sum],
    ['a sha256 in capitals', `sha256:${sum.toUpperCase()}`, 'sha256', sum],
    ['a sha512', `sha512:${'cd'.repeat(64)}`, 'sha512', 'cd'.repeat(64)],
    ['SHA256SUMS', '/srv/SHA256SUMS', 'sha256', sum],
    ['SHA512SUMS with --tag', '/srv/SHA512SUMS', 'sha512', 'cd'.repeat(64)],
  ])('is checked by %s', async (_, checksum, algorithm, wanted) => {
    host.admin.writeFile('/srv/SHA256SUMS', `${'ef'.repeat(32)}  other.qcow2\n${sum} *./debian-12.qcow2\n`);
    host.admin.writeFile('/srv/SHA512SUMS', `SHA512 (debian-12.qcow2) = ${'cd'.repeat(64)}\n`);
    const created = await create({ type: 'https', url, checksum });
    expect(downloads).toMatchObject([{ url, algorithm, checksum: wanted }]);
    expect(created.source).toBe(downloads[0]?.path);
  });

  test('is downloaded once, listed, and removed', async () => {
    const source = { type: 'https', url, checksum: `sha256:${sum}` };
    await create(source);
    await create(source, { name: 'web2' });
    expect(downloads).toHaveLength(1);

    const own = {
      name: path.replace(/.*\//, ''),
      suite: undefined,
      date: undefined,
      path,
      size: image.length,
    };
    const listed = await withBofh(bofh(), () => vm.bases());
    expect(listed).toEqual([own]);
    expect(await withBofh(bofh(), () => vm.removeBase(own.name))).toEqual(own);
    expect(await host.stat(path)).toBeUndefined();
  });

  test('may be a qcow2 with the name .img, as those of Ubuntu', async () => {
    const source = { type: 'https', url: url.replace('qcow2', 'img'), checksum: `sha256:${sum}` };
    expect((await create(source)).source).toMatch(/\.img$/);
  });

  test('is not downloaded for an existing guest', async () => {
    host.admin.writeFile('/srv/other.qcow2', image);
    await create({ type: 'image', path: '/srv/other.qcow2' });
    const error = await rejectionOf(create({ type: 'https', url, checksum: `sha256:${sum}` }));
    expect(error).toMatchObject({ code: 'exists' });
    expect(downloads).toEqual([]);
  });

  test.each([
    [{ url }, /checksum of https:\/\/localhost\S+ is missing/],
    [{ url: 'http://localhost/x.qcow2', checksum: `sha256:${sum}` }, /url: must be an address such as https/],
    [{ url: 'https://me:secret@localhost/x.qcow2', checksum: `sha256:${sum}` }, /without a password/],
    [{ url: `${url}?token=secret`, checksum: `sha256:${sum}` }, /without a password and a query/],
    [{ url, checksum: 'sha256:abc' }, /must be sha256: with 64/],
    [{ url, checksum: 'md5:0123' }, /must be sha256: with 64/],
    [{ url: 'https://localhost/x.tar.xz', checksum: `sha256:${sum}` }, /must end with the name of an image/],
    [
      { url: 'https://localhost/..%2fx.qcow2', checksum: `sha256:${sum}` },
      /must end with the name of an image/,
    ],
    [{ url, checksum: '/srv/none' }, /no such|not there|No such/i],
    [{ url, checksum: '/srv/SUMS' }, /has no sha256 or sha512 of debian-12\.qcow2/],
    [{ url, checksum: '/srv/TWICE' }, /has several different checksums of debian-12\.qcow2/],
  ])('is refused with %j, and nothing is downloaded', async (source, why) => {
    host.admin.writeFile('/srv/SUMS', `${sum}  other.qcow2\n`);
    host.admin.writeFile('/srv/TWICE', `${sum}  a/debian-12.qcow2\n${'ef'.repeat(32)}  b/debian-12.qcow2\n`);
    const before = host.snapshot();
    const error = await rejectionOf(create({ type: 'https', ...source }));
    expect(String(error)).toMatch(why);
    expect(String(error)).not.toContain('secret');
    expect(downloads).toEqual([]);
    expect(host.snapshot()).toBe(before);
  });

  test('is not downloaded by a plan, or to another host', async () => {
    const source = { type: 'https', url, checksum: `sha256:${sum}` } as const;
    const asked = () => rejectionOf(withBofh(bofhOn(host), () => vm.create({ ...guest, source })));
    expect(await asked()).toMatchObject({
      message: expect.stringContaining('a plan downloads nothing') as string,
    });
    Object.assign(host, { name: 'alpha' });
    expect(await asked()).toMatchObject({ remedy: 'on alpha: the same command without --host' });
  });

  test('by the command line shows the progress', async () => {
    const { runtime } = testRuntime(bofh());
    const told: unknown[] = [];
    const engine = {
      ...runtime.bofh?.engine,
      onProgress: (step: unknown, progress: unknown) => told.push([step, progress]),
    };
    Object.assign(runtime, { bofh: { ...runtime.bofh, engine } });
    await runVerb(
      runtime,
      `vm create web1 --source ${url} --checksum sha256:${sum} --kernel /boot/k --ramdisk /boot/r`,
    );
    expect(told[0]).toEqual([
      { n: 0, kind: 'vm.create' },
      { command: { tool: 'download', argv: [url] }, fraction: 0.5 },
    ]);
  });

  test.each([
    [`--source ${url}`, /--checksum of \S+ is missing/],
    ['--source http://localhost/x.qcow2 --checksum sha256:00', /bofh downloads only over https/],
    [`--source image:/srv/x.qcow2 --checksum sha256:${sum}`, /--checksum is for --source https/],
  ])('by the command line is refused with %s', async (words, why) => {
    const { runtime } = testRuntime(bofh());
    expect(String(await rejectionOf(runVerb(runtime, `vm create web1 ${words}`)))).toMatch(why);
  });
});
