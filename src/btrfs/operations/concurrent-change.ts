import { RefusedError } from '../../core/errors.ts';

/** The error for a concurrent change. `now`: "the quotas of /srv/pool are on". */
export function concurrentChange(now: string): RefusedError {
  return new RefusedError(`${now} now: changed concurrently; nothing was done`, {
    remedy: 'find out who else works on it, then run the command again',
  });
}
