import { type ReadHost, textOf } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';

/** The fields of a line of /etc/shadow that bofh uses. */
export interface Shadow {
  readonly hash: string;
  /** Days since 1970; empty: none. */
  readonly lastChange: string;
  readonly expires: string;
}

/** RefusedError if the user has no line. */
export async function shadowOf(host: ReadHost, name: string): Promise<Shadow> {
  const line = ((await textOf(host, '/etc/shadow')) ?? '')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  if (line === undefined)
    throw new RefusedError(`the user ${name} has no line in /etc/shadow`, {
      code: 'not-found',
      remedy: 'create it: pwconv',
    });
  const fields = line.split(':');
  if (fields.length !== 9) throw new ParseError('/etc/shadow: a line does not have 9 fields');
  const [, hash = '', lastChange = '', , , , , expires = ''] = fields;
  return { hash, lastChange, expires };
}

/** Whether no password is valid: no login with a password is possible. */
export function isLocked({ hash }: Shadow): boolean {
  return /^[!*]/.test(hash);
}
