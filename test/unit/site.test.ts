import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/core/errors.ts';
import { localHost } from '../../src/host/local.ts';
import { defaultSite, findSite, parseSite, siteFileHere } from '../../src/site.ts';

describe('a site file', () => {
  it('has a default for every key', () => {
    expect(parseSite({}, 'x')).toEqual(defaultSite);
    expect(defaultSite.guestConfigDirs).toEqual(['/etc/xen']);
  });

  it('names the nearest known key for an unknown one', () => {
    expect(() => parseSite({ volumeGruop: 'vg0' }, '/etc/bofh/site-specific.json')).toThrow(
      /site-specific\.json: unknown setting "volumeGruop"; did you mean "volumeGroup"\?/,
    );
  });

  it.each([
    [{ guestConfigDirs: ['etc/xen'] }, /guestConfigDirs\.0: must be an absolute path/],
    [{ guestConfigDirs: [] }, /guestConfigDirs/],
    [{ diskNaming: { root: 'root', swap: '{name}-swap' } }, /diskNaming\.root: must hold \{name\} once/],
    [{ volumeGroup: 7 }, /volumeGroup/],
    ['vg0', /x: /],
    [null, /x: /],
  ])('is refused with %j', (value, message) => {
    expect(() => parseSite(value, 'x')).toThrow(UsageError);
    expect(() => parseSite(value, 'x')).toThrow(message);
  });
});

describe('the search for a site file', () => {
  const host = localHost();
  const uid = process.getuid?.() ?? 0;
  // Not below /tmp, which others can write: that is what is tested.
  const base = process.env.HOME ?? '/root';
  let directory = '';
  let file = '';

  beforeEach(() => {
    directory = mkdtempSync(join(base, '.bofh-test-'));
    file = join(directory, 'site.json');
    writeFileSync(file, '{}', { mode: 0o644 });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('finds the named one', async () => {
    expect(await findSite(host, file, uid)).toBe(file);
  });

  it('reports that the named one is missing', async () => {
    await expect(findSite(host, `${file}x`, uid)).rejects.toThrow(/there is no site file/);
  });

  it('refuses a file that others can write', async () => {
    chmodSync(file, 0o646);
    await expect(findSite(host, file, uid)).rejects.toThrow(
      /is refused: it is code that bofh runs as you, and .*site\.json can be written by others/,
    );
  });

  it('refuses a path that cannot be read', () => {
    expect(() => siteFileHere('/dev/null/site.json')).toThrow(UsageError);
    expect(() => siteFileHere('/dev/null/site.json')).toThrow(
      /the site file \/dev\/null\/site.json cannot be read: ENOTDIR/,
    );
  });

  it('refuses a device, without advice to change its permissions', async () => {
    const refused = { message: expect.stringContaining('/dev/null is not a regular file') as string };
    await expect(findSite(host, '/dev/null', uid)).rejects.toMatchObject({
      ...refused,
      remedy: 'name a regular file, not /dev/null',
    });
    expect(() => siteFileHere('/dev/null')).toThrow('/dev/null is not a regular file');
  });

  it('refuses a file in a folder that the group can write', async () => {
    chmodSync(directory, 0o775);
    await expect(findSite(host, file, uid)).rejects.toThrow(/can be written by others \(mode 775\)/);
  });

  it.runIf(uid === 0)('refuses a file of another user', async () => {
    chownSync(file, 12_345, 0);
    await expect(findSite(host, file, uid)).rejects.toThrow(/site\.json belongs to user 12345/);
  });

  it('checks the target of a symbolic link', async () => {
    const open = join(directory, 'open');
    mkdirSync(open);
    writeFileSync(join(open, 'site.json'), '{}');
    chmodSync(open, 0o777);
    symlinkSync(join(open, 'site.json'), join(directory, 'link.json'));
    await expect(findSite(host, join(directory, 'link.json'), uid)).rejects.toThrow(
      /open can be written by others/,
    );
  });

  it('refuses a loop of links', async () => {
    symlinkSync(join(directory, 'a'), join(directory, 'b'));
    symlinkSync(join(directory, 'b'), join(directory, 'a'));
    await expect(findSite(host, join(directory, 'a'), uid)).rejects.toThrow(/too many symbolic links/);
  });
});
