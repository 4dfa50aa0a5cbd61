import type * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';
import type { luks2Metadata, Reencryption } from './schema.ts';

type Metadata = z.infer<typeof luks2Metadata>;

/**
 * During a reencryption the device requires this flag, followed by a version
 * (lib/luks2/luks2_json_metadata.c).
 */
const requirement = 'online-reencrypt';

/** Whether a requirement of the header is for an unfinished reencryption. */
export function isReencryption(name: string): boolean {
  return name.startsWith(requirement);
}

/**
 * Returns the progress of a reencryption. Segments with a flag `backup-` describe the device before
 * and after it, the one with `in-reencryption` is the part in progress. Of the others, those with
 * the new key are done (LUKS2 on-disk format, 3.3 and 5).
 */
export function reencryptionIn(metadata: Metadata): Reencryption | undefined {
  if (metadata.config.requirements?.mandatory?.some(isReencryption) !== true) return undefined;
  const slot = Object.values(metadata.keyslots).find((each) => each.type === 'reencrypt');
  if (slot?.type !== 'reencrypt')
    throw new ParseError('the header requires a reencryption, but has no slot for one');
  const old = flagged(metadata, 'backup-previous');
  const fresh = flagged(metadata, 'backup-final');
  const now = Object.entries(metadata.segments).filter(([, { flags }]) => !isBackup(flags));
  return {
    ...{ mode: slot.mode, resilience: slot.area.type },
    cipher: fresh.segment.encryption ?? null,
    oldKeyDigest: digestOf(metadata, old.index),
    done: now
      .filter(([index, segment]) => isOf(metadata, { index, segment, fresh: fresh.index }))
      .reduce((sum, [, { size }]) => sum + Number(size), 0),
    torn: now.some(([, { flags }]) => flags?.includes('in-reencryption') === true),
  };
}

/**
 * Returns the segment that shows the encryption of the data: for a partly encrypted device, an
 * encrypted segment from before or after.
 */
export function segmentOf(metadata: Metadata): Metadata['segments'][string] | undefined {
  const first = metadata.segments['0'];
  if (first?.encryption !== undefined || reencryptionIn(metadata) === undefined) return first;
  return Object.values(metadata.segments).find(({ encryption }) => encryption !== undefined);
}

/**
 * Returns the digests of the keys of the segments that contain data, without the backup segments.
 */
export function digestsNow(metadata: Metadata): string {
  const now = Object.entries(metadata.segments)
    .filter(([, { flags }]) => !isBackup(flags))
    .map(([index]) => index);
  return Object.values(metadata.digests)
    .filter(({ segments }) => segments.some((index) => now.includes(index)))
    .map(inWords)
    .join(' ');
}

function isBackup(flags: readonly string[] | undefined): boolean {
  return flags?.some((flag) => flag.startsWith('backup-')) === true;
}

function flagged({ segments }: Metadata, flag: string) {
  const found = Object.entries(segments).find(([, { flags }]) => flags?.includes(flag) === true);
  if (found === undefined)
    throw new ParseError(`the header is marked as being reencrypted, but has no segment ${flag}`);
  return { index: found[0], segment: found[1] };
}

/**
 * Whether a segment is finished: it has the new key and a known end, and is not the part in
 * progress.
 */
function isOf(
  { digests }: Metadata,
  part: { readonly index: string; readonly segment: Metadata['segments'][string]; readonly fresh: string },
): boolean {
  const { flags, size } = part.segment;
  if (flags?.includes('in-reencryption') === true || size === 'dynamic') return false;
  return Object.values(digests).some(
    ({ segments }) => segments.includes(part.index) && segments.includes(part.fresh),
  );
}

function digestOf({ digests }: Metadata, index: string): string {
  return Object.values(digests)
    .filter(({ segments }) => segments.includes(index))
    .map(inWords)
    .join(' ');
}

function inWords({ salt, digest }: Metadata['digests'][string]): string {
  return `${salt} ${digest}`;
}
