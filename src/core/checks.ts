import { RefusedError, UsageError } from './errors.ts';
import { escaped } from './escaped.ts';
import { meantBy } from './nearest.ts';
import { isAtConsole } from './option.ts';

/** Errors whose message already names their method. */
const named = new WeakSet<object>();

/** A method or a kind of step. At the console the command line says which one it is. */
const method = /^[a-z]+(?:\.[a-zA-Z-]+)+$/;

/**
 * The error for wrong options of a call: names each option and what is wrong with it. Issues are those of
 * Standard Schema; those of `checkedBy` also have a remedy.
 */
export function wrongOptions(
  what: string,
  issues: readonly Issue[],
  /** With the schema, the error suggests the right name for a misspelt option. */
  { value, schema }: { readonly value: unknown; readonly schema?: unknown },
): UsageError {
  const remedies = [...new Set(issues.flatMap(({ params }) => params?.remedy ?? []))];
  const found = issuesIn(issues, value, keysOf(schema));
  const error = new UsageError(isAtConsole() && method.test(what) ? found : `${what}: ${found}`, {
    ...(remedies.length === 0 ? {} : { remedy: remedies.join('; ') }),
  });
  named.add(error);
  return error;
}

/** Formats the issues of a value, each after the name of its key. */
export function issuesIn(issues: readonly Issue[], value: unknown, known: readonly string[] = []): string {
  return [...new Set(issues.map((issue) => textOf(issue, value, known)))].join('; ');
}

function keysOf(schema: unknown): readonly string[] {
  return Object.keys(memberOf(schema, 'shape') ?? {});
}

/**
 * Runs the body of a method of the library. In a program, each value of `texts` must be text that is not
 * empty, and an error with the code `invalid` names the method and the argument.
 */
export function naming<T>(method: string, texts: Readonly<Record<string, unknown>>, body: () => T): T {
  if (isAtConsole()) return body();
  const fail = (error: unknown): never => {
    throw namedError(method, texts, error);
  };
  for (const [name, value] of Object.entries(texts)) {
    const wrong = notText(value);
    if (wrong !== undefined) fail(new UsageError(`${name}${wrong}`));
  }
  try {
    const result = body();
    return result instanceof Promise ? (result.catch(fail) as T) : result;
  } catch (error) {
    return fail(error);
  }
}

function notText(value: unknown): string | undefined {
  if (value === null || value === undefined) return ' is missing';
  if (typeof value !== 'string') return `: expected string, not ${typeof value}`;
  if (value.includes('\0')) return ': must not contain NUL';
  return value === '' ? ' is empty' : undefined;
}

/** The error of a method. In a program, an error with the code `invalid` names the method and the option. */
export function namedError(method: string, args: unknown, error: unknown): unknown {
  const isOurs = error instanceof UsageError || error instanceof RefusedError;
  if (!isOurs || error.code !== 'invalid' || isAtConsole() || named.has(error)) return error;
  const { remedy, holders, code, cause } = error;
  const Class = error instanceof UsageError ? UsageError : RefusedError;
  const again = new Class(`${method}: ${optionIn(error.message, args)}${error.message}`, {
    ...{ remedy, holders, code, cause },
  });
  named.add(again);
  return again;
}

/** The option whose value a message quotes; none if the message begins with the name of the option. */
function optionIn(message: string, args: unknown): string {
  if (typeof args !== 'object' || args === null) return '';
  const isQuoted = (value: unknown): boolean => {
    if (typeof value === 'object' && value !== null) return Object.values(value).some(isQuoted);
    return (
      typeof value === 'string' &&
      [`"${escaped(value)}"`, JSON.stringify(value)].some((quoted) => message.includes(quoted))
    );
  };
  const name = Object.keys(args).find((key) => isQuoted(memberOf(args, key)));
  return name === undefined || new RegExp(`^${name}\\b`).test(message) ? '' : `${name}: `;
}

/** A value without the options that are undefined: TypeScript treats both alike. */
export function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isPlain(value)) return value;
  const given = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(given.map(([key, each]) => [key, withoutUndefined(each)]));
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly params?: { readonly remedy?: string | undefined } | undefined;
}

