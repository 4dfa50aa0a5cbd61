import { UsageError } from '../../../../core/errors.ts';

/** For `read`: the field for dump(8), or the order of the check at boot. */
export function digit(text: string, name: string): number {
  if (/^\d$/.test(text)) return Number(text);
  throw new UsageError(`${name} ${text}: must be a number from 0 to 9`);
}
