import type { ReadHost } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import { findSite } from '../site.ts';
import { type Finding, finding } from './finding.ts';

/**
 * Checks that no other user can write the site file, which bofh runs as code. Returns its path if it may be
 * loaded.
 */
export async function siteFile(
  host: ReadHost,
  named: string | undefined,
  uid: number,
): Promise<{ readonly path?: string; readonly found: readonly Finding[] }> {
  try {
    const path = await findSite(host, named, uid);
    if (path === undefined)
      return { found: [finding('site file', 'ok', 'there is none: the defaults apply')] };
    return { path, found: [finding('site file', 'ok', `${path} can be written only by its owner`)] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const run = error.remedy === undefined ? [] : [error.remedy];
    return { found: [{ check: 'site file', level: 'problem', says: error.message, run }] };
  }
}
