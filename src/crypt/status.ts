import type { Answer } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { MappingStatus } from './schema.ts';

// `cryptsetup status` prints only these lines, and for each type only some of them (2.6.1,
// src/cryptsetup.c action_status).
const first = /^\/dev\/mapper\/(?<name>.+) is (?<state>active|inactive|active and is in use)\.$/;
const line =
  /^ {2}(?<key>type|reencryption|cipher|keysize|key location|integrity|integrity keysize|device|loop|sector size|offset|skipped|size|mode|flags): +(?<value>\S.*?) *$/;
const sectors =
  /^(?<count>\d+) (?:\[512-byte units\] )?(?:sectors|\[512-byte units\])(?: \(\d+ \[bytes\]\))?$/;

/** Parses the status of an open device; undefined: there is no mapping of this name. */
export function parseStatus({ exitCode, stdout }: Answer): MappingStatus | undefined {
  const lines = stdout.replace(/\n$/, '').split('\n');
  const state = first.exec(lines.shift() ?? '')?.groups?.state;
  if (state === undefined) throw new ParseError('cryptsetup does not say whether it is active');
  if (state === 'inactive' && exitCode === 4 && lines.length === 0) return undefined;
  if (state === 'inactive' || exitCode !== 0)
    throw new ParseError(`it is ${state}, with exit code ${exitCode}`);
  const values = new Map<string, string>();
  for (const text of lines) {
    const { key, value } = line.exec(text)?.groups ?? {};
    if (key === undefined || value === undefined || values.has(key))
      throw new ParseError(`cannot read the line ${JSON.stringify(text)}`);
    values.set(key, value);
  }
  return statusOf(values, state !== 'active');
}

function statusOf(values: ReadonlyMap<string, string>, inUse: boolean): MappingStatus {
  const needed = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) throw new ParseError(`there is no line for its ${key}`);
    return value;
  };
  const bytes = (key: string): number => {
    const { count } = sectors.exec(needed(key))?.groups ?? {};
    if (count === undefined) throw new ParseError(`its ${key} is "${needed(key)}"`);
    return Number(count) * 512;
  };
  const mode = needed('mode');
  if (mode !== 'read/write' && mode !== 'readonly') throw new ParseError(`its mode is "${mode}"`);
  return {
    ...{ inUse, type: needed('type'), size: bytes('size'), mode: mode === 'readonly' ? 'ro' : 'rw' },
    ...{ device: needed('device'), offset: bytes('offset') },
    ...present({ cipher: values.get('cipher'), keyLocation: values.get('key location') }),
    isReencrypted: reencrypted(values.get('reencryption')),
    flags: values.get('flags')?.split(' ') ?? [],
  };
}

function reencrypted(value: string | undefined): boolean {
  if (value === undefined || value === 'in-progress') return value !== undefined;
  throw new ParseError(`its reencryption is "${value}"`);
}
