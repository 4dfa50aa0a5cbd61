import { isDeepStrictEqual } from 'node:util';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { isRecord, type Plain, type Revealed } from '../plain.ts';
import { type Syntax, Unparsed, withValue } from './text.ts';

/** Values of an object. An inner object is merged; every other value is replaced as a whole. */
export type Values = Readonly<Record<string, Plain>>;

/** Values in a file that others also write, in one syntax. Every other byte stays. */
export interface EditRequest {
  /** Values of a YAML file. */
  readonly yaml?: Values;
  /** Values of a JSON file, with or without comments. */
  readonly json?: Values;
  /** Values of a TOML file. */
  readonly toml?: Values;
  /**
   * Keys, and sections with their keys, of an INI file. An array is a repeated key, `null` a key
   * without a value.
   */
  readonly ini?: Values;
  /** Keys to remove, each with the keys that lead to it: `[['server', 'debug']]`. */
  readonly absent?: readonly (readonly string[])[];
}

export const syntaxes = ['yaml', 'json', 'toml', 'ini'] as const;
export type SyntaxName = (typeof syntaxes)[number];

/** The wanted values of a file. */
export interface WantedEdit {
  readonly syntax: SyntaxName;
  readonly secret: boolean;
  readonly edits: readonly Edit[];
}

/** A value at a path; undefined removes it. */
interface Edit {
  readonly path: readonly string[];
  readonly value: Revealed | undefined;
}

/**
 * Returns the edits of a request. UsageError if the syntax does not have such values, or two edits
 * contradict each other.
 */
export function editsOf(
  where: string,
  syntax: SyntaxName,
  values: Revealed,
  absent: readonly (readonly string[])[] = [],
): readonly Edit[] {
  const edits = [...leaves(values, []), ...absent.map((path) => ({ path, value: undefined }))];
  for (const [index, edit] of edits.entries()) {
    if (edits.some((other, at) => at > index && areRivals(edit, other)))
      throw new UsageError(`${where}: ${inWords(edit)} is described twice`);
    if (edit.value === undefined) continue;
    const value = JSON.stringify(edit.value);
    if (syntax === 'toml' && /(?:^|[[:,])null(?:$|[\],}])/.test(value.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')))
      throw new UsageError(`${where}: ${inWords(edit)}: TOML has no null`, {
        remedy: 'to remove a key, list it in `absent`',
      });
    if (syntax === 'ini' && !isIni(edit))
      throw new UsageError(
        `${where}: ${inWords(edit)}: an INI file has sections with keys, and values of one line`,
      );
  }
  return edits;
}

/** Whether one edit is at the place of the other or inside it, and they are not the same. */
export function areRivals(one: Edit, other: Edit): boolean {
  return (
    other.path.slice(0, one.path.length).every((key, at) => key === one.path[at]) &&
    one.path.slice(0, other.path.length).every((key, at) => key === other.path[at]) &&
    !isDeepStrictEqual(one, other)
  );
}

/**
 * Returns a text with the edits, and the edits that it needed. RefusedError if only an
 * administrator can make them.
 */
export async function edited(
  path: string,
  before: string | undefined,
  { syntax: name, edits }: WantedEdit,
): Promise<{ readonly text: string; readonly details: readonly string[] }> {
  const syntax = await load[name]();
  const read = (text: string): unknown => {
    const value = structuredClone(syntax.parse(text)) ?? {};
    if (!isRecord(value)) throw new Unparsed(1, 'its root is a list or a text, not keys with values');
    return value;
  };
  let text = before ?? syntax.empty;
  const details: string[] = [];
  let wanted: unknown;
  try {
    wanted = read(text);
  } catch (error) {
    if (!(error instanceof Unparsed)) throw error;
    throw new RefusedError(`${path}:${String(error.line)} is not ${name.toUpperCase()}: ${error.message}`, {
      cause: error,
      remedy: `correct that line; or describe the whole file with h.file`,
    });
  }
  for (const edit of edits) {
    const value = name === 'ini' ? iniValue(edit.value) : edit.value;
    const now = valueAt(path, wanted, edit.path);
    if (
      isDeepStrictEqual(now, value) ||
      (isRecord(now) && isRecord(value) && Object.keys(value).length === 0)
    )
      continue;
    try {
      text = value === undefined ? syntax.remove(text, edit.path) : syntax.set(text, edit.path, value);
      wanted = withValue(wanted, edit.path, value);
      if (!isDeepStrictEqual(read(text), wanted)) throw new Error('other values would change with it');
    } catch (error) {
      throw new RefusedError(
        `bofh cannot ${value === undefined ? 'remove' : 'set'} ${inWords(edit)} in ${path}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error, remedy: `edit it with an editor; or describe the whole file with h.file` },
      );
    }
    details.push(`${value === undefined ? 'removes' : 'sets'} ${inWords(edit)}`);
  }
  return { text: details.length === 0 ? (before ?? syntax.empty) : text, details };
}

/** Each library is loaded only for a file of its syntax. */
const load: Readonly<Record<SyntaxName, () => Promise<Syntax>>> = {
  yaml: async () => (await import('./yaml.ts')).yaml,
  json: async () => (await import('./json.ts')).json,
  toml: async () => (await import('./toml.ts')).toml,
  ini: async () => (await import('./ini.ts')).ini,
};

function* leaves(value: Revealed, path: readonly string[]): Generator<Edit> {
  const inner = isRecord(value) ? Object.entries(value) : [];
  if (inner.length === 0) {
    if (path.length > 0) yield { path, value };
  } else for (const [key, each] of inner) yield* leaves(each, [...path, key]);
}

function valueAt(file: string, of: unknown, path: readonly string[]): unknown {
  let now = of;
  for (const [depth, key] of path.entries()) {
    if (now === undefined || now === null) return undefined;
    if (!isRecord(now))
      throw new RefusedError(
        `in ${file}, ${path.slice(0, depth).join('.')} is a single value: it has no keys`,
        {
          remedy: 'correct the description; or describe the whole value',
        },
      );
    now = Object.hasOwn(now, key) ? now[key] : undefined;
  }
  return now;
}

function inWords({ path }: Edit): string {
  return path.join('.');
}

function isIni({ path, value }: Edit): boolean {
  if (path.length > 2 || (isRecord(value) && path.length > 1)) return false;
  const all = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  return (
    [...path, ...all.map(String)].every((each) => !/[\r\n]/.test(each)) &&
    (all.length > 1 || !Array.isArray(value)) &&
    all.every((each) => typeof each !== 'object' || each === null || isRecord(value))
  );
}

/** Converts a value to text, because an INI file has only texts. */
function iniValue(value: Revealed | undefined): Revealed | undefined {
  if (Array.isArray(value)) return (value as readonly Revealed[]).map((each) => iniValue(each) ?? null);
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : typeof value === 'string'
      ? value.trim()
      : value;
}