/** Messages of zod in plain words. */
const plain: readonly (readonly [RegExp, (bound: string) => string])[] = [
  [/^Too small: expected (?:number|int) to be >=(\S+)$/, (least) => `must be at least ${least}`],
  [/^Too small: expected (?:number|int) to be >(\S+)$/, (below) => `must be more than ${below}`],
  [/^Too big: expected (?:number|int) to be <=(\S+)$/, (most) => `must be at most ${most}`],
  [/^Too small: expected array to have >=(\d+) items?$/, (least) => `must have at least ${least}`],
  [/^Too big: expected array to have <=(\d+) items?$/, (most) => `must have at most ${most}`],
  [/^Too small: expected string to have >=(\d+) characters?$/, (least) => `must have at least ${least}`],
  [/^Invalid input: expected (int), received number$/, () => 'must be a whole number'],
  [/^Invalid input: expected (".+"|true|false|\d+)$/, (only) => `must be ${only.replaceAll('"', '')}`],
  [/^Invalid string: (must start with .+)$/, (begins) => begins],
];

function plainly(message: string): string | undefined {
  for (const [pattern, words] of plain) {
    const bound = pattern.exec(message)?.[1];
    if (bound !== undefined) return words(bound);
  }
  return undefined;
}

function textOf({ message, path = [] }: Issue, value: unknown, known: readonly string[]): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
  const at = isAtConsole() ? inWords(keys) : keys.join('.');
  const around = keys.slice(0, -1).reduce<unknown>(memberOf, value);
  const last = keys.at(-1);
  if (last !== undefined && typeof around === 'object' && memberOf(around, last) === undefined)
    return `${at} is missing`;
  const type = /^Invalid input: expected (?<wanted>.+), received (?<given>.+)$/.exec(message)?.groups;
  if (type?.given === 'undefined') return `${at === '' ? 'the argument' : at} is missing`;
  if (/^Too small: expected string to have >=1 char/.test(message) && at !== '') return `${at} is empty`;
  const unknown = /^Unrecognized keys?: (?<names>.+)$/s.exec(message)?.groups?.names;
  const oneOf = /^Invalid (?:discriminator value\. E|option: e)xpected (?:one of )?(?<all>.+)$/.exec(message)
    ?.groups?.all;
  const wrong =
    plainly(message) ??
    (type === undefined ? undefined : `expected ${type.wanted ?? ''}, not ${type.given ?? ''}`) ??
    (unknown === undefined ? undefined : noOption(unknown, at === '' ? known : [])) ??
    (oneOf === undefined
      ? message
      : `must be ${oneOf
          .replaceAll(/["']/g, '')
          .replaceAll(/ ?\| ?/g, ', ')
          .replace(/, (?=[^,]*$)/, ' or ')}`);
  return at === '' ? wrong : `${at}: ${wrong}`;
}

/**
 * The way to a value in words, for the console, whose options have other names: `block size` for
 * `blockSize`.
 */
function inWords(keys: readonly string[]): string {
  return keys
    .filter((key) => !/^\d+$/.test(key))
    .map((key) => key.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))
    .join(' ');
}

/** The text for unknown options; `names` are in quotation marks. */
function noOption(names: string, known: readonly string[]): string {
  const meant = [...names.matchAll(/"([^"]*)"/g)].flatMap(([, name = '']) => meantBy(name, known) ?? []);
  if (meant.length > 0) return `there is no option ${names}: did you mean ${meant.join(', ')}?`;
  return `there is no option ${names}${known.length === 0 ? '' : ` (there are: ${known.join(', ')})`}`;
}

function memberOf(of: unknown, key: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, key) : undefined;
}

/** Throws UsageError for an argument that is not text, or empty: scripts without types may pass anything. */
export function checkText(what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw not('text', what, value);
}

/** Throws UsageError for an argument that is not a function. */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw not('a function', what, value);
}

function not(wanted: string, what: string, value: unknown): UsageError {
  const isMissing = value === undefined || value === null || value === '';
  const kind = typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  return new UsageError(isMissing ? `${what} is missing` : `${what} must be ${wanted}, not ${kind}`);
}

/** Throws UsageError for an unknown key of an object. */
export function checkKeys(what: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw not('an object', what, value);
  const [unknown] = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown !== undefined) throw new UsageError(`${what}: ${noOption(`"${unknown}"`, known)}`);
}
