import { parse, patch, stringify } from '@decimalturn/toml-patch';
import { isRecord, type Revealed } from '../plain.ts';
import { lineAt, nested, splice, type Syntax, Unparsed, withValue } from './text.ts';

/** TOML 1.0. */
export const toml: Syntax = {
  empty: '',
  parse: read,
  set: (text, path, value) => {
    const all = read(text);
    const [key = '', ...rest] = path;
    const inner = nested(rest, value);
    // The library cannot add an array of tables, and drops empty lines in a file that contains only
    // comments.
    const has = isRecord(all) ? Object.keys(all) : [];
    if (has.length === 0 || (isTables(inner) && !has.includes(key)))
      return splice(
        text,
        [text.length, text.length],
        `${gap(text)}${stringify({ [key]: inner }).trimEnd()}\n`,
      );
    const after = patch(text, withValue(all, path, value));
    for (const [comment] of text.matchAll(/^[ \t]*#.*$/gm))
      if (!after.includes(comment)) throw new Error(`the comment "${comment.trim()}" would be lost`);
    return after;
  },
  remove: (text, path) => patch(text, withValue(read(text), path, undefined)),
};

function read(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const line = 'line' in error && typeof error.line === 'number' ? error.line : lineAt(text, text.length);
    throw new Unparsed(line, error.message.split('\n').at(-1) ?? error.message);
  }
}

function isTables(value: Revealed): boolean {
  return isRecord(value) || (Array.isArray(value) && value.length > 0 && value.every(isRecord));
}

/** Returns the line ends for an empty line before a new table. */
function gap(text: string): string {
  return text === '' || text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n';
}
