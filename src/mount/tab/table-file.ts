import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { Look } from '../../atomic/operation.ts';
import type { ChangeHost, FileStat, ReadHost } from '../../command/index.ts';
import { absolutePath, besideWith, sameFile, sha256, sha256Hex } from '../../file/path.ts';
import { type ByHand, CommandError, RefusedError, UsageError } from '../../errors.ts';
import { realPath } from '../paths.ts';
import { copyAttributes } from './commands.ts';
import { lineBytes } from './fields.ts';
import { tables } from './tables.ts';
import { applyEdit, editAt, type LineEdit, lineEdit, revertEdit, stateOf } from './edit.ts';

/** What taking the edit of a table back needs. */
export const tableUndo = z.strictObject({
  table: z.enum(['fstab', 'crypttab']),
  /** The file itself: no symbolic link. */
  file: absolutePath,
  /** The new file before it has its name, and the one that the undo makes. Their names bear the mark. */
  private: absolutePath,
  back: absolutePath,
  edit: lineEdit,
  /** Of the whole file before and after; null: there was none. */
  before: z.nullable(sha256Hex),
  after: sha256Hex,
  /** What the line is about: "/srv of /etc/fstab". */
  about: z.string(),
});
export type TableUndo = z.infer<typeof tableUndo>;

/** A table as it is: every byte a character. Undefined content: there is no such file. */
export interface TableFile {
  readonly file: string;
  readonly content: string | undefined;
}

/** The file that a path leads to. A link that leads nowhere, a directory, or a file with a second name is refused. */
export async function readTable(host: ReadHost, path: string): Promise<TableFile> {
  const file = await fileBehind(host, path);
  const stat = await host.stat(file);
  if (stat === undefined) return { file, content: undefined };
  if (stat.kind !== 'file')
    throw new RefusedError(`${path} is not a file but a ${stat.kind}`, {
      remedy: `see what it is: ls -ld ${file}`,
    });
  if (stat.links > 1)
    throw new RefusedError(`${file} has another name: what is edited would no longer be one with it`, {
      remedy: `find the other: find / -xdev -samefile ${file}`,
    });
  return { file, content: await contentOf(host, file) };
}

async function fileBehind(host: ReadHost, path: string): Promise<string> {
  if (!path.startsWith('/')) throw new UsageError(`"${path}" is not a whole path from /`);
  const parent = await realPath(host, posix.dirname(path));
  const file = posix.join(parent, posix.basename(path));
  return (await host.stat(file))?.kind === 'symlink' ? realPath(host, file) : file;
}

/** All that is journalled before a line of a table is edited. */
export function planEdit(
  { file, content }: TableFile,
  {
    mark,
    about,
    table,
    ...change
  }: Pick<LineEdit, 'index' | 'before' | 'after'> &
    Pick<TableUndo, 'table' | 'about'> & { readonly mark: string },
): TableUndo {
  const edit = editAt(content ?? '', change);
  return {
    table,
    file,
    private: besideWith(file, mark),
    back: besideWith(file, `back-${mark}`),
    edit,
    before: content === undefined ? null : hashOf(content),
    after: hashOf(applyEdit(content ?? '', edit)),
    about,
  };
}

/** Writes the new table beside the old one, has it looked at, and puts it in its place. */
export async function makeEdit(
  host: ChangeHost,
  of: TableUndo,
  validate: (
    host: ReadHost,
    files: { readonly old: string | undefined; readonly made: string },
  ) => Promise<void>,
): Promise<void> {
  const content = await expectBefore(host, of);
  await write(host, of.private, {
    content: applyEdit(content ?? '', of.edit),
    like: content === undefined ? undefined : of.file,
  });
  await validate(host, { old: content === undefined ? undefined : of.file, made: of.private });
  await expectBefore(host, of);
  if (content === undefined) {
    await host.link(of.private, of.file);
    await host.removeFile(of.private);
  } else await host.rename(of.private, of.file);
  await host.sync(posix.dirname(of.file));
}

async function expectBefore(host: ReadHost, of: TableUndo): Promise<string | undefined> {
  const { content } = await readTable(host, of.file);
  if ((content === undefined ? null : hashOf(content)) === of.before) return content;
  throw new RefusedError(`${of.file} was edited by somebody else meanwhile; nothing was done to it`, {
    remedy: 'look at it, then give the command again',
  });
}

async function write(
  host: ChangeHost,
  path: string,
  { content, like }: { readonly content: string; readonly like: string | undefined },
): Promise<void> {
  await host.writeNew(path, Buffer.from(content, 'latin1'), { mode: like === undefined ? 0o644 : 0o600 });
  if (like !== undefined) {
    await host.run(copyAttributes(like, path));
    await expectAlike(host, like, path);
  }
  await host.sync(path);
}

/** An exit code of 0 is not believed. */
async function expectAlike(host: ReadHost, like: string, path: string): Promise<void> {
  const [wanted, made] = [await host.stat(like), await host.stat(path)];
  if (wanted?.mode === made?.mode && wanted?.uid === made?.uid && wanted?.gid === made?.gid) return;
  const { tool, argv } = copyAttributes(like, path);
  const what = 'reported success, but mode and owner are not those of the file';
  throw new CommandError({ tool, argv, reason: 'unknown', what });
}

