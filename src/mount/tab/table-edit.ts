import { posix } from 'node:path';
import { type ChangeHost, inShell, type ReadHost, syncDirectoryOf } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { writeLike } from '../../file/attributes.ts';
import { applyEdit, revertEdit } from './edit.ts';
import { contentOf, hashOf, readTable } from './table-file.ts';
import { linesOf } from './fields.ts';
import { lineState } from './table-look.ts';
import type { TableUndo } from './table-undo.ts';
import { tables } from './tables.ts';

/** Writes the new table beside the old one, verifies it, and renames it into place. */
export async function makeEdit(
  host: ChangeHost,
  of: TableUndo,
  validate: (
    host: ReadHost,
    files: { readonly old: string | undefined; readonly made: string },
  ) => Promise<void>,
): Promise<void> {
  const content = await expectBefore(host, of);
  const made = applyEdit(content ?? '', of.edit);
  const like = content === undefined ? undefined : of.file;
  const legible = withoutUnread(made, of);
  if (legible !== made) {
    await write(host, of.back, { content: withoutUnread(content ?? '', of), like });
    await write(host, of.private, { content: legible, like });
    await validate(host, { old: of.back, made: of.private });
    await host.removeFile(of.back);
    await host.removeFile(of.private);
  }
  await write(host, of.private, { content: made, like });
  if (legible === made) await validate(host, { old: like, made: of.private });
  await expectBefore(host, of);
  if (content === undefined) {
    await host.link(of.private, of.file);
    await host.removeFile(of.private);
  } else await host.rename(of.private, of.file);
  await host.sync(posix.dirname(of.file));
}

/**
 * Replaces each line that could not be parsed by a comment, because findmnt 2.41 stops at the first
 * such line, or crashes with SIGSEGV.
 */
function withoutUnread(content: string, { table }: TableUndo): string {
  const unread = new Set(tables[table].parse(content).unread.map(({ number }) => number));
  if (unread.size === 0) return content;
  return linesOf(content)
    .map((line, index) => `${unread.has(index + 1) ? '#' : line}\n`)
    .join('');
}

async function expectBefore(host: ReadHost, of: TableUndo): Promise<string | undefined> {
  const { content } = await readTable(host, of.file);
  if ((content === undefined ? null : hashOf(content)) === of.before) return content;
  throw new RefusedError(`${of.file} was edited concurrently and is left untouched`, {
    remedy: `see it: stat ${inShell(of.file)}; then run the command again`,
  });
}

async function write(
  host: ChangeHost,
  path: string,
  { content, like }: { readonly content: string; readonly like: string | undefined },
): Promise<void> {
  const bytes = Buffer.from(content, 'latin1');
  if (like !== undefined) return writeLike(host, { like, path, content: bytes });
  await host.writeNew(path, bytes, { mode: 0o644 });
  await host.sync(path);
}

/** Reverts the edit. Without edits by others, the file is then exactly the same as before. */
export async function revertTable(host: ChangeHost, of: TableUndo): Promise<void> {
  const [own, there] = [await host.stat(of.private), await host.stat(of.file)];
  if ((await host.stat(of.back)) !== undefined) await host.removeFile(of.back);
  if ((await lineState(host, of, { own, there })) === 'ours') await putBack(host, of);
  if (own !== undefined) await host.removeFile(of.private);
  await host.sync(posix.dirname(of.file));
}

async function putBack(host: ChangeHost, of: TableUndo): Promise<void> {
  const content = await contentOf(host, of.file);
  const isAsMade = hashOf(content) === of.after;
  if (isAsMade && of.before === null) return host.removeFile(of.file);
  const restored = isAsMade ? exactly(content, of) : revertEdit(content, of.edit);
  await write(host, of.back, { content: restored, like: of.file });
  if (hashOf(await contentOf(host, of.file)) !== hashOf(content)) {
    await host.removeFile(of.back);
    throw new RefusedError(`${of.file} is being edited by another process`, {
      remedy: 'wait until it ends, then: bofh recover',
    });
  }
  await host.rename(of.back, of.file);
}

/**
 * Reverts the edit, and tries with and without a final newline until the hash is that of the old
 * file.
 */
function exactly(content: string, { edit, before, file }: TableUndo): string {
  const back = revertEdit(content, edit);
  const restored = [back, back.replace(/\n$/, ''), `${back}\n`].find((each) => hashOf(each) === before);
  if (restored !== undefined) return restored;
  throw new RefusedError(`${file} could not be restored exactly and was left untouched`, {
    remedy: 'compare it with a backup; then: bofh recover --abandon ID --because "…"',
  });
}

export async function syncTable(host: ChangeHost, { file }: TableUndo): Promise<void> {
  if ((await host.stat(file))?.kind === 'file') await host.sync(file);
  await syncDirectoryOf(host, file);
}
