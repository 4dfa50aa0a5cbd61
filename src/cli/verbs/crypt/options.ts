import { parseKeyRef } from '../../../command/index.ts';
import { UsageError } from '../../../core/errors.ts';
import { oneOf, value, wholeNumber } from '../../runtime/verb.ts';

/** Options that several verbs of crypt have. */
export const key = keyFor('the key');

/** The option for the source of a key; `what`: whose. */
export function keyFor(what: string) {
  return value(
    '<KEY>',
    `source of ${what}: file:/PATH, command:/PROGRAM ARG… (its output), credential:NAME (systemd credential), site:NAME (a key of the site file), or ask (default: ask)`,
    { read: parseKeyRef },
  );
}
export const header = value('<FILE>', 'file with the header, if the header is not on the device');
/** Options for the cost of guessing the key. */
export const cost = {
  pbkdf: value('<KDF>', 'key derivation: argon2id or pbkdf2 (default for luks2: argon2id)', {
    read: oneOf('argon2id', 'pbkdf2'),
  }),
  pbkdfMemory: value(
    '<SIZE>',
    'memory needed to open the device (default: 1g, or less on a host with little memory)',
  ),
  pbkdfTime: value('<MS>', 'time needed to open the device on this host, in milliseconds (default: 2000)', {
    read: wholeNumber,
  }),
};

/** The key source if none was typed. */
export const askForKey = parseKeyRef('ask');

/** For `read`, and for an argument: the number of a key slot. */
export function keySlot(text: string, name: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new UsageError(`${name} ${text}: must be the number of a key slot`);
}
