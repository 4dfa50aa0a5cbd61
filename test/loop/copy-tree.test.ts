import {
  appendFileSync,
  chownSync,
  cpSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTree } from '../../src/copy/index.ts';
import { unpack } from '../../src/copy/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let source: string;
let root: string;
let device: string;
let filesystem: string;

beforeEach(() => {
  disk = storage();
  [source, root] = [disk.makeDir('source'), disk.makeDir('root')];
  ({ device, filesystem } = disk.ext4('a.img', { mebibytes: 64 }));
  sh('mount', device, root);
  const at = (path: string) => join(source, path);
  for (const path of ['etc', 'var', 'lost+found']) mkdirSync(at(path));
  writeFileSync(at('etc/hostname'), 'old\n', { mode: 0o640 });
  chownSync(at('etc/hostname'), 7, 8);
  utimesSync(at('etc/hostname'), 978_307_200.5, 978_307_200.123456);
  linkSync(at('etc/hostname'), at('var/same'));
  symlinkSync('/proc/mounts', at('etc/mtab'));
  writeFileSync(at('a b\n\\x'), 'odd');
  cpSync('/bin/true', at('ping'));
  truncateSync(at('ping'), 4096);
  sh('setcap', 'cap_net_raw+ep', at('ping'));
  writeFileSync(at('su'), 'x');
  sh('chmod', '4755', at('su'));
  sh('setfattr', '--name=trusted.colour', '--value=blue', at('var'));
  sh('setfacl', '--modify=user:7:r', at('su'));
  writeFileSync(at('sparse'), '');
  truncateSync(at('sparse'), 200 * 1024 * 1024);
  sh('mknod', at('null'), 'c', '1', '3');
  sh('mkfifo', at('pipe'));
  writeFileSync(at('lost+found/found'), 'of the check');
});
afterEach(() => disk.clean());

/** All that an exact copy has. */
const listing = (at: string) => {
  const files = sh('find', at, '-printf', '%P %y %m %U %G %n %T@ %l\n', '-name', 'lost+found', '-prune');
  const attributes = sh(
    'sh',
    '-c',
    'cd "$1" && getfattr --recursive --dump --match=- --no-dereference .',
    'sh',
    at,
  );
  return [
    ...files.split('\n').filter((line) => !line.startsWith('lost+found')),
    ...attributes.split('\n\n'),
  ].toSorted();
};
const asked = () => ({ source, root, device, filesystem, files: [] });
const run = (engine = testEngine(disk.path('state'))) => sequence(engine, (tx) => tx.step(unpack, asked()));

describe('a directory as the source of a root', () => {
  it('is copied with owners, modes, times, links, holes, ACLs, attributes and capabilities', async () => {
    const before = listing(source);

    await run();

    expect(listing(root)).toEqual(before);
    expect(listing(source)).toEqual(before);
    expect(before.join()).toMatch(/security.capability.*system.posix_acl_access.*trusted.colour/s);
    expect(sh('stat', '--format=%b', join(root, 'sparse'))).toBe('0\n');
    expect(sh('find', root, '-name', 'found')).toBe('');
    expect(sh('getcap', join(root, 'ping'))).toContain('cap_net_raw=ep');
  });

  it.each(['a file that is read', 'a file that comes'])(
    'is an error if it changes meanwhile: %s',
    async (what) => {
      const path = join(source, what === 'a file that comes' ? 'etc/new' : 'etc/hostname');
      writeFileSync(join(source, 'large'), Buffer.alloc(24 * 1024 * 1024, 1));
      let changes = 0;
      const engine = {
        ...testEngine(disk.path('state')),
        onProgress: (_: unknown, { command }: { readonly command: { readonly argv: readonly string[] } }) => {
          if (command.argv.includes('--create') && (changes += 1) === 1) appendFileSync(path, 'more\n');
        },
      };

      expect(String(await rejectionOf(run(engine)))).toMatch(
        /failed and was rolled back: .*(?:changed while it was copied|file changed as we read it)/,
      );
      expect(changes).toBeGreaterThan(0);
      expect(sh('find', root, '-mindepth', '1', '-not', '-name', 'lost+found')).toBe('');
    },
  );

  it('is undone if it is too large', async () => {
    writeFileSync(join(source, 'large'), Buffer.alloc(70 * 1024 * 1024, 1));

    expect(String(await rejectionOf(run()))).toMatch(/no.space|No space left on device|Wrote only/i);
    expect(sh('find', root, '-mindepth', '1', '-not', '-name', 'lost+found')).toBe('');
  });

  it('is refused if it contains a mount', async () => {
    sh('mount', '--types', 'tmpfs', 'tmpfs', join(source, 'var'));

    expect(String(await rejectionOf(readTree(localHost(), source)))).toMatch(
      /source\/var is mounted in .*source,/,
    );
  });
});
