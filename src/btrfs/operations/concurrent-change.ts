import { RefusedError } from '../../core/errors.ts';

/** The error for a concurrent change. `now`: "quota accounting on /srv/pool is enabled". */
export function concurrentChange(now: string): RefusedError {
  return new RefusedError(`${now} now: changed concurrently; nothing was done`, {
    remedy: 'see whether it was another bofh: bofh journal list; then run the command again',
  });
}
