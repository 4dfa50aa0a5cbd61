import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { type Command, nothing, type ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { absolutePath, besideWith, realParent, sameFile } from './path.ts';
import { linkBack } from './remove.ts';
import { unlink } from './unlink.ts';

const args = z.strictObject({
  /** Absolute path of the new link. */
  path: absolutePath,
  /** What the symbolic link says; null removes it. */
  to: z.nullable(z.string().check(z.minLength(1))),
});

const undo = z.strictObject({
  path: absolutePath,
  act: z.enum(['create', 'remove']),
  /** What the link says, or said. */
  target: z.string(),
  /** A second name of the link until the commit: proves the step. */
  tombstone: absolutePath,
});

type Undo = z.infer<typeof undo>;

/**
 * Creates or removes a symbolic link. It never replaces anything. A new one gets a private name and
 * is linked to its own; an old one keeps a private name. The undo removes the link at the path only
 * while it is the inode of the private name; that of a removal is stuck if the name is in use again.
 */
export const link = operation({
  kind: 'file.link',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, to }, mark, host }): Promise<Undo> => {
    await realParent(host, path);
    const there = await host.stat(path);
    if (to !== null && there !== undefined) throw taken(path, `there is a ${there.kind} of that name`);
    if (to === null && there?.kind !== 'symlink')
      throw new RefusedError(
        there === undefined ? `there is no link ${path}` : `${path} is not a link but a ${there.kind}`,
        { remedy: `see what it is: ls -ld ${path}`, ...(there === undefined ? { code: 'not-found' } : {}) },
      );
    const act = to === null ? 'remove' : 'create';
    const tombstone = besideWith(path, to === null ? `gone-${mark}` : mark);
    if ((await host.stat(tombstone)) !== undefined) throw taken(tombstone, 'it is not of this step');
    return { path, act, target: to ?? (await host.readLink(path)), tombstone };
  },
  claims: ({ undo: { path, act } }) =>
    act === 'create' ? { makes: [`file:${path}`] } : { changes: [`file:${path}`] },
  run: async ({ undo: { path, act, target, tombstone }, host }) => {
    const changed = new RefusedError(`${path} was changed concurrently, and stays as it is`, {
      remedy: 'look at it, then give the command again',
    });
    if (act === 'create') {
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
    const own = await host.stat(of.tombstone);
    if (own === undefined) return { state: 'gone' };
    if (own.kind !== 'symlink') return { state: 'not-ours', found: `${of.tombstone} is a ${own.kind}` };
    if (of.act === 'create' && (await host.stat(of.path)) !== undefined && !(await isAtPath(host, of)))
      return { state: 'ours', found: `${of.path} is another one now and stays` };
    return { state: 'ours' };
  },
  revert: async ({ undo: of, host }) => {
    if ((await host.stat(of.tombstone))?.kind !== 'symlink') return;
    if (of.act === 'remove') await linkBack(host, of);
    else if (await isAtPath(host, of)) await unlink(host, of.path);
    await host.sync(posix.dirname(of.path));
    await unlink(host, of.tombstone);
  },
  sync: async ({ undo: { path }, host }) => {
    const directory = posix.dirname(path);
    if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
  },
  afterCommit: async ({ undo: { tombstone }, host }) => {
    if ((await host.stat(tombstone))?.kind === 'symlink') await unlink(host, tombstone);
  },
  describe: ({ undo: { path, act, tombstone }, way }) => ({
    what: `the symbolic link ${path}, whose second name is ${tombstone}`,
    look: [['ls', '-li', path, tombstone]],
    clear:
      way === 'forward'
        ? [['rm', tombstone]]
        : act === 'remove'
          ? [['mv', '--no-clobber', tombstone, path]]
          : [['find', posix.dirname(path), '-maxdepth', '1', '-samefile', tombstone, '-delete']],
  }),
});

async function isAtPath(
  host: ReadHost,
  { path, tombstone }: Pick<Undo, 'path' | 'tombstone'>,
): Promise<boolean> {
  return sameFile(await host.stat(path), await host.stat(tombstone));
}

/** ln(1): it never replaces anything. */
export function symlink(target: string, path: string): Command<void, 'change'> {
  return {
    tool: 'ln',
    argv: ['--symbolic', '--no-target-directory', '--', target, path],
    access: 'change',
    parse: nothing,
    classify: ({ stderr }) => (/File exists/.test(stderr) ? 'exists' : 'unknown'),
  };
}

function taken(path: string, how: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: ${how}`, {
    code: 'exists',
    cause,
    remedy: 'see what it is, and move it away',
  });
}
