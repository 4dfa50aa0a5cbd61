import type { Answer } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';

/**
 * Finds why cryptsetup failed. Its exit codes (cryptsetup(8), RETURN CODES): 2 no key fits, 3
 * memory, 4 no device, 5 exists or busy.
 */
export function classifyCryptsetup({ exitCode, stderr, stdout }: Answer): Reason {
  const said = stderr + stdout;
  if (exitCode === 2) return 'denied';
  if (/running as non-root user/.test(said)) return 'denied';
  // Without device-mapper cryptsetup continues, and reports that the name "is invalid or still in
  // use".
  if (/Cannot initialize device-mapper/.test(said)) return 'unknown';
  if (/^Key slot \d+ is full/m.test(said)) return 'exists';
  if (exitCode === 5) return /already exists/.test(said) ? 'exists' : 'busy';
  if (/is still in use|Device or resource busy|in use|Cannot exclusively open/.test(said)) return 'busy';
  if (/does not exist or access denied|is not active|No such file/.test(said)) return 'not-found';
  if (/Permission denied|Operation not permitted/.test(said)) return 'denied';
  return 'unknown';
}