/** What there is of an edit. A private file is ours in any case, and what others made of the line is told beside it. */
export async function lookAtEdit(host: ReadHost, of: TableUndo): Promise<Look> {
  const [own, back, there] = [
    await host.stat(of.private),
    await host.stat(of.back),
    await host.stat(of.file),
  ];
  const line = await lineState(host, of, { own, there });
  const foreign = line === 'ours' || line === 'gone' ? undefined : line;
  if (own !== undefined || back !== undefined)
    return { state: 'ours', ...(foreign === undefined ? {} : { found: foreign }) };
  return foreign === undefined
    ? { state: line === 'ours' ? 'ours' : 'gone' }
    : { state: 'not-ours', found: foreign };
}

/** Words of what was found, when the line is there in neither form. */
async function lineState(
  host: ReadHost,
  of: TableUndo,
  { own, there }: { readonly own: FileStat | undefined; readonly there: FileStat | undefined },
): Promise<string> {
  // The new file has not come to its place.
  if (own !== undefined && !sameFile(own, there)) return 'gone';
  if (there === undefined) return of.before === null ? 'gone' : `${of.file} is not there any more`;
  if (there.kind !== 'file') return `${of.file} is a ${there.kind} by now`;
  const content = await contentOf(host, of.file);
  if (hashOf(content) === of.after) return 'ours';
  if (hashOf(content) === of.before) return 'gone';
  const state = stateOf(content, of.edit);
  if (state === 'neither' || hasRival(content, of, state))
    return `the line of ${of.about} was edited since, and stays`;
  return state === 'made' ? 'ours' : 'gone';
}

/** Where our line was taken out, or is missing: is there another one of the same thing? Others wrote it. */
function hasRival(content: string, { table, edit, file }: TableUndo, state: 'made' | 'not made'): boolean {
  const line =
    state === 'made' && edit.after === null ? edit.before : edit.before === null ? edit.after : null;
  if (line === null || (state === 'made' && edit.after !== null)) return false;
  const { parse, keyOf } = tables[table];
  const [own] = parse(lineBytes(line), file).map(keyOf);
  return parse(content, file).some((each) => keyOf(each) === own);
}

/** Takes the edit back. Where nobody else has edited the file it is then as it was, byte for byte. */
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
    throw new RefusedError(`${of.file} is being edited by somebody else`, {
      remedy: 'let them come to their end, then bofh recover',
    });
  }
  await host.rename(of.back, of.file);
}

/** With its last line without an end, if that is how it was. */
function exactly(content: string, { edit, before, file }: TableUndo): string {
  const back = revertEdit(content, edit);
  const restored = [back, back.replace(/\n$/, ''), `${back}\n`].find((each) => hashOf(each) === before);
  if (restored !== undefined) return restored;
  throw new RefusedError(`${file} could not be made as it was, and is left as it is`, {
    remedy: 'compare it with a copy of yours, then bofh recover --abandon',
  });
}

export async function syncTable(host: ChangeHost, { file }: TableUndo): Promise<void> {
  if ((await host.stat(file))?.kind === 'file') await host.sync(file);
  const directory = posix.dirname(file);
  if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
}

async function contentOf(host: ReadHost, file: string): Promise<string> {
  return Buffer.from(await host.readFile(file)).toString('latin1');
}

/** Of the bytes, not of the text that stands for them. */
function hashOf(content: string): string {
  return sha256(Buffer.from(content, 'latin1'));
}

/** For a person: the line, as sed(1) takes it out or puts it back. */
export function editByHand({ file, edit, about, private: own, back }: TableUndo): ByHand {
  const pattern = (line: string): string => line.replace(/[\\.*[\]^$/]/g, String.raw`\$&`);
  const inPlace = (script: string): readonly string[] => [
    'sed',
    '--in-place',
    '--follow-symlinks',
    script,
    file,
  ];
  const { before, after } = edit;
  const lines = [before, after].filter((line) => line !== null);
  const script =
    after === null
      ? `$a\\${(before ?? '').replaceAll('\\', '\\\\')}`
      : before === null
        ? `/^${pattern(after)}$/d`
        : `s/^${pattern(after)}$/${before.replace(/[\\&/]/g, String.raw`\$&`)}/`;
  return {
    what: `the line of ${about}, which was ${before === null ? 'added' : after === null ? 'taken out' : 'changed'}`,
    look: [
      ...lines.map((line) => ['grep', '--line-number', '--fixed-strings', '--line-regexp', '--', line, file]),
      ['ls', '-l', own, back],
    ],
    clear: [inPlace(script), ['rm', '--force', own, back]],
  };
}

/** Nobody made it meanwhile: a private name bears our mark. */
export async function refusePrivate(host: ReadHost, { private: own, back }: TableUndo): Promise<void> {
  for (const path of [own, back])
    if ((await host.stat(path)) !== undefined)
      throw new RefusedError(`${path} exists already`, { remedy: 'see what it is, and move it away' });
}
