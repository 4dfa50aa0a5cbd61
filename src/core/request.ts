import * as z from 'zod/mini';
import { withoutUndefined, wrongOptions } from './checks.ts';
import { UsageError } from './errors.ts';
import { type Bytes, parseSize } from './units.ts';

/** Checks the request of a library function with its schema. Throws UsageError, which names each wrong key. */
export function parsed<S extends z.ZodMiniType>(what: string, schema: S, value: unknown): z.output<S> {
  const given = withoutUndefined(value);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw wrongOptions(what, result.error.issues, { value: given, schema });
}

/** Text that is not empty, as an option. */
export const text = z.string().check(z.minLength(1));

/** One text, or a list of texts. */
export const oneOrMore = z.union([text, z.array(text)]);

/** A number, or text with more forms than a size (`+5g`, `max`). The caller parses and checks it. */
export const anySize = z.union([z.string(), z.number()], 'must be bytes, or text such as 10g');

/** A check for a schema, from a function that throws UsageError. */
function checkedBy<T>(parse: (value: T) => unknown): z.core.CheckFn<T> {
  return ({ value, issues }) => {
    try {
      parse(value);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const { message, remedy } = error;
      issues.push({ code: 'custom', input: value, message, params: { remedy } });
    }
  };
}

/** A size as an option, for `parseSize`. */
export const sizeOption = anySize.check(checkedBy(parseSize));

/** A size that may be 0, for `sizeOrZero`. */
export const sizeOrZeroOption = anySize.check(checkedBy(sizeOrZero));

/** A size, or `max`, as an option, for `sizeOrMax`. */
export const sizeOrMaxOption = anySize.check(checkedBy(sizeOrMax));

export function sizeOrMax(value: string | number): Bytes | 'max' {
  return value === 'max' ? value : parseSize(value);
}

export function sizeOrZero(value: string | number): Bytes {
  return value === 0 || value === '0' ? 0 : parseSize(value);
}

/** Milliseconds as an option. A longer timer of Node.js fires at once (setTimeout takes 31 bits). */
export const milliseconds = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));

/** A function as an option. */
export function callable<F>() {
  return z.custom<F>((value) => typeof value === 'function', 'must be a function');
}

/** The bytes of a size that no schema has checked. Throws UsageError, which names the key. */
export function sizeOf(key: string, value: string | number): Bytes {
  try {
    return parseSize(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${key}: ${error.message}`, { cause: error, remedy: error.remedy });
  }
}

/** A new size as an option, for `inBytes`. */
export const newSize = z.union(
  [z.strictObject({ size: anySize }), z.strictObject({ by: anySize }), z.enum(['min', 'max'])],
  'must be { size }, { by }, min or max',
);

/** The requested size, with texts as bytes. */
export function inBytes(
  what: string,
  to: z.output<typeof newSize>,
): 'min' | 'max' | { readonly size: Bytes } | { readonly by: Bytes } {
  if (typeof to === 'string') return to;
  if ('size' in to) return { size: sizeOf(`${what}: to.size`, to.size) };
  if (typeof to.by === 'number') return { by: to.by };
  const bytes = sizeOf(`${what}: to.by`, to.by.replace(/^[+-]/, ''));
  return { by: to.by.startsWith('-') ? -bytes : bytes };
}

export const fromRoot = text.check(
  z.refine((path) => path.startsWith('/'), 'must be an absolute path'),
  z.refine((path) => !path.includes('\0'), 'must not contain NUL'),
);
