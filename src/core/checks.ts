import { UsageError } from './errors.ts';

/**
 * The error for the options of a call: each with its name and what is wrong with it. Issues as
 * Standard Schema has them; those of `checkedBy` also have a remedy.
 */
export function wrongOptions(what: string, issues: readonly Issue[], value: unknown): UsageError {
  const remedies = [...new Set(issues.flatMap(({ params }) => params?.remedy ?? []))];
  return new UsageError(`${what}: ${issuesIn(issues, value)}`, {
    ...(remedies.length === 0 ? {} : { remedy: remedies.join('; ') }),
  });
}

/** What is wrong with each value, by its name. */
export function issuesIn(issues: readonly Issue[], value: unknown): string {
  return [...new Set(issues.map((issue) => textOf(issue, value)))].join('; ');
}

/** A value whose options are omitted where they are undefined: TypeScript lets both pass for the same. */
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

function textOf({ message, path = [] }: Issue, value: unknown): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
  const at = keys.join('.');
  const around = keys.slice(0, -1).reduce<unknown>(memberOf, value);
  const last = keys.at(-1);
  if (last !== undefined && typeof around === 'object' && memberOf(around, last) === undefined)
    return `${at} is missing`;
  const type = /^Invalid input: expected (?<wanted>.+), received (?<given>.+)$/.exec(message)?.groups;
  if (type?.given === 'undefined') return `${at === '' ? 'the argument' : at} is missing`;
  if (/^Too small: expected string to have >=1 char/.test(message) && at !== '') return `${at} is empty`;
  const unknown = /^Unrecognized keys?: (?<names>.+)$/.exec(message)?.groups?.names;
  const oneOf = /^Invalid (?:discriminator value\. E|option: e)xpected (?:one of )?(?<all>.+)$/.exec(message)
    ?.groups?.all;
  const wrong =
    plainly(message) ??
    (type === undefined ? undefined : `expected ${type.wanted ?? ''}, not ${type.given ?? ''}`) ??
    (unknown === undefined ? undefined : `there is no option ${unknown}`) ??
    (oneOf === undefined
      ? message
      : `must be ${oneOf
          .replaceAll(/["']/g, '')
          .replaceAll(/ ?\| ?/g, ', ')
          .replace(/, (?=[^,]*$)/, ' or ')}`);
  return at === '' ? wrong : `${at}: ${wrong}`;
}

function memberOf(of: unknown, key: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, key) : undefined;
}

/** Throws UsageError for an argument that is not text, or empty: scripts without types may pass anything. */
export function checkText(what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw not('text', what, value);
}

/** Throws UsageError for an argument that is no function. */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw not('a function', what, value);
}

function not(wanted: string, what: string, value: unknown): UsageError {
  const isMissing = value === undefined || value === null || value === '';
  const kind = typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  return new UsageError(isMissing ? `${what} is missing` : `${what} must be ${wanted}, not ${kind}`);
}

/** Throws UsageError for a name that an object may not have. */
export function checkKeys(what: string, value: object, known: readonly string[]): void {
  const [unknown] = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown !== undefined) throw new UsageError(`${what}: there is no option "${unknown}"`);
}
