import { expect, test } from 'vitest';
import { mountsUnder } from '../../../src/blockdevice/index.ts';
import type { FileStat, ReadHost } from '../../../src/command/index.ts';

const directory: FileStat = {
  ...{ kind: 'directory', inode: '2', birth: '7', device: '8:1', size: 0 },
  ...{ mode: 0o755, uid: 0, gid: 0, links: 2 },
};
const root = '22 1 8:1 / / rw - ext4 /dev/a rw\n';
const auto = `${root}30 22 0:40 / /net/home rw - autofs systemd-1 rw,direct\n`;

/** A host where autofs mounts /net/home when a path below it is looked at. */
function host(before: string, below = before): ReadHost {
  let text = before;
  return {
    readFile: () => Promise.resolve(Buffer.from(text)),
    stat: (path: string) => {
      if (path.startsWith('/net/home/')) text = below;
      return Promise.resolve(directory);
    },
  } as Partial<ReadHost> as ReadHost;
}

const slash = { path: '/', type: 'ext4', onlyHidden: true };
const nfs = '31 30 0:41 / /net/home rw - nfs4 server:/home rw\n';

test.each([
  ['the root filesystem', host(root), '/etc/x', { inside: slash }],
  [
    'a mount point',
    host(`${root}31 22 8:2 / /srv rw - ext4 /dev/b rw\n`),
    '/srv',
    { inside: slash, at: { path: '/srv', type: 'ext4', inode: '2', birth: '7' } },
  ],
  [
    'a directory that systemd protects',
    host(`${root}31 22 8:1 /etc /etc ro - ext4 /dev/a rw\n32 31 8:1 /etc/x /etc/x rw - ext4 /dev/a rw\n`),
    '/etc/x/y',
    { inside: slash },
  ],
  [
    'a private /tmp',
    host(`${root}31 22 8:1 /tmp/systemd-private /tmp rw - ext4 /dev/a rw\n`),
    '/tmp/x',
    { inside: { path: '/tmp', type: 'ext4', inode: '2', birth: '7' } },
  ],
  [
    'what autofs mounts at the look',
    host(auto, `${auto}${nfs}`),
    '/net/home/user/x',
    { inside: { path: '/net/home', type: 'nfs4', inode: '2', birth: '7' } },
  ],
  ['what autofs has not mounted', host(auto), '/net/home/x', {}],
])('the mounts of a path: %s', async (_, on, path, expected) => {
  expect(await mountsUnder(on, path)).toEqual(expected);
});
