import { UsageError } from '../../core/errors.ts';

/** Also for a call that is refused because of its name. */
export function textOf(name: unknown): string {
  return typeof name === 'string' ? name : 'without a name';
}

/** Scripts are not type-checked, and a journal without names would be unreadable. */
export function checkName(what: string, name: unknown): string {
  if (typeof name === 'string' && name.trim() !== '') return name;
  throw new UsageError(`${what} needs a name (a non-empty string)`, {
    remedy: `name what it does: atomic('web1', …)`,
  });
}
