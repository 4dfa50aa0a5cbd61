import { UsageError } from '../../core/errors.ts';

/** One token of an xl.cfg file. `text` of a string is its value, without quotes and escapes. */
export interface Token {
  readonly kind: 'ident' | 'number' | 'string' | 'newline' | 'end' | '=' | '+=' | '[' | ']' | ',' | ';';
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
  /** The offsets in the file of its first byte, and of the byte after it. */
  readonly from: number;
  readonly to: number;
}

/** Larger than any guest's config: refuses a wrong file (a disk image) early. */
const largest = 1024 * 1024;

// The rules of libxlu_cfg_l.l (xen.git tools/libs/util, Xen 4.17). A comment ends with a newline, and without one
// xl rejects it; quoted strings stay on one line; names are lower case; signs, dots and \r are lexical errors.
const rules =
  /(?<blank>[ \t]+)|(?<ident>[a-z][._0-9a-z]*)|(?<number>[0-9][0-9a-fx]*)|(?<newline>\n|#[^\n]*\n)|(?<string>'(?:[^'\\\n]|\\[^\n])*'|"(?:[^"\\\n]|\\[^\n])*")|(?<mark>\+=|[=[\],;])/y;

/**
 * The tokens of an xl.cfg text, with a last token of kind `end`. Throws UsageError "FILE:LINE: …" for text
 * that xl's lexer refuses, and for text that it misreads.
 */
export function lex({ text, file }: { readonly text: Uint8Array | string; readonly file: string }): Token[] {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : Buffer.from(text);
  if (bytes.length > largest)
    throw new UsageError(`${file}: is larger than 1 MiB, the limit for a guest configuration`);
  // xl works on bytes: a comment in an old encoding is valid, so only strings are decoded.
  const source = bytes.toString('latin1');
  const tokens: Token[] = [];
  let line = 1;
  for (let at = 0; at < source.length; at = rules.lastIndex) {
    rules.lastIndex = at;
    const found = rules.exec(source);
    if (found?.groups === undefined) throw new UsageError(`${file}:${line}: ${complain(source.slice(at))}`);
    const token = tokenOf(found.groups, { file, line, from: at, to: rules.lastIndex });
    if (token !== undefined) tokens.push(token);
    if (token?.kind === 'newline') line += 1;
  }
  tokens.push({ kind: 'end', text: '', line, from: source.length, to: source.length });
  return tokens;
}

interface Place extends Pick<Token, 'line' | 'from' | 'to'> {
  readonly file: string;
}

function tokenOf(groups: Record<string, string | undefined>, place: Place): Token | undefined {
  const { ident, number, newline, string, mark } = groups;
  const { line, from, to } = place;
  const at = { line, from, to };
  if (ident !== undefined) return { kind: 'ident', text: ident, ...at };
  if (number !== undefined) return { kind: 'number', text: number, ...at };
  if (newline !== undefined) return { kind: 'newline', text: '', ...at };
  if (string !== undefined) return { kind: 'string', text: unquote(string, place), ...at };
  if (mark === '=' || mark === '+=' || mark === '[' || mark === ']' || mark === ',' || mark === ';')
    return { kind: mark, text: mark, ...at };
  return undefined;
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** xlu__cfgl_dequote of libxlu_cfg.c: the C escapes, in both kinds of quotes. */
function unquote(quoted: string, { file, line }: Place): string {
  const raw = quoted.slice(1, -1).replace(/\\(?<after>[^\n])/g, (_, after: string) => {
    const meant = Object.hasOwn(escapes, after) ? escapes[after] : undefined;
    if (meant !== undefined) return meant;
    // \x41 and \101 pass xl's lexer, but its macro NUMERIC_CHAR drops the character (and reads octal as decimal).
    throw new UsageError(
      /[x0-7]/.test(after)
        ? `${file}:${line}: xl misreads numeric escapes such as "\\${after}…": write the character itself`
        : `${file}:${line}: "\\${after}" is not an escape that xl knows; write "\\\\" for a backslash`,
    );
  });
  if (raw.includes('\0'))
    throw new UsageError(`${file}:${line}: a string contains a NUL byte: xl would cut it off there`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(raw, 'latin1'));
  } catch {
    throw new UsageError(`${file}:${line}: a string is not UTF-8`);
  }
}

function complain(rest: string): string {
  const first = rest.charAt(0);
  if (first === '#') return 'the comment in the last line needs a newline at its end: xl rejects it';
  if (first === '"' || first === "'") return `expected a closing ${first} on the same line`;
  if (first === '\r') return 'a carriage return: save the file with Unix line ends';
  if (/[+\-.():]/.test(first))
    return `"${first}" outside quotes: expected a name, a number, a quoted string or a list; xl.cfg is not Python`;
  const shown = /^[\x21-\x7e]/.test(first) ? `"${first}"` : `byte 0x${first.charCodeAt(0).toString(16)}`;
  return `${shown} outside quotes: expected a lower-case name, a number, a quoted string or a list`;
}
