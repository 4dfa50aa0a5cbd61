import { NotDone, RefusedError } from '../../errors.ts';

/**
 * What has a state mark was changed since it was looked at: `isWanted`, just as it was to be, which the engine would take for
 * our own doing and undo; or in another way. `now`: "the quotas of /srv/pool are on".
 */
export function raced(now: string, as: { readonly isWanted: boolean }): RefusedError {
  const message = `${now} by now, by the doing of somebody else; nothing was done`;
  const remedy = 'find out who else works on it, then give the command again';
  return as.isWanted ? new NotDone(message, { found: now, remedy }) : new RefusedError(message, { remedy });
}
