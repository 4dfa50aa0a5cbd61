import { Secret } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';

/** A JSON value of a description, in which a `Secret` represents its text. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | Secret
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** A JSON value in which secrets are replaced by their texts. */
export type Revealed =
  | string
  | number
  | boolean
  | null
  | readonly Revealed[]
  | { readonly [key: string]: Revealed };

/**
 * Replaces the secrets in a value by their texts. UsageError for a value that JSON does not have,
 * such as a function.
 */
export function revealed(
  value: unknown,
  where: string,
): { readonly data: Revealed; readonly secret: boolean } {
  let secret = false;
  const walk = (each: unknown, at: string): Revealed => {
    if (each instanceof Secret) {
      secret = true;
      return Buffer.from(each.reveal()).toString('utf8');
    }
    if (each === null || typeof each === 'string' || typeof each === 'boolean') return each;
    if (typeof each === 'number' && Number.isFinite(each)) return each;
    if (Array.isArray(each)) return each.map((one, index) => walk(one, `${at}[${String(index)}]`));
    if (isRecord(each))
      return Object.fromEntries(Object.entries(each).map(([key, one]) => [key, walk(one, `${at}.${key}`)]));
    const what = Object.prototype.toString.call(each).slice('[object '.length, -1);
    throw new UsageError(`${at} is ${what}`, {
      remedy: 'give text, a number, true, false, null, a Secret, an array or an object of these',
    });
  };
  return { data: walk(value, where), secret };
}

/** Whether a value is a plain object (`{ … }`), also one of the global scope of a script. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
