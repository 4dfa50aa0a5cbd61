import { stripVTControlCharacters } from 'node:util';
import { commandLine } from '../../command/command.ts';
import { shownName } from '../../command/odd-bytes.ts';
import { messageOf } from '../../core/errors.ts';
import { escaped } from '../../core/escaped.ts';

export { messageOf };

/** Returns the text of any value; `Object.create(null)` throws when it is converted. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return 'a value without a text';
  }
}

/**
 * Returns the stack of an error. Reading it can throw, because V8 creates it then, from a name and message
 * that cannot always be converted to text.
 */
export function stackTextOf(error: Error): string {
  try {
    return textOf(error.stack ?? error.message);
  } catch {
    return messageOf(error);
  }
}

/**
 * Escapes control characters: a name on the host must not move the reader's cursor. A damaged
 * journal may contain anything.
 */
export function printable(text: unknown): string {
  return escaped(shownName(textOf(text)));
}

/** Joins the lines of a text, such as the output of a tool, to one line. */
export function oneLine(text: unknown): string {
  return textOf(text)
    .split('\n')
    .map((line) => printable(line.trim()))
    .filter((line) => line !== '')
    .join('; ');
}

/**
 * Joins words with commas, in lines of at most `columns`; only a longer word exceeds that. Colours do not
 * count for the width.
 */
export function wrapped(
  words: readonly string[],
  { first, next, columns }: { readonly first: string; readonly next: string; readonly columns: number },
): readonly string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  const pieces = words.flatMap((word, at) => (at === words.length - 1 ? word : `${word},`).split(' '));
  for (const piece of pieces) {
    const longer = isEmpty ? `${line}${piece}` : `${line} ${piece}`;
    if (isEmpty || stripVTControlCharacters(longer).length <= columns) line = longer;
    else {
      lines.push(line.trimEnd());
      line = `${next}${piece}`;
    }
    isEmpty = false;
  }
  return [...lines, line.trimEnd()];
}

/** Returns a command line quoted for a shell. */
export function typed([tool = '', ...argv]: readonly string[]): string {
  return commandLine({ tool, argv });
}

/** The message for a run, and for a dry run, of a script. */
export const neverOver = 'the top-level await of the script never ends';
