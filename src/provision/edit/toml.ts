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
  remove: (text, path) => withComments(text, patch(text, withValue(read(text), path, undefined))),
};

/**
 * Restores the comments before and after the removed lines, which the library removes too: they may
 * be about the whole file, or about the next table.
 */
function withComments(before: string, after: string): string {
  const [old, left] = [before.split('\n'), after.split('\n')];
  const most = Math.min(old.length, left.length);
  let start = 0;
  while (start < most && old[start] === left[start]) start++;
  let end = 0;
  while (end < most - start && old.at(-1 - end) === left.at(-1 - end)) end++;
  const removed = old.slice(start, old.length - end);
  const isComment = (line: string): boolean => line.trim().startsWith('#');
  const isContent = (line: string): boolean => line.trim() !== '' && !isComment(line);
  const [first, last] = [removed.findIndex(isContent), removed.findLastIndex(isContent)];
  const above = removed.slice(0, Math.max(first, 0));
  const below = removed.slice(last + 1);
  return [
    ...left.slice(0, start),
    ...above.slice(0, above.findLastIndex(isComment) + 1),
    ...left.slice(start, left.length - end),
    ...(below.some(isComment) ? below.slice(above.some(isComment) ? 0 : below.findIndex(isComment)) : []),
    ...left.slice(left.length - end),
  ].join('\n');
}

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
