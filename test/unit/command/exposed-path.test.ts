import { describe, expect, it } from 'vitest';
import { exposedOn, type FileStat, type LastName } from '../../../src/command/index.ts';

type Entry = Partial<Pick<FileStat, 'kind' | 'mode' | 'uid'>> & { readonly to?: string };

const user = 1000;

/** A host with these names and no others; what is not said of one is that of a directory of root. */
function hostWith(entries: Readonly<Record<string, Entry>>, name = '') {
  const all: Readonly<Record<string, Entry>> = { '/': {}, ...entries };
  return {
    name,
    stat: async (path: string): Promise<FileStat | undefined> => {
      const entry = all[path];
      if (entry === undefined) return undefined;
      const kind = entry.kind ?? (entry.to === undefined ? 'directory' : 'symlink');
      const mode = entry.mode ?? (kind === 'symlink' ? 0o777 : 0o755);
      const rest = { inode: '1', device: '8:1', size: 0, gid: 0, links: 1 };
      return { ...rest, kind, mode, uid: entry.uid ?? 0 };
    },
    readLink: async (path: string): Promise<string> => all[path]?.to ?? '',
  };
}

async function exposed(
  entries: Readonly<Record<string, Entry>>,
  path: string,
  last: LastName = 'there',
  host = '',
) {
  return (await exposedOn(hostWith(entries, host), path, last, user))?.at;
}

const file: Entry = { kind: 'file', mode: 0o644 };
const sticky: Entry = { mode: 0o1777 };

describe('a path that root uses', () => {
  it('is safe where every directory belongs to root and only root can write it', async () => {
    expect(await exposed({ '/srv': {}, '/srv/a': file }, '/srv/a')).toBeUndefined();
    expect(await exposed({ '/srv': {} }, '/srv/a', 'new')).toBeUndefined();
  });

  it.each<[string, Readonly<Record<string, Entry>>]>([
    ['belongs to another user', { '/srv': { uid: 33 } }],
    ['can be written by a group', { '/srv': { mode: 0o775 } }],
    ['can be written by everybody', { '/srv': { mode: 0o777 } }],
    ['is a sticky directory of another user', { '/srv': { uid: 33, mode: 0o1777 } }],
  ])('is exposed when a directory above it %s', async (_, entries) => {
    const all = { ...entries, '/srv/deep': {}, '/srv/deep/a': file };
    for (const last of ['new', 'there', 'content'] as const)
      expect(await exposed(all, '/srv/deep/a', last)).toBe('/srv');
  });

  it('trusts the user who runs bofh on this host, and on another host root alone', async () => {
    const own = { '/home': {}, '/home/me': { uid: user }, '/home/me/a': { ...file, uid: user } };
    expect(await exposed(own, '/home/me/a', 'content')).toBeUndefined();
    expect(await exposed(own, '/home/me/a', 'content', 'web2')).toBe('/home/me');
  });

  it('may be in a sticky directory, if the entry belongs to root', async () => {
    expect(await exposed({ '/tmp': sticky }, '/tmp/a', 'new')).toBeUndefined();
    expect(await exposed({ '/tmp': sticky, '/tmp/a': file }, '/tmp/a')).toBeUndefined();
    expect(await exposed({ '/tmp': sticky, '/tmp/d': {}, '/tmp/d/a': file }, '/tmp/d/a')).toBeUndefined();
  });

  it.each<[string, Entry, string]>([
    ['a file', { ...file, uid: 33 }, '/tmp/d'],
    ['a symbolic link', { to: '/etc', uid: 33 }, '/tmp/d/passwd'],
    ['a directory', { uid: 33 }, '/tmp/d/a'],
  ])('is exposed where another user put %s into a sticky directory', async (_, entry, path) => {
    expect(await exposed({ '/tmp': sticky, '/tmp/d': entry, '/etc': {} }, path)).toBe('/tmp/d');
  });

  it('may lead through symbolic links of root, whose targets are checked too', async () => {
    const links = { '/srv': { to: 'data/../data/x' }, '/data': {}, '/data/x': {}, '/data/x/a': file };
    expect(await exposed(links, '/srv/a')).toBeUndefined();
    expect(await exposed({ ...links, '/data/x': { uid: 33 } }, '/srv/a')).toBe('/data/x');
    expect(await exposed({ '/a': { to: '/b' }, '/b': { to: '/a' } }, '/a')).toBe('/a');
  });

  it('may end in a file of another user, unless its content matters', async () => {
    const other = { '/srv': {}, '/srv/a': { ...file, uid: 33 } };
    expect(await exposed(other, '/srv/a', 'there')).toBeUndefined();
    expect(await exposed(other, '/srv/a', 'content')).toBe('/srv/a');
    const writable = { '/srv': {}, '/srv/a': { ...file, mode: 0o666 } };
    expect(await exposed(writable, '/srv/a', 'there')).toBeUndefined();
    expect(await exposed(writable, '/srv/a', 'content')).toBe('/srv/a');
  });
});
