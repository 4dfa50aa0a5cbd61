import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { defineHost, provision, type HostBuilder } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const apply = (host: SimulatedHost, describe: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(describe)));

const release = { git: 'https://git.example.org/shop.git', revision: 'v2.1' };
const sha256 = 'ab'.repeat(32);

describe('h.release', () => {
  it('creates its directories, the release, the link and removes old ones, in this order', async () => {
    const host = simulatedHost();
    const changes = await apply(host, (h) => {
      h.release('/srv/shop', { ...release, keep: 3 });
      h.directory('/srv/shop', { mode: 0o750 });
    });
    expect(changes.map(({ kind, name, details }) => [kind, name, ...details])).toEqual([
      ['directory', '/srv/shop', 'mode 0750'],
      ['directory', '/srv/shop/releases'],
      ['script', 'release-srv-shop'],
      ['link', '/srv/shop/current', expect.stringMatching(/releases\/v2\.1-[\da-f]{8}$/)],
      ['script', 'old-releases-srv-shop', 'after all other steps; cannot be undone'],
    ]);
  });

  it('has another directory for another source, build or user', async () => {
    const names = new Set<string>();
    for (const more of [
      {},
      { git: 'https://git.example.org/other.git' },
      { revision: 'v2.2' },
      { build: 'make' },
      { build: ['make'] },
      { user: 'shop' },
    ]) {
      const changes = await apply(simulatedHost(), (h) => h.release('/srv/shop', { ...release, ...more }));
      names.add(changes.find(({ kind }) => kind === 'link')?.details.join() ?? '');
    }
    expect(names.size).toBe(6);
  });

  it.each([
    ['/srv/a-b/c', '/srv/a/b-c'],
    [`/srv/${'a'.repeat(70)}1`, `/srv/${'a'.repeat(70)}2`],
    ['/srv/shop x', '/srv/shop/x'],
  ])('has its own scripts beside another one: %s, %s', async (one, other) => {
    const host = simulatedHost();
    for (const path of [one, other]) host.admin.mkdir(dirname(path));
    const changes = await apply(host, (h) => {
      h.release(one, release);
      h.release(other, release);
    });
    const scripts = changes.filter(({ kind }) => kind === 'script');
    expect(new Set(scripts.map(({ name }) => name)).size).toBe(2);
  });

  it('is undone with the rest', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    await rejectionOf(
      apply(host, (h) => {
        h.release('/srv/shop', release);
        h.ensure.mount.mount({ device: '/dev/none', path: '/mnt', mode: 'rw' });
      }),
    );
    expect(host.points.some(({ tool }) => tool === 'sh')).toBe(true);
    expect(host.snapshot()).toBe(before);
  });

  it.each<readonly [string, object, string]>([
    ['no source', {}, 'needs either git and revision, or archive and sha256'],
    ['two sources', { ...release, archive: 'https://example.org/a.tar', sha256 }, 'needs either git'],
    ['git without a revision', { git: release.git }, 'needs either git'],
    ['an archive without a checksum', { archive: 'https://example.org/a.tar' }, 'needs either git'],
    ['an archive over http', { archive: 'http://example.org/a.tar', sha256 }, 'must be https://'],
    ['a short checksum', { archive: 'https://example.org/a.tar', sha256: 'ab' }, '64 hexadecimal digits'],
    ['a password', { ...release, git: 'https://me:secret@git.example.org/a.git' }, 'must have no password'],
    ['an option of git', { ...release, git: '--upload-pack=x' }, 'must be a URL or path'],
    ['a revision that is an option', { ...release, revision: '-x' }, 'must be a tag or a commit'],
    ['a revision with ..', { ...release, revision: 'a..b' }, 'must be a tag or a commit'],
    ['to keep none', { ...release, keep: 0 }, 'keep'],
    ['an empty build', { ...release, build: ' ' }, 'build'],
  ])('refuses %s before anything runs', async (_, request, said) => {
    const host = simulatedHost();
    const error = await rejectionOf(apply(host, (h) => h.release('/srv/shop', request)));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(said);
    expect(host.changes).toEqual([]);
  });

  it('refuses two releases of one directory', async () => {
    const twice = (h: HostBuilder): void => {
      h.release('/srv/shop', release);
      h.release('/srv/shop', { ...release, revision: 'v2.2' });
    };
    await expect(apply(simulatedHost(), twice)).rejects.toThrow('the description contradicts itself');
  });
});
