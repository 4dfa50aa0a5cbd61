/** All error codes. */
export const errorCodes = [
  'busy',
  'denied',
  'differs',
  'ended',
  'exists',
  'has-data',
  'in-use',
  'interrupted',
  'invalid',
  'journal',
  'no-space',
  'not-found',
  'not-understood',
  'refused',
  'rolled-back',
  'stuck',
  'timeout',
  'tool-failed',
  'tool-missing',
  'unfinished',
  'unreachable',
] as const;

/** The reason of an error, for programs: it stays when messages change. docs/library.md has the table. */
export type ErrorCode = (typeof errorCodes)[number];

/** Why a program failed, as far as its driver understands it. */
export type Reason =
  | 'not-found'
  | 'exists'
  | 'busy'
  | 'no-space'
  | 'denied'
  | 'killed'
  | 'timeout'
  | 'unknown';

/** The code of a failed program, or of a failed access to a file. */
export function codeOf(reason: Reason, isHeld: boolean): ErrorCode {
  if (reason === 'busy') return isHeld ? 'in-use' : 'busy';
  return reason === 'killed' || reason === 'unknown' ? 'tool-failed' : reason;
}
