import { RefusedError } from '../core/errors.ts';

/** Lines of a text file. Every byte of other lines stays. */
export interface LinesRequest {
  /** Lines that the file must have, exactly. Missing ones are added at its end. */
  readonly present?: readonly string[];
  /** Lines that the file must not have, exactly. */
  readonly absent?: readonly string[];
  /**
   * `{ 'Port ': 'Port 2222' }`: replaces the line that begins with the literal text; without such a
   * line, adds the new one. RefusedError if several lines begin with it.
   */
  readonly replace?: Readonly<Record<string, string>>;
}

/** Returns the content with the changed lines, one character per byte. */
export function withLines(
  path: string,
  content: string,
  { present = [], absent = [], replace = {} }: LinesRequest,
): string {
  // Each line keeps its own end: "\n", "\r\n", or none at the end of the file.
  const unwanted = new Set(absent.map(latin1));
  const lines = [...content.matchAll(/[^\n]*\n|[^\n]+$/g)]
    .map(([line]) => line)
    .filter((line) => !unwanted.has(textIn(line)));
  const wanted = present.map(latin1);
  for (const [prefix, line] of Object.entries(replace)) {
    const [start, text] = [latin1(prefix), latin1(line)];
    const found = [...lines.keys()].filter((at) => lines[at]?.startsWith(start));
    const [at] = found;
    if (found.length > 1)
      throw new RefusedError(`${path} has ${String(found.length)} lines that begin with "${prefix}"`, {
        remedy: 'pass a longer prefix that only one line has; or list the other lines in `absent`',
      });
    if (at === undefined) wanted.push(text);
    else lines[at] = `${text}${(lines[at] ?? '').slice(textIn(lines[at] ?? '').length)}`;
  }
  const there = new Set(lines.map(textIn));
  const added = wanted.filter((line, at) => !there.has(line) && wanted.indexOf(line) === at);
  if (added.length === 0) return lines.join('');
  const end = lines[0]?.endsWith('\r\n') === true ? '\r\n' : '\n';
  const last = lines.at(-1);
  // A file without a newline at its end still has none afterwards.
  if (last !== undefined && !last.endsWith('\n')) return [lines.join(''), ...added].join(end);
  return [...lines, ...added.map((line) => `${line}${end}`)].join('');
}

function textIn(line: string): string {
  return line.replace(/\r?\n$/, '');
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
