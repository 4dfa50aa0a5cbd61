import type * as z from 'zod/mini';
import { UsageError } from './errors.ts';
import { type Bytes, parseSize } from './units.ts';

/** The request of a recipe, read by its schema. Throws UsageError, which names each wrong key. */
export function parsed<S extends z.ZodMiniType>(what: string, schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
  throw new UsageError(`${what}: ${issues.join('; ')}`);
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
