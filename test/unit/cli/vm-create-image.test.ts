import { beforeEach, describe, expect, test } from 'vitest';
import { type BofhError, RolledBackError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { qcow2, type Qcow2 } from '../../../src/simulator/world/qcow2.ts';
import { simulatedBofh } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const mib = 1024 ** 2;
const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const superblock = {
  ...({ type: 'ext4', usage: 'filesystem', uuid, version: '1.0', blockSize: 4096, blocks: 4096 } as const),
  features: ['metadata_csum'],
};
const files = {
  'etc/hostname': 'template\n',
  'etc/ssh/ssh_host_rsa_key': 'of the template\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'usr/sbin/sshd': 'x',
  'srv/data': 'kept\n',
};

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
});

const give = (image: Partial<Qcow2> = {}): void =>
  host.admin.writeFile('/srv/web.qcow2', qcow2({ size: 16 * mib, superblock, files, ...image }));

async function create(words: string) {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host, site: bofhOn(host).site }), { json: true });
  await runVerb(runtime, `vm create web1 ${words}`);
  return JSON.parse(stdout()) as { readonly root: string; readonly hostKey: string | null };
}

describe('vm create --source image:FILE', () => {
  test('copies the image, grows it, and gives it a UUID, a name and keys of its own', async () => {
    give();

    const { root, hostKey } = await create('--source image:/srv/web.qcow2 --size 64m --swap 16m');

    const storage = `lv:${host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.uuid ?? ''}`;
    const copy = host.world.live.get(storage)?.superblock;
    expect(copy?.blocks).toBe((64 * mib) / 4096);
    expect(copy?.uuid).not.toBe(uuid);
    host.admin.mount(root, '/mnt');
    const text = (path: string) => host.admin.readFile(`/mnt/${path}`);
    expect([text('etc/hostname'), text('srv/data'), text('etc/machine-id')]).toEqual([
      'web1\n',
      'kept\n',
      '',
    ]);
    expect(text('etc/fstab')).toMatch(new RegExp(`^UUID=${copy?.uuid ?? ''} / ext4 .*\nUUID=\\S+ none swap`));
    expect(await host.stat('/mnt/etc/ssh/ssh_host_rsa_key')).toBeUndefined();
    expect(hostKey).toMatch(/^SHA256:/);
  });

  test('is as large as the image without --size', async () => {
    give();
    await create('--source image:/srv/web.qcow2');
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.extents).toBe(4);
  });

  test.each<readonly [string, Partial<Qcow2>, string, RegExp]>([
    ['that needs another file', { backing: '/etc/shadow' }, '', /needs other files: \/etc\/shadow/],
    ['that is truncated', { truncated: true }, '', /damaged or truncated/],
    ['that is encrypted', { encrypted: true }, '', /is encrypted/],
    ['larger than --size', { size: 128 * mib }, '--size 64m', /more than --size 64 MiB/],
  ])('refuses an image %s, and changes nothing', async (_, image, words, why) => {
    give(image);
    const before = host.snapshot();
    const error = (await rejectionOf(create(`--source image:/srv/web.qcow2 ${words}`.trim()))) as BofhError;
    expect(error.message).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('refuses a name without a format, and an archive without a size', async () => {
    expect(String(await rejectionOf(create('--source image:/srv/web.vmdk')))).toContain('the format of');
    expect(String(await rejectionOf(create('--source tar:/srv/debian.tar')))).toContain('--size is missing');
    expect(String(await rejectionOf(create('--source image:/srv/x.raw --size 1g --drbd b')))).toContain(
      'image',
    );
  });

  test('undoes the copy of an image with another filesystem', async () => {
    give({ superblock: { ...superblock, type: 'xfs' } });
    const before = host.snapshot();
    const error = await rejectionOf(create('--source image:/srv/web.qcow2 --size 64m'));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain('must be one ext4 without a partition table');
    expect(host.snapshot()).toBe(before);
  });
});
