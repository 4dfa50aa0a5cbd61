import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import { type FileStat, kindInWords, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { chmod, chown, expectAttributes } from './attributes.ts';
import {
  absolutePath,
  type Attributes,
  birth,
  birthOf,
  fileMode,
  hasAttributes,
  inodeNumber,
  ownerNumber,
  realParent,
} from './path.ts';

const args = z.strictObject({
  /** Absolute path of an existing file or directory. */
  path: absolutePath,
  /** New uid, only for a directory (default: unchanged). */
  uid: z.exactOptional(ownerNumber),
  /** New gid, only for a directory (default: unchanged). */
  gid: z.exactOptional(ownerNumber),
  /** New permission bits (default: unchanged). */
  mode: z.exactOptional(fileMode),
});

const all = z.strictObject({ uid: ownerNumber, gid: ownerNumber, mode: fileMode });

const undo = z.strictObject({
  path: absolutePath,
  kind: z.enum(['file', 'directory']),
  inode: inodeNumber,
  birth,
  before: all,
  after: all,
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.file.setAttributes`: changes the mode of a file, or owner and mode of a directory. Undo
 * restores them, unless others changed them meanwhile or replaced the file.
 *
 * It does not change the owner of a file, because the kernel then removes its capabilities, and
 * nothing restores them exactly. `tx.file.change` with the present content does, because its undo
 * still has the old inode.
 */
export const setAttributes = operation({
  kind: 'file.attributes',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { path, uid, gid, mode }, host }): Promise<Undo> => {
    await realParent(host, path);
    const stat = await host.stat(path);
    if (stat === undefined)
      throw new RefusedError(`there is no file or directory ${path}`, {
        code: 'not-found',
        remedy: `look for it: ls -l ${posix.dirname(path)}`,
      });
    if (stat.kind !== 'file' && stat.kind !== 'directory')
      throw new RefusedError(`${path} is not a file or directory but ${kindInWords(stat)}`, {
        remedy: `see what it is: ls -ld ${path}`,
      });
    await refuseExposed(host, path, 'there');
    const asked = present({ uid, gid, mode });
    const before = attributesOf(stat);
    if (hasAttributes(stat, asked))
      throw new RefusedError(`${path} has this owner and mode already`, { remedy: `see it: ls -ld ${path}` });
    if (stat.kind === 'file' && !hasAttributes(stat, present({ uid, gid })))
      throw new RefusedError(`the owner of the file ${path} cannot be changed in place`, {
        remedy: 'use tx.file.change with its present content and the new owner',
      });
    if (stat.kind === 'file' && stat.links > 1)
      throw new RefusedError(`${path} has another hard link, whose mode would change too`, {
        remedy: `find the other: find / -xdev -samefile ${path}`,
      });
    const { kind, inode } = stat;
    return { path, kind, inode, ...birthOf(stat), before, after: { ...before, ...asked } };
  },
  claims: ({ undo: { path } }) => ({ changes: [`file:${path}`] }),
  run: async ({ undo: of, host }) => {
    const stat = await host.stat(of.path);
    if (!isObject(stat, of) || !hasAttributes(stat, of.before))
      throw new RefusedError(`${of.path} was changed concurrently, and stays as it is`, {
        remedy: `see it: stat ${of.path}; then run the command again`,
      });
    if (of.after.uid !== of.before.uid || of.after.gid !== of.before.gid)
      await host.run(chown(of.path, of.after.uid, of.after.gid));
    if (of.after.mode !== of.before.mode) await host.run(chmod(of.path, of.after.mode));
    await expectAttributes(host, of.path, of.after);
    return null;
  },
  value: ({ undo: { path } }) => ({ path }),
  look: async ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const stat = await host.stat(of.path);
    if (stat === undefined) return;
    if (!hasAttributes(stat, { uid: of.before.uid, gid: of.before.gid }))
      await host.run(chown(of.path, of.before.uid, of.before.gid));
    if (stat.mode !== of.before.mode) await host.run(chmod(of.path, of.before.mode));
    await expectAttributes(host, of.path, of.before);
  },
  sync: async ({ undo: of, host }) => {
    if (isObject(await host.stat(of.path), of)) await host.sync(of.path);
  },
  later: {
    refuse: async ({ undo: of, host }) => {
      const { state, found } = await look(host, of);
      if (state === 'not-ours')
        throw new RefusedError(found ?? `${of.path} is another object now`, {
          remedy: `see it: stat ${of.path}`,
        });
    },
    // The undo of a newer step may just have created the file again, with another inode.
    bringBack: async ({ undo: { path, kind }, restored, host }) => {
      const stat = restored === true ? await host.stat(path) : undefined;
      return stat?.kind === kind ? { inode: stat.inode, ...birthOf(stat) } : {};
    },
  },
  describe: ({ undo: { path, inode, before } }) => ({
    what: `owner and mode of ${path} (inode ${inode}), which were ${inWords(before)}`,
    look: [['stat', path]],
    clear: [
      [...only(path, inode), 'chown', `${String(before.uid)}:${String(before.gid)}`, '{}', ';'],
      [...only(path, inode), 'chmod', `0${before.mode.toString(8).padStart(4, '0')}`, '{}', ';'],
    ],
  }),
});

/**
 * Returns the start of a find(1) command that acts only on this inode, not on a file that replaced
 * it.
 */
function only(path: string, inode: string): readonly string[] {
  return ['find', path, '-maxdepth', '0', '-inum', inode, '-exec'];
}

async function look(host: ReadHost, of: Undo): Promise<Look> {
  const stat = await host.stat(of.path);
  if (stat === undefined) return { state: 'gone' };
  if (!isObject(stat, of)) return { state: 'not-ours', found: `${of.path} is another object now` };
  if (hasAttributes(stat, of.before)) return { state: 'gone' };
  const now = attributesOf(stat);
  const isOurs = (['uid', 'gid', 'mode'] as const).every(
    (each) => now[each] === of.before[each] || now[each] === of.after[each],
  );
  if (isOurs) return { state: 'ours' };
  return { state: 'not-ours', found: `${of.path} has ${inWords(now)} now` };
}

function isObject(
  stat: FileStat | undefined,
  { kind, inode, birth: born }: Pick<Undo, 'kind' | 'inode' | 'birth'>,
): stat is FileStat {
  return stat?.kind === kind && stat.inode === inode && (born === undefined || stat.birth === born);
}

function attributesOf({ uid, gid, mode }: FileStat): Required<Attributes> {
  return { uid, gid, mode };
}

function inWords({ uid, gid, mode }: Required<Attributes>): string {
  return `owner ${String(uid)}:${String(gid)} and mode 0${mode.toString(8)}`;
}
