import { ParseError } from '../core/errors.ts';
import type { HeaderPart, KeySlot } from './schema.ts';

// `cryptsetup luksDump` prints exactly these lines for a LUKS1 device, in this order (2.6.1,
// lib/luks1/keymanage.c and _luks1_dump).
const hex = String.raw`(?:[0-9a-f]{2} )+`;
const head = [
  /^LUKS header information for \/.+$/,
  /^$/,
  /^Version: +\t1$/,
  /^Cipher name: +\t(?<cipherName>\S+)$/,
  /^Cipher mode: +\t(?<cipherMode>\S+)$/,
  /^Hash spec: +\t\S+$/,
  /^Payload offset:\t(?<payload>\d+)$/,
  /^MK bits: +\t\d+$/,
  new RegExp(`^MK digest: +\\t(?<digest>${hex})$`),
  new RegExp(`^MK salt: +\\t${hex}$`),
  new RegExp(`^ +\\t${hex}$`),
  /^MK iterations: +\t\d+$/,
  /^UUID: +\t(?<uuid>[0-9a-f-]{36})$/,
  /^$/,
] as const;
const slotHead = /^Key Slot (?<slot>[0-7]): (?<state>ENABLED|DISABLED)$/;
const slotBody = [
  /^\tIterations: +\t(?<rounds>\d+)$/,
  new RegExp(`^\\tSalt: +\\t(?<salt>${hex})$`),
  new RegExp(`^\\t +\\t(?<more>${hex})$`),
  /^\tKey material offset:\t\d+$/,
  /^\tAF stripes: +\t\d+$/,
] as const;
const sector = 512;

/** Parses the text that cryptsetup prints for a LUKS1 header. ParseError for any unknown line. */
export function luks1Header(text: string): HeaderPart & { readonly uuid: string } {
  const lines = text.replace(/\n$/, '').split('\n');
  const { cipherName = '', cipherMode = '', payload = '', uuid = '', digest = '' } = take(lines, head);
  const keySlots: KeySlot[] = [];
  for (let expected = 0; expected < 8; expected += 1) {
    const { slot, state } = take(lines, [slotHead]);
    if (slot !== String(expected)) throw new ParseError(`key slot ${expected} is missing`);
    if (state === 'DISABLED') continue;
    const { rounds = '', salt = '', more = '' } = take(lines, slotBody);
    const hexSalt = `${salt}${more}`.replaceAll(' ', '');
    keySlots.push({ slot: expected, kdf: 'pbkdf2', rounds: Number(rounds), salt: hexSalt, opens: 'data' });
  }
  if (lines.length > 0)
    throw new ParseError(`there are more lines than those of eight key slots: ${JSON.stringify(lines[0])}`);
  return {
    ...{ version: 1, uuid, cipher: `${cipherName}-${cipherMode}`, sectorSize: sector },
    ...{
      dataOffset: Number(payload) * sector,
      volumeKeyDigest: digest.replaceAll(' ', ''),
      keySlots,
      tokens: [],
      requirements: [],
      integrity: false,
    },
  };
}

/** Removes a line for each pattern from the start; every line must match. */
function take(lines: string[], patterns: readonly RegExp[]): Record<string, string> {
  return Object.assign(
    {},
    ...patterns.map((pattern) => {
      const line = lines.shift();
      const match = line === undefined ? null : pattern.exec(line);
      if (match === null) throw new ParseError(`cannot read the line ${JSON.stringify(line)} of its header`);
      return match.groups ?? {};
    }),
  ) as Record<string, string>;
}
