import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { recover, vm, withBofh } from '../../../src/index.ts';
import { mmdebstrap } from '../../../src/copy/mmdebstrap.ts';
import { commandLine } from '../../../src/command/index.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';

const today = new Date().toISOString().slice(0, 10);
const directory = '/var/cache/bofh-bases';
const path = `${directory}/debian-bookworm-amd64-${today}.tar`;

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
});

const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(bofhOn(host), body);
const grub = (): void => host.admin.writeFile('/usr/lib/grub-xen/grub-x86_64-xen.bin', 'grub');
const guest = { name: 'web1', source: 'debian:bookworm', size: '64m', memory: '128m' } as const;

describe('a Debian for new guests', () => {
  test('is installed once a day, listed, and removed', async () => {
    expect(await on(() => vm.bases())).toEqual([]);

    const made = await on(() => vm.createBase('bookworm', { packages: ['vim'] }));

    expect(made).toMatchObject({ name: `bookworm-${today}`, suite: 'bookworm', date: today, path });
    expect(await on(() => vm.bases())).toEqual([made]);
    expect(await rejectionOf(on(() => vm.createBase('bookworm')))).toMatchObject({ code: 'exists' });

    expect(await on(() => vm.removeBase(made.name))).toEqual(made);
    expect(await on(() => vm.bases())).toEqual([]);
    const error = await rejectionOf(on(() => vm.removeBase(made.name)));
    expect(error).toMatchObject({ code: 'not-found', remedy: 'bofh vm base list' });
  });

  test('of an unknown release leaves nothing behind, and prints what mmdebstrap said', async () => {
    const before = host.snapshot();

    const error = await rejectionOf(on(() => vm.createBase('slink')));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain('slink Release');
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['trixie', { mirror: 'http://root:secret@mirror/debian' }, 'mirror: must have no password'],
    ['trixie', { mirror: '--help' }, 'mirror: must be a URL'],
    ['trixie', { packages: ['vim', '--help'] }, 'must be the name of a package'],
    ['--help', {}, 'suite: must be the code name of a release'],
  ])('of %s with %j is refused before anything happens', async (suite, options, said) => {
    const before = host.snapshot();

    const error = await rejectionOf(on(() => vm.createBase(suite, options)));

    expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining(said) as string });
    expect(String(error)).not.toContain('secret');
    expect(host.snapshot()).toBe(before);
  });

  test('with a wrong setting of the site is refused before anything happens', async () => {
    const before = host.snapshot();
    const bofh = bofhOn(host);
    const site = { ...bofh.site, debianMirror: 'http://root:secret@mirror/debian' };

    const error = await rejectionOf(withBofh({ ...bofh, site }, () => vm.createBase('trixie')));

    expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining('mirror: ') as string });
    expect(host.snapshot()).toBe(before);
  });

  test('is not loaded by GRUB if a ramdisk is named: that needs a kernel', async () => {
    await on(() => vm.createBase('bookworm'));

    const error = await rejectionOf(on(() => vm.create({ ...guest, ramdisk: '/boot/initrd' })));

    expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining('kernel') as string });
    expect(String(error)).not.toContain('grub');
  });

  test('from an mmdebstrap that exits 0 with half an archive is rolled back', async () => {
    host.fault({ tool: 'unshare', mode: 'no effect, exit 0' });

    const error = await rejectionOf(on(() => vm.createBase('bookworm')));

    expect(String(error)).toContain('wrote no complete archive');
    expect(await host.stat(directory)).toBeUndefined();
  });

  test('becomes the root of a guest, which boots its own kernel', async () => {
    grub();
    host.admin.mkdir(directory);
    host.admin.writeFile(`${directory}/debian-bookworm-amd64-2026-01-01.tar`, 'an older one');
    await on(() => vm.createBase('bookworm'));

    const made = await on(() => vm.create(guest));

    expect(made.source).toBe(path);
    expect(host.admin.readFile(made.config)).toContain('grub-x86_64-xen.bin');
    host.admin.mount(made.root, '/mnt');
    expect(host.admin.readFile('/mnt/etc/hostname')).toBe('web1\n');
    expect(host.admin.readFile('/mnt/boot/grub/grub.cfg')).toContain('/vmlinuz');
  });

  test('that is missing is refused with the command that installs it, and then the same works', async () => {
    grub();
    const before = host.snapshot();

    const error = await rejectionOf(on(() => vm.create(guest)));

    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      code: 'not-found',
      remedy: 'bofh vm base create bookworm; then run the command again',
    });
    expect(host.snapshot()).toBe(before);
    await on(() => vm.createBase('bookworm'));
    await on(() => vm.create(guest));
  });

  test('is not needed once the guest exists: --ensure changes nothing', async () => {
    grub();
    await on(() => vm.createBase('bookworm'));
    await on(() => vm.create(guest));
    await on(() => vm.removeBase(`bookworm-${today}`));

    expect(
      await on(async () => (await import('../../../src/index.ts')).ensure.vm.create(guest)),
    ).toMatchObject({
      changed: false,
    });
    expect(await on(() => recover())).toMatchObject({});
  });
});

test.each([
  ['', 'http= https='],
  ['http DIRECT', 'http= https='],
  ['http http://a:3142', 'http=http://a:3142 https='],
  ['https http://me:secret@b:1', 'http= https=http://me:secret@b:1'],
])('mmdebstrap gets the proxy of apt: %s', (setting, proxies) => {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-proxy-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [name = '', value = ''] = setting.split(' ');
  const answer = name === '' ? '' : `echo "${name}='${value}'"`;
  writeFileSync(join(directory, 'apt-config'), `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
  const { stdin } = mmdebstrap({ suite: 'trixie', file: '/srv/x', work: '/srv/y' });
  if (!(stdin instanceof Uint8Array)) throw new TypeError('it reads no script');
  const words = ['-s', '--', 'sh', '-c', 'cat; echo "http=$http_proxy https=$https_proxy"'];
  const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}` };
  expect(execFileSync('sh', words, { input: stdin, env, encoding: 'utf8' })).toBe(`${proxies}\n`);
});

test('mmdebstrap gets its packages, keys and mirror, and a temporary directory of the step', () => {
  const at = { suite: 'trixie', file: '/srv/.bofh-x', work: '/srv/.bofh-x.d' };

  expect(commandLine(mmdebstrap(at))).toBe(
    'unshare --mount env TMPDIR=/srv/.bofh-x.d sh -s -- mmdebstrap --format=tar --architectures=amd64 trixie /srv/.bofh-x',
  );
  const all = { packages: ['vim', 'sudo'], mirror: 'http://localhost/debian', keyring: '/srv/k.gpg' };
  expect(commandLine(mmdebstrap({ ...at, ...all }))).toBe(
    'unshare --mount env TMPDIR=/srv/.bofh-x.d sh -s -- mmdebstrap --format=tar --architectures=amd64 --include=vim,sudo --keyring=/srv/k.gpg trixie /srv/.bofh-x http://localhost/debian',
  );
});
