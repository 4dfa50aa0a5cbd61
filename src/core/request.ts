import * as z from 'zod/mini';
import { issuesIn, withoutUndefined } from './checks.ts';
import { UsageError } from './errors.ts';
import { type Bytes, parseSize } from './units.ts';

/** The request of a recipe, read by its schema. Throws UsageError, which names each wrong key. */
export function parsed<S extends z.ZodMiniType>(what: string, schema: S, value: unknown): z.output<S> {
  const given = withoutUndefined(value);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new UsageError(`${what}: ${issuesIn(result.error.issues, given)}`);
}

/** Text that is not empty, as an option. */
export const text = z.string().check(z.minLength(1));

/** One text, or several. */
export const oneOrMore = z.union([text, z.array(text)]);

/** A size as an option: `sizeOf` reads it. */
export const sizeOption = z.union([z.string(), z.number()], 'must be bytes, or text such as 10g');

/** Milliseconds as an option. A longer timer of Node.js fires at once (setTimeout takes 31 bits). */
export const milliseconds = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));

/** A function as an option. */
export function callable<F>() {
  return z.custom<F>((value) => typeof value === 'function', 'must be a function');
}

/** The bytes of a size. Throws UsageError, which names the key. */
export function sizeOf(key: string, value: string | number): Bytes {
  try {
    return parseSize(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${key}: ${error.message}`, { cause: error, remedy: error.remedy });
  }
}

/** A new size as an option: `inBytes` reads it. */
export const newSize = z.union(
  [z.strictObject({ size: sizeOption }), z.strictObject({ by: sizeOption }), z.enum(['min', 'max'])],
  'must be { size }, { by }, min or max',
);

/** The requested size, with texts as bytes. */
export function inBytes(
  to: z.output<typeof newSize>,
): 'min' | 'max' | { readonly size: Bytes } | { readonly by: Bytes } {
  if (typeof to === 'string') return to;
  if ('size' in to) return { size: typeof to.size === 'number' ? to.size : parseSize(to.size) };
  if (typeof to.by === 'number') return { by: to.by };
  const bytes = parseSize(to.by.replace(/^[+-]/, ''));
  return { by: to.by.startsWith('-') ? -bytes : bytes };
}
