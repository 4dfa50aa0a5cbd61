import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { resolve } from '../../../src/simulator/world/resolve.ts';
import { inodeOf } from '../../../src/simulator/world/tree.ts';

const content = 'Geheim';
const directory = '/srv/d';
const path = `${directory}/key`;

const rows: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
  ['0600 instead of 0666', (tx) => tx.file.change({ path, content, mode: 0o600 })],
  ['another ACL', (tx) => tx.file.change({ path, content, mode: 0o640, acl: ['user:0:r--'] })],
  ['another owner', (tx) => tx.file.change({ path, content, mode: 0o600, uid: 33, gid: 33 })],
  ['0640 and no ACL', (tx) => tx.file.change({ path, content, mode: 0o640, acl: [] })],
  ['a new file', (tx) => tx.file.create({ path: `${path}2`, content, mode: 0o640, acl: [] })],
  [
    'a new file of others',
    (tx) => tx.file.create({ path: `${path}2`, content, mode: 0o640, acl: [], uid: 33, gid: 33 }),
  ],
];

it.each(rows)('%s: a secret is never readable by others, under any name', async (_, act) => {
  const host = simulatedHost();
  host.admin.mkdir(directory);
  host.admin.writeFile(path, 'old', 0o666);
  host.admin.setAcl(path, 'user::rw-,user:7:rwx,group::rw-,mask::rwx,other::rw-');
  const inherited = 'user::rwx,user:8:rwx,group::rwx,mask::rwx,other::rwx';
  host.admin.setAcl(directory, 'user::rwx,group::r-x,other::r-x', inherited);

  const seen = new Set<string>();
  host.faults.watch(() => {
    const inside = resolve(host.world, directory, 'keep');
    if (!inside.found) throw new Error('the directory is gone');
    for (const [name, ino] of inside.inode.entries ?? []) {
      const { content: now = '', mode, acl } = inodeOf(inside.tree, ino);
      if (Buffer.from(now).toString() !== content) continue;
      const listed = acl === undefined || acl === 'unread' ? [] : acl.access;
      const others = listed.filter((entry) => /^user:[78]:r/.test(entry) && (mask(mode) & 4) !== 0);
      if ((mode & 7) !== 0 || others.length > 0)
        seen.add(`${name}: mode ${mode.toString(8)} ${others.join(' ')}`);
    }
  });
  await withBofh(simulatedBofh({ host }), () => atomic('x', act));
  expect([...seen]).toEqual([]);
});

/** Of a file with an ACL, these bits of the mode are the mask. */
function mask(mode: number): number {
  return (mode >> 3) & 7;
}
