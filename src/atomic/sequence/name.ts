import { UsageError } from '../../core/errors.ts';

/** For a call that is refused for its name, too. */
export function textOf(name: unknown): string {
  return typeof name === 'string' ? name : 'without a name';
}

/** Scripts are not type-checked, and a journal without names could be shown to nobody. */
export function checkName(what: string, name: unknown): string {
  if (typeof name === 'string' && name.trim() !== '') return name;
  throw new UsageError(`${what} needs a name, a text that is not empty`, {
    remedy: `name what it does: atomic('web1', …)`,
  });
}
