import type { ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyLvm } from './commands.ts';

/** A copy of a group's metadata in the metadata area of a device. */
export interface MetadataCopy {
  readonly offset: number;
  readonly vg: string;
  readonly vgUuid: string;
  readonly seqno: number;
}

/**
 * Returns where the header of a physical volume locates its metadata, if lvm cannot read it;
 * undefined if header and metadata are intact. `--dump` writes nothing.
 */
export function damagedMetadata(device: string): ReadCommand<readonly number[] | undefined> {
  return {
    tool: 'pvck',
    argv: ['--dump', 'headers', device],
    access: 'read',
    accepts: [0, 5],
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 0) return undefined;
      if (!stderr.includes('Found bad header or metadata values'))
        throw new ParseError(`its output names no damage: ${stderr.trim()}`);
      return [...stdout.matchAll(/^ *metadata text at (?<offset>\d+) /gm)].map(({ groups }) =>
        Number(groups?.offset),
      );
    },
    classify: classifyLvm,
  };
}

/**
 * Reads every intact metadata copy on a physical volume: lvm writes each change after the previous
 * one.
 */
export function metadataCopies(device: string): ReadCommand<readonly MetadataCopy[]> {
  return {
    tool: 'pvck',
    argv: ['--dump', 'metadata_search', device],
    access: 'read',
    parse: ({ stdout, stderr }) => {
      const torn = new Set(
        [...stderr.matchAll(/metadata at (?<offset>\d+)/g)].map(({ groups }) => groups?.offset),
      );
      const copies = stdout.matchAll(
        /^ *metadata at (?<offset>\d+) length \d+ crc [\da-f]+ vg (?<vg>\S+) seqno (?<seqno>\d+) id (?<vgUuid>[A-Za-z0-9-]{38})/gm,
      );
      return [...copies].flatMap(({ groups }) => {
        const { offset = '', vg = '', seqno = '', vgUuid = '' } = groups ?? {};
        return torn.has(offset) ? [] : [{ offset: Number(offset), vg, vgUuid, seqno: Number(seqno) }];
      });
    },
    classify: classifyLvm,
  };
}
