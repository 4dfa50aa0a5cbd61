import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import {
  type ChangeHost,
  type Command,
  inShell,
  kindInWords,
  moveAway,
  nothing,
  type ReadHost,
  syncDirectoryOf,
} from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { absolutePath, besideWith, realParent, sameFile } from './path.ts';
import { bringBackTo, editedSince, keepAt, refuseTaken } from './kept.ts';
import { linkBack } from './remove.ts';
import { unlink } from './unlink.ts';

const args = z.strictObject({
  /** Absolute path of the new link. */
  path: absolutePath,
  /** Target of the symbolic link; null removes it. */
  to: z.nullable(z.string().check(z.minLength(1))),
  /**
   * The present target, which `to` replaces or removes. RefusedError if the link has another one.
   */
  from: z.exactOptional(z.string().check(z.minLength(1))),
});

const undo = z.strictObject({
  path: absolutePath,
  act: z.enum(['create', 'remove', 'change']),
  /** Target of the new link, or of the link that the step removes. */
  target: z.string(),
  /**
   * A second name of the new link, or of the removed or replaced one, until the commit: proves the
   * step.
   */
  tombstone: absolutePath,
  /**
   * For a replacement: the path of the new link until it replaces the old one, and the old target.
   */
  change: z.exactOptional(z.strictObject({ private: absolutePath, from: z.string() })),
});

type Undo = z.infer<typeof undo>;

/**
 * Creates or removes a symbolic link, or with `from` replaces one in a single rename. A new link
 * is created under a private name, and gets the requested path as a second name (hard link); an old link keeps a
 * private name until the commit. The undo of
 * a creation removes the link at the path only while it is the inode of the private name. The undo
 * of a removal is stuck if the path is in use again. A replaced link comes back only while the new
 * one is at the path.
 */
export const link = operation({
  kind: 'file.link',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, to, from }, mark, host }): Promise<Undo> => {
    await realParent(host, path);
    const there = await host.stat(path);
    if (to !== null && from !== undefined) return changeOf(host, { path, to, from, mark });
    if (to !== null && there !== undefined) throw taken(path, `there is ${kindInWords(there)} of that name`);
    if (to === null && there?.kind !== 'symlink')
      throw new RefusedError(
        there === undefined ? `there is no link ${path}` : `${path} is not a link but ${kindInWords(there)}`,
        {
          remedy: `see what it is: ls -ld ${inShell(path)}`,
          ...(there === undefined ? { code: 'not-found' } : {}),
        },
      );
    if (to === null && from !== undefined && (await host.readLink(path)) !== from) throw notTo(path, from);
    const act = to === null ? 'remove' : 'create';
    const tombstone = besideWith(path, to === null ? `gone-${mark}` : mark);
    if ((await host.stat(tombstone)) !== undefined) throw taken(tombstone, 'it does not belong to this step');
    return { path, act, target: to ?? (await host.readLink(path)), tombstone };
  },
  claims: ({ undo: { path, act } }) =>
    act === 'create' ? { makes: [`file:${path}`] } : { changes: [`file:${path}`] },
  run: async ({ undo: { path, act, target, tombstone, change }, host }) => {
    const changed = new RefusedError(`${path} was changed concurrently, and stays as it is`, {
      remedy: `see it: stat ${inShell(path)}; then run the command again`,
    });
    if (change !== undefined) {
      await host.run(symlink(target, change.private));
      await host.link(path, tombstone);
      const isOld = async () =>
        (await isLinkTo(host, tombstone, change.from)) && (await isAtPath(host, { path, tombstone }));
      if (!(await isOld())) throw changed;
      await host.rename(change.private, path);
    } else if (act === 'create') {
      await host.run(symlink(target, tombstone));
      try {
        await host.link(tombstone, path);
      } catch (error) {
        if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
        throw taken(path, 'it appeared meanwhile', error);
      }
    } else {
      await host.link(path, tombstone);
      const moved = await host.stat(tombstone);
      if (moved?.kind !== 'symlink' || (await host.readLink(tombstone)) !== target) {
        await host.removeFile(tombstone);
        throw changed;
      }
      if (!sameFile(await host.stat(path), moved)) throw changed;
      await unlink(host, path);
    }
    await host.sync(posix.dirname(path));
    if (act === 'create' && !(await isAtPath(host, { path, tombstone }))) throw changed;
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => {
    if (of.change !== undefined && (await host.stat(of.change.private)) !== undefined)
      return { state: 'ours' };
    const own = await host.stat(of.tombstone);
    if (own === undefined) return { state: 'gone' };
    if (own.kind !== 'symlink') return { state: 'not-ours', found: `${of.tombstone} is ${kindInWords(own)}` };
    if (of.act === 'create' && (await host.stat(of.path)) !== undefined && !(await isAtPath(host, of)))
      return { state: 'ours', found: `${of.path} is another object now and stays` };
    if (of.change !== undefined && !(await isAtPath(host, of)) && !(await isLinkTo(host, of.path, of.target)))
      return { state: 'ours', found: `${of.path} is another object now and stays` };
    return { state: 'ours' };
  },
  revert: async ({ undo: of, host }) => {
    if (of.change !== undefined) return changeBack(host, of, of.change.private);
    if ((await host.stat(of.tombstone))?.kind !== 'symlink') return;
    if (of.act === 'remove') await linkBack(host, of);
    else if (await isAtPath(host, of)) await unlink(host, of.path);
    await host.sync(posix.dirname(of.path));
    await unlink(host, of.tombstone);
  },
  sync: ({ undo: { path }, host }) => syncDirectoryOf(host, path),
  afterCommit: async ({ undo: { tombstone }, host }) => {
    if ((await host.stat(tombstone))?.kind === 'symlink') await unlink(host, tombstone);
  },
  later: {
    keeps: ({ undo: { act } }) => act !== 'create',
    keep: ({ undo: { path, tombstone }, host, to }) => keepAt(host, { path, from: tombstone, to }),
    refuse: async ({ undo: { path, act, target }, host }) => {
      if (act === 'remove') return refuseTaken(host, path);
      await realParent(host, path);
      if (!(await isLinkTo(host, path, target))) throw editedSince(path);
    },
    bringBack: async ({ undo: { path, act, target, tombstone }, host, from }) => {
      if (act !== 'create') await bringBackTo(host, { from, to: tombstone });
      else if ((await host.stat(tombstone)) === undefined && (await isLinkTo(host, path, target)))
        await host.link(path, tombstone);
      return {};
    },
  },
  describe: ({ undo: { path, act, tombstone, change }, way }) => ({
    what:
      change === undefined
        ? `the symbolic link ${path}, whose second name is ${tombstone}`
        : `the symbolic link ${path}, whose former one is at ${tombstone} until the change is finished`,
    look: [['ls', '-li', path, tombstone]],
    clear:
      way === 'forward'
        ? [['rm', tombstone]]
        : change !== undefined
          ? [
              ['mv', '--no-target-directory', tombstone, path],
              ['rm', '--force', change.private],
            ]
          : act === 'remove'
            ? [['mv', '--no-clobber', tombstone, path]]
            : [['find', posix.dirname(path), '-maxdepth', '1', '-samefile', tombstone, '-delete']],
  }),
});

