import { UsageError } from '../../core/errors.ts';
import { lex, type Token } from './lexer.ts';

/**
 * A value of xl.cfg with its line. `text` of a number is as it was written (`0x10`); xl itself
 * stores only the text.
 */
export type ConfigValue =
  | { readonly kind: 'string'; readonly text: string; readonly line: number }
  | { readonly kind: 'number'; readonly text: string; readonly value: number; readonly line: number }
  | { readonly kind: 'list'; readonly items: readonly ConfigValue[]; readonly line: number };

/** An xl.cfg file: if a key is set twice the last value wins, as in xl. */
export interface ParsedConfig {
  readonly file: string;
  readonly settings: ReadonlyMap<string, ConfigValue>;
}

/** The maximum depth of nested lists, when reading and writing. xl.cfg(5) needs two levels. */
export const deepest = 16;

/**
 * Parses xl.cfg: the grammar of libxlu_cfg_y.y (xen.git tools/libs/util, Xen 4.17): `key = value`
 * and `key += value`, ended by a newline or `;`. In a list newlines may be anywhere, but do not
 * replace the comma between two values; a comma after the last value is allowed. Throws UsageError
 * "FILE:LINE: …what was expected".
 */
export function parseConfig(input: {
  readonly text: Uint8Array | string;
  readonly file: string;
}): ParsedConfig {
  const reader = readerOf(lex(input), input.file);
  const settings = new Map<string, ConfigValue>();
  for (;;) {
    if (reader.take('newline') ?? reader.take(';')) continue;
    if (reader.take('end')) return { file: input.file, settings };
    const name = reader.take('ident') ?? reader.fail('a lower-case name');
    const add = reader.take('+=');
    if (add === undefined && reader.take('=') === undefined) reader.fail(`"=" or "+=" after ${name.text}`);
    const value = readValue(reader, 1);
    const before = add === undefined ? undefined : settings.get(name.text);
    settings.set(name.text, before === undefined ? value : joined(before, value, { ...input, name }));
    if (!reader.at('newline', ';', 'end')) reader.fail(`a newline or ";" after the value of ${name.text}`);
  }
}

interface Reader {
  take(kind: Token['kind']): Token | undefined;
  at(...kinds: readonly Token['kind'][]): boolean;
  fail(expected: string): never;
}

const inWords: Readonly<Partial<Record<Token['kind'], string>>> = {
  newline: 'the end of the line',
  end: 'the end of the file',
  ident: 'a name',
  number: 'a number',
  string: 'a quoted string',
};

function readerOf(tokens: readonly Token[], file: string): Reader {
  let next = 0;
  const now = (): Token => tokens[next] ?? { kind: 'end', text: '', line: 1, from: 0, to: 0 };
  return {
    take: (kind) => {
      const token = now();
      if (token.kind !== kind) return undefined;
      next += 1;
      return token;
    },
    at: (...kinds) => kinds.includes(now().kind),
    fail: (expected) => {
      const { kind, line } = now();
      // Without the word itself, which may be a password.
      throw new UsageError(`${file}:${line}: expected ${expected}, found ${inWords[kind] ?? kind}`);
    },
  };
}

function readValue(reader: Reader, depth: number): ConfigValue {
  const string = reader.take('string');
  if (string !== undefined) return { kind: 'string', text: string.text, line: string.line };
  const number = reader.take('number');
  if (number !== undefined) return atomOf(number);
  const open = reader.take('[');
  if (open === undefined) reader.fail('a quoted string, a number or a list');
  if (depth > deepest) reader.fail(`lists nested at most ${deepest} deep`);
  const items: ConfigValue[] = [];
  for (;;) {
    while (reader.take('newline'));
    if (reader.take(']')) return { kind: 'list', items, line: open.line };
    items.push(readValue(reader, depth + 1));
    while (reader.take('newline'));
    if (reader.take(',') === undefined && !reader.at(']')) reader.fail('"," or "]" in the list');
  }
}

/**
 * strtol with base 0, as xlu_cfg_get_long reads it: `010` is 8. Text that is not a number (`12ab`)
 * is a string for xl.
 */
function atomOf({ text, line }: Token): ConfigValue {
  const octal = /^0[0-7]+$/.test(text);
  const value = octal
    ? Number.parseInt(text, 8)
    : /^(?:0x[0-9a-f]+|0|[1-9]\d*)$/.test(text)
      ? Number(text)
      : NaN;
  if (Number.isSafeInteger(value)) return { kind: 'number', text, value, line };
  return { kind: 'string', text, line };
}

/**
 * `+=`: xl appends strings to strings and lists to lists (Xen 4.8 and newer). A number is a string
 * for xl; bofh appends nothing to one.
 */
function joined(
  before: ConfigValue,
  more: ConfigValue,
  { file, name }: { readonly file: string; readonly name: Token },
): ConfigValue {
  if (before.kind === 'list' && more.kind === 'list')
    return { kind: 'list', items: [...before.items, ...more.items], line: before.line };
  if (before.kind === 'string' && more.kind === 'string')
    return { kind: 'string', text: before.text + more.text, line: before.line };
  throw new UsageError(
    before.kind === 'number'
      ? `${file}:${more.line}: expected = for ${name.text}, which is a number: += only adds to strings and lists`
      : `${file}:${more.line}: expected a ${before.kind} for ${name.text} +=, found a ${more.kind}`,
  );
}
