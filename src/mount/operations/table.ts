import { type Operation, operation } from '../../atomic/operation.ts';
import type { Schema } from '../../atomic/schema.ts';
import * as z from 'zod/mini';
import { type ReadHost, refuseExposed } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { secretRemedy } from '../options.ts';
import { lineBytes, linesOf, lineText, type Table } from '../tab/fields.ts';
import { editRecovery } from '../tab/manual-recovery.ts';
import { makeEdit, revertTable, syncTable } from '../tab/table-edit.ts';
import { planEdit, refusePrivate, tableUndo } from '../tab/table-undo.ts';
import { readTable } from '../tab/table-file.ts';
import { lookAtEdit } from '../tab/table-look.ts';
import { refuseUnread, type TableLine, tables } from '../tab/tables.ts';

/** A line to edit, in its table. */
export interface Row {
  readonly number: number;
  readonly text: string;
}

/** The table before, if it existed, and after the edit. */
export interface TableFiles {
  readonly old: string | undefined;
  readonly made: string;
}

interface Spec<A extends { readonly file?: string }> {
  readonly kind: string;
  readonly table: keyof typeof tables;
  readonly args: Schema<A>;
  /**
   * Checks, and plans the change of a line; each text as it is in the file. Undefined: a new line,
   * or a removed one.
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
    /** Where to insert a new line, from 0 (default: at the end). */
    readonly index?: number;
  }>;
  readonly validate?: (
    input: { readonly args: A; readonly host: ReadHost; readonly line: string | null },
    files: TableFiles,
  ) => Promise<void>;
}

/**
 * An edit of one line of a table. The state itself proves it: the line is there as the step wrote
 * it, or missing where the step removed it; a line that others have edited since is left untouched.
 * Their edits of other lines survive the undo, which is exact to the byte if there are none.
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

/** What identifies a line, and where to look for it. */
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
 * The only line about something. RefusedError if there is none, or more than one, or it cannot be
 * journalled.
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
      remedy: 'edit it yourself: bofh could not keep it in its journal as it is',
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