async function changeOf(
  host: ReadHost,
  {
    path,
    to,
    from,
    mark,
  }: { readonly path: string; readonly to: string; readonly from: string; readonly mark: string },
): Promise<Undo> {
  const there = await host.stat(path);
  if (there?.kind !== 'symlink' || (await host.readLink(path)) !== from) throw notTo(path, from);
  const names = { tombstone: besideWith(path, `gone-${mark}`), private: besideWith(path, mark) };
  for (const name of Object.values(names))
    if ((await host.stat(name)) !== undefined) throw taken(name, 'it does not belong to this step');
  const { tombstone, private: own } = names;
  return { path, act: 'change', target: to, tombstone, change: { private: own, from } };
}

/** Restores the old link. A link of others at the path stays. Removes the private names last. */
async function changeBack(host: ChangeHost, of: Undo, own: string): Promise<void> {
  if ((await host.stat(of.tombstone))?.kind === 'symlink') {
    // A rename onto another name of the same inode does nothing.
    if (!(await isAtPath(host, of)) && (await isLinkTo(host, of.path, of.target)))
      await host.rename(of.tombstone, of.path);
    else await unlink(host, of.tombstone);
  }
  if ((await host.stat(own))?.kind === 'symlink') await unlink(host, own);
  await host.sync(posix.dirname(of.path));
}

async function isLinkTo(host: ReadHost, path: string, target: string): Promise<boolean> {
  return (await host.stat(path))?.kind === 'symlink' && (await host.readLink(path)) === target;
}

async function isAtPath(
  host: ReadHost,
  { path, tombstone }: Pick<Undo, 'path' | 'tombstone'>,
): Promise<boolean> {
  return sameFile(await host.stat(path), await host.stat(tombstone));
}

/** ln(1) without replacing anything. */
export function symlink(target: string, path: string): Command<void, 'change'> {
  return {
    tool: 'ln',
    argv: ['--symbolic', '--no-target-directory', '--', target, path],
    access: 'change',
    parse: nothing,
    classify: ({ stderr }) => (/File exists/.test(stderr) ? 'exists' : 'unknown'),
  };
}

function notTo(path: string, target: string): RefusedError {
  return new RefusedError(`${path} is not a link to ${target}`, {
    remedy: `see what it is: ls -ld ${inShell(path)}`,
  });
}

function taken(path: string, how: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: ${how}`, {
    code: 'exists',
    cause,
    remedy: moveAway(path),
  });
}
