import type { Look } from '../../atomic/operation.ts';
import { type FileStat, kindInWords, type ReadHost } from '../../command/index.ts';
import { sameFile } from '../../file/path.ts';
import { stateOf } from './edit.ts';
import { lineBytes } from './fields.ts';
import type { TableUndo } from './table-undo.ts';
import { contentOf, hashOf } from './table-file.ts';
import { tables } from './tables.ts';
import { present } from '../../core/present.ts';

/**
 * Returns the state of an edit. A private file always belongs to the step; changes of others to the
 * line are reported too.
 */
export async function lookAtEdit(host: ReadHost, of: TableUndo): Promise<Look> {
  const [own, back, there] = [
    await host.stat(of.private),
    await host.stat(of.back),
    await host.stat(of.file),
  ];
  const line = await lineState(host, of, { own, there });
  const foreign = line === 'ours' || line === 'gone' ? undefined : line;
  if (own !== undefined || back !== undefined) return { state: 'ours', ...present({ found: foreign }) };
  return foreign === undefined
    ? { state: line === 'ours' ? 'ours' : 'gone' }
    : { state: 'not-ours', found: foreign };
}

/** Returns `ours` or `gone`; describes the current content if the line has neither its old nor its new form. */
export async function lineState(
  host: ReadHost,
  of: TableUndo,
  { own, there }: { readonly own: FileStat | undefined; readonly there: FileStat | undefined },
): Promise<string> {
  // The new file was not renamed into place.
  if (own !== undefined && !sameFile(own, there)) return 'gone';
  if (there === undefined) return of.before === null ? 'gone' : `${of.file} is not there any more`;
  if (there.kind !== 'file') return `${of.file} is ${kindInWords(there)} now`;
  const content = await contentOf(host, of.file);
  if (hashOf(content) === of.after) return 'ours';
  if (hashOf(content) === of.before) return 'gone';
  const state = stateOf(content, of.edit);
  if (state === 'neither' || hasRival(content, of, state))
    return `the line of ${of.about} was edited since, and stays`;
  return state === 'made' ? 'ours' : 'gone';
}

/**
 * Whether others wrote a line with the same key, where the step's line was removed or is missing.
 */
function hasRival(content: string, { table, edit }: TableUndo, state: 'made' | 'not made'): boolean {
  const line =
    state === 'made' && edit.after === null ? edit.before : edit.before === null ? edit.after : null;
  if (line === null || (state === 'made' && edit.after !== null)) return false;
  const { parse, mayBeAbout } = tables[table];
  const own = parse(lineBytes(line)).lines[0]?.key;
  const { lines, unread } = parse(content);
  return (
    own === undefined || lines.some(({ key }) => key === own) || unread.some((each) => mayBeAbout(each, own))
  );
}
