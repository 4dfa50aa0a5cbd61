import { UsageError } from '../../core/errors.ts';

/** A name as text, also for the refusal of an invalid name. */
export function textOf(name: unknown): string {
  return typeof name === 'string' ? name : 'without a name';
}

/**
 * Throws UsageError for an invalid name: scripts are not type-checked, and a journal needs names to be
 * readable.
 */
export function checkName(what: string, name: unknown): string {
  if (typeof name === 'string' && name.trim() !== '') return name;
  throw new UsageError(`${what} needs a name (a non-empty string)`, {
    remedy: `name what it does: atomic('web1', …)`,
  });
}
