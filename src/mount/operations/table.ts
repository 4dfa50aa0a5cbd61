import * as z from 'zod/mini';
import { type Operation, operation } from '../../atomic/operation.ts';
import type { Schema } from '../../atomic/schema.ts';
import { type ReadHost, refuseExposed } from '../../command/index.ts';
import { RefusedError, type ManualRecovery } from '../../core/errors.ts';
import { secretRemedy } from '../options.ts';
import { lineBytes, linesOf, lineText, type Table } from '../tab/fields.ts';
import { makeEdit, revertTable, syncTable } from '../tab/table-edit.ts';
import { planEdit, refusePrivate, tableUndo, type TableUndo } from '../tab/table-undo.ts';
import { readTable } from '../tab/table-file.ts';
import { lookAtEdit } from '../tab/table-look.ts';
import { refuseUnread, type TableLine, tables } from '../tab/tables.ts';

/** A line to edit, in its table. */
export interface Row {
  readonly number: number;
  readonly text: string;
}

/** The old table, if it existed, and the new one. */
export interface TableFiles {
  readonly old: string | undefined;
  readonly made: string;
}

interface Spec<A extends { readonly file?: string }> {
  readonly kind: string;
  readonly table: keyof typeof tables;
  readonly args: Schema<A>;
  /**
   * Checks the request and plans the change of a line, with each text as in the file. Without `was`
   * the line is new; without `becomes` it is removed.
   */
  readonly plan: (input: {
    readonly args: A;
    readonly host: ReadHost;
    readonly file: string;
    readonly content: string;
    readonly find: (key: string) => Row;
    readonly refuseKnown: (key: string, but?: Row) => void;
  }) => Promise<{
    readonly was?: Row;
    readonly becomes?: string;
    readonly key: string;
    /** Index for a new line, counted from 0 (default: at the end). */
    readonly index?: number;
  }>;
  readonly validate?: (
    input: { readonly args: A; readonly host: ReadHost; readonly line: string | null },
    files: TableFiles,
  ) => Promise<void>;
}

/**
 * Edits one line of a table. The state itself proves the step: the table has the line as the step
 * wrote it, or lacks it where the step removed it. A line that others have edited meanwhile is left
 * untouched. Their edits of other lines survive the undo; without such edits the undo is exact to
 * the byte.
 */
export function tableOperation<A extends { readonly file?: string }>(
  spec: Spec<A>,
): Operation<A, { readonly file: string; readonly line: string | null }> {
  const { table } = spec;
  return operation({
    kind: spec.kind,
    version: 1,
    args: spec.args,
    undo: tableUndo,
    result: z.null(),
    lives: 'disk',
    restores: 'state',
    prepare: async ({ args, mark, host }) => {
      const { file, content = '' } = await readTable(host, args.file ?? tables[table].path);
      await refuseExposed(host, file, 'there');
      const known = tables[table].parse(content);
      const about = (key: string) => ({ file, known, key, table });
      const {
        was,
        becomes,
        key,
        index = linesOf(content).length,
      } = await spec.plan({
        ...{ args, host, file, content },
        find: (wanted) => rowOf(about(wanted)),
        refuseKnown: (wanted, but) => refuseKnown(about(wanted), but),
      });
      const undo = planEdit(await readTable(host, file), {
        ...{ mark, table },
        about: `${key} in ${file}`,
        index: was === undefined ? index : was.number - 1,
        before: was?.text ?? null,
        after: becomes ?? null,
      });
      await refusePrivate(host, undo);
      return undo;
    },
    claims: ({ undo: { file } }) => ({ changes: [`file:${file}`] }),
    run: async ({ args, undo, host }) => {
      await makeEdit(host, undo, async (reads, files) =>
        spec.validate?.({ args, host: reads, line: undo.edit.after }, files),
      );
      return null;
    },
    value: ({ undo: { file, edit } }) => ({ file, line: edit.after }),
    look: ({ undo, host }) => lookAtEdit(host, undo),
    revert: ({ undo, host }) => revertTable(host, undo),
    sync: ({ undo, host }) => syncTable(host, undo),
    describe: ({ undo }) => editRecovery(undo),
  });
}

/** The key of a line, and the table with it. */
interface About {
  readonly file: string;
  readonly known: Table<TableLine>;
  readonly key: string;
  readonly table: keyof typeof tables;
}

/** bofh has no verb that lists the tables of another system. */
const lists: Readonly<Record<string, string>> = {
  '/etc/fstab': 'bofh mount fstab list',
  '/etc/crypttab': 'bofh mount crypttab list',
};

/**
 * Returns the only line with a key. RefusedError if there is none, or more than one, or it cannot
 * be journalled.
 */
export function rowOf({ file, known, key, table }: About): Row {
  refuseUnread(table, { file, unread: known.unread, key });
  const [line, ...more] = known.lines.filter((each) => each.key === key);
  const look = lists[file] ?? `grep --line-number . ${file}`;
  if (line === undefined) throw new RefusedError(`${file} has no line for ${key}`, { remedy: look });
  if (more.length > 0)
    throw new RefusedError(
      `${file} has more than one line for ${key}: ${[line, ...more].map(({ number }) => String(number)).join(', ')}`,
      { remedy: `see them: ${look}; then remove all but one of these lines in an editor` },
    );
  if (line.secret)
    throw new RefusedError(
      `line ${String(line.number)} of ${file} contains a password, which would be written to the journal`,
      { remedy: secretRemedy },
    );
  const text = lineText(line.bytes);
  if (text === undefined || lineBytes(text) !== line.bytes)
    throw new RefusedError(`line ${String(line.number)} of ${file} holds bytes that are not UTF-8`, {
      remedy: 'edit that line yourself in an editor: bofh cannot keep it unchanged in its journal',
    });
  return { number: line.number, text };
}

function refuseKnown({ file, known, key, table }: About, but?: Row): void {
  refuseUnread(table, { file, unread: known.unread, key });
  const line = known.lines.find((each) => each.key === key && each.number !== but?.number);
  if (line !== undefined)
    throw new RefusedError(`${file} has a line for ${key} already: line ${String(line.number)}`, {
      remedy: `see it: sed -n ${String(line.number)}p ${file}`,
    });
}

/** sed(1) appends nothing to an empty file. */
const append = `test -z "$(tail --bytes=1 "$2")" || echo >>"$2"; printf '%s\\n' "$1" >>"$2"`;

/** Manual recovery: removes, changes or appends the line. */
function editRecovery({ file, edit, about, private: own, back }: TableUndo): ManualRecovery {
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
  const change =
    after === null
      ? ['sh', '-c', append, 'sh', before ?? '', file]
      : inPlace(
          before === null
            ? `/^${pattern(after)}$/d`
            : `s/^${pattern(after)}$/${before.replace(/[\\&/]/g, String.raw`\$&`)}/`,
        );
  return {
    what: `the line of ${about}, which was ${before === null ? 'added' : after === null ? 'removed' : 'changed'}`,
    look: [
      ...lines.map((line) => ['grep', '--line-number', '--fixed-strings', '--line-regexp', '--', line, file]),
      ['ls', '-l', own, back],
    ],
    clear: [change, ['rm', '--force', own, back]],
  };
}
