import { UsageError } from '../../core/errors.ts';
import { lex, type Token } from './lexer.ts';
import { quoted } from './write.ts';

/** The current content of a config file on the host. */
export interface ConfigFile {
  readonly text: Uint8Array;
  readonly file: string;
}

/** A replacement of bytes of a file, as text with one character per byte. */
interface Replacement {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

/**
 * The file with some settings changed and every other byte as it was. A setting keeps its place and its
 * quotes; a missing one is added at the end. If a key is set twice, changes the last one, which xl reads.
 * Throws UsageError "FILE:LINE: …" for a value that is a list or a sum.
 */
export function withSettings(config: ConfigFile, to: Readonly<Record<string, string | number>>): Buffer {
  const tokens = lex(config);
  const added: string[] = [];
  const replaced = Object.entries(to).flatMap(([key, value]): readonly Replacement[] => {
    const text = quoted({ text: String(value), what: key });
    const plain = typeof value === 'number' ? String(value) : text;
    const token = valueOf(tokens, { key, file: config.file });
    if (token === undefined) {
      added.push(`${key} = ${plain}\n`);
      return [];
    }
    const mark = rawOf(config, token).charAt(0);
    const keeps = token.kind === 'string' && !text.slice(1, -1).includes(mark);
    const by = keeps ? mark + text.slice(1, -1) + mark : plain;
    return [{ from: token.from, to: token.to, by: utf8(by) }];
  });
  const changed = replace(config, replaced);
  const gap = added.length === 0 || changed.length === 0 || changed.at(-1) === 0x0a ? '' : '\n';
  return Buffer.concat([changed, Buffer.from(gap + added.join(''))]);
}

/**
 * Replaces each string of a list for which `change` returns a value; every other byte stays. Throws
 * UsageError if such a string contains escapes.
 */
export function withItems(
  config: ConfigFile,
  key: string,
  change: (item: string) => { readonly from: string; readonly to: string } | undefined,
): Buffer {
  const items = itemsOf(lex(config), key);
  const replaced = items.flatMap((token): readonly Replacement[] => {
    const wanted = change(token.text);
    if (wanted === undefined) return [];
    const raw = rawOf(config, token);
    const [before, after, ...more] = raw.split(utf8(wanted.from));
    if (before === undefined || after === undefined || more.length > 0)
      throw new UsageError(
        `${config.file}:${token.line}: this string must contain ${wanted.from} exactly once and without escapes`,
        { remedy: `write ${wanted.from} there once, without backslashes; then run the command again` },
      );
    return [{ from: token.from, to: token.to, by: `${before}${utf8(wanted.to)}${after}` }];
  });
  return replace(config, replaced);
}

/**
 * Adds a string at the end of a list; every other byte stays. Throws UsageError "FILE:LINE: …" if the value
 * of the key is not a list.
 */
export function withItem(config: ConfigFile, key: string, item: string): Buffer {
  const text = utf8(quoted({ text: item, what: key }));
  const tokens = lex(config);
  const last = itemsOf(tokens, key).at(-1);
  if (last !== undefined) {
    const { line, comma } = lineOf(config, tokens, last);
    if (line === undefined)
      return replace(config, [
        comma === undefined
          ? { from: last.to, to: last.to, by: `, ${text}` }
          : { from: comma.to, to: comma.to, by: ` ${text},` },
      ]);
    const end = line.to - 1;
    const comment = Buffer.from(config.text)
      .toString('latin1')
      .slice((comma ?? last).to, end);
    const [before, after] = comma === undefined ? [',', ''] : ['', ','];
    const by = `${before}${comment}\n${line.indent}${text}${after}`;
    return replace(config, [{ from: (comma ?? last).to, to: end, by }]);
  }
  const at = tokens.findLastIndex(({ kind, text: name }) => kind === 'ident' && name === key);
  const [open, close] = tokens.slice(at + 2).filter(({ kind }) => kind !== 'newline');
  if (at >= 0 && open?.kind === '[' && close?.kind === ']') {
    const between = Buffer.from(config.text).toString('latin1').slice(open.to, close.from);
    // A comment stays.
    const from = between.trim() === '' ? open.to : close.from;
    return replace(config, [{ from, to: close.from, by: text }]);
  }
  if (at >= 0)
    throw new UsageError(`${config.file}:${tokens[at]?.line ?? 1}: expected a list: ${key} = [ … ]`);
  const gap = config.text.length === 0 || config.text.at(-1) === 0x0a ? '' : '\n';
  return Buffer.concat([config.text, Buffer.from(`${gap}${key} = [${text}]\n`, 'latin1')]);
}

/**
 * Removes one string of a list, and its comma. `at` counts from 0 over all parts of the list. Removes a line
 * that has only this string, with its comment.
 */
export function withoutItem(config: ConfigFile, key: string, at: number): Buffer {
  const tokens = lex(config);
  const item = itemsOf(tokens, key)[at];
  if (item === undefined)
    throw new UsageError(`${config.file}: the list ${key} has no item ${String(at + 1)}`);
  const code = tokens.filter(({ kind }) => kind !== 'newline');
  const before = code[code.indexOf(item) - 1];
  const { line, comma } = lineOf(config, tokens, item);
  const source = Buffer.from(config.text).toString('latin1');
  const blank = (from: number): number => from + (/^[ \t]*/.exec(source.slice(from))?.[0].length ?? 0);
  const own = line ?? (comma ? { from: item.from, to: blank(comma.to) } : { from: item.from, to: item.to });
  if (comma !== undefined || before?.kind !== ',') return replace(config, [{ ...own, by: '' }]);
  return replace(config, [
    line === undefined
      ? { from: before.from, to: item.to, by: '' }
      : { from: before.from, to: before.to, by: '' },
    ...(line === undefined ? [] : [{ ...own, by: '' }]),
  ]);
}

/** The range to remove: the comma after an item, and its whole line if that has no other item and no bracket. */
function lineOf(config: ConfigFile, tokens: readonly Token[], item: Token) {
  const source = Buffer.from(config.text).toString('latin1');
  const from = source.lastIndexOf('\n', item.from) + 1;
  const indent = source.slice(from, item.from);
  const [next, after] = tokens.slice(tokens.indexOf(item) + 1).filter(({ kind }) => kind !== 'newline');
  const comma = next?.kind === ',' ? next : undefined;
  const other = comma === undefined ? next : after;
  const to = source.indexOf('\n', (comma ?? item).to) + 1;
  const isAlone = indent.trim() === '' && to > 0 && (other === undefined || other.from >= to);
  return { comma, line: isAlone ? { from, to, indent } : undefined };
}

/** The token of a value that is one string or number; undefined if the key is not set. */
function valueOf(
  tokens: readonly Token[],
  { key, file }: { readonly key: string; readonly file: string },
): Token | undefined {
  const at = tokens.findLastIndex(({ kind, text }) => kind === 'ident' && text === key);
  if (at < 0) return undefined;
  const [name, mark, value] = tokens.slice(at, at + 3);
  if (mark?.kind === '=' && (value?.kind === 'string' || value?.kind === 'number')) return value;
  throw new UsageError(`${file}:${name?.line ?? 1}: expected one value for ${key}: ${key} = …`);
}

/**
 * The strings of a list, in all its parts: `disk = [ … ]` and `disk += [ … ]`. If the list is set
 * twice, xl reads the last one.
 */
function itemsOf(tokens: readonly Token[], key: string): readonly Token[] {
  const from = tokens.findLastIndex(
    ({ kind, text }, at) => kind === 'ident' && text === key && tokens[at + 1]?.kind === '=',
  );
  let own = false;
  return tokens.slice(Math.max(from, 0)).filter(({ kind, text }) => {
    // An identifier is only ever the name of a setting.
    if (kind === 'ident') own = text === key;
    return own && kind === 'string';
  });
}

function replace({ text }: ConfigFile, replacements: readonly Replacement[]): Buffer {
  let source = Buffer.from(text).toString('latin1');
  for (const { from, to, by } of replacements.toSorted((a, b) => b.from - a.from))
    source = source.slice(0, from) + by + source.slice(to);
  return Buffer.from(source, 'latin1');
}

function rawOf({ text }: ConfigFile, { from, to }: Token): string {
  return Buffer.from(text.subarray(from, to)).toString('latin1');
}

/** Encodes text with one character per byte. */
function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
