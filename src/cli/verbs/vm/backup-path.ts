import { UsageError } from '../../../core/errors.ts';
import { awayIn } from '../../../vm/backup.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';

/**
 * The absolute path of a backup, or of a directory with backups, for a verb that reads only its own
 * host. Throws UsageError for `HOST:/PATH`, as `vm backup` takes it; `remedy` says what to type
 * instead.
 */
export function backupPath(
  runtime: Pick<Runtime, 'settings'>,
  text: string,
  remedy: (host: string, path: string) => string,
): string {
  const away = awayIn(text);
  if (away === undefined) return pathOn(runtime, text);
  throw new UsageError(`"${text}" is on another host, and this command reads only files of its own host`, {
    remedy: remedy(away.name, away.path),
  });
}
