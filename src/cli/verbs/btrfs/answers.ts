import { nestedSubvolumes, type SubvolumeRow } from '../../../btrfs/index.ts';
import type { ReadHost } from '../../../command/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsMade, BtrfsReceived } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';

/** Parts of answers that several verbs of btrfs have. */

export function created({ path, id, uuid }: BtrfsMade, more: readonly string[] = []): Answer<BtrfsMade> {
  const line = `${printable(path)} is created: id ${id}, uuid ${uuid}`;
  return { data: { path, id, uuid }, lines: [line, ...more] };
}

/**
 * A line with the subvolumes inside a source, which a snapshot of it does not contain; empty if there are
 * none.
 */
export async function notInSnapshot(host: ReadHost, source: string): Promise<readonly string[]> {
  const nested = await nestedSubvolumes(host, source);
  if (nested.length === 0) return [];
  return [
    `not in the snapshot, because they are subvolumes of their own: ${nested.map(printable).join(', ')}`,
  ];
}

export function received({ path, id, uuid, receivedUuid }: BtrfsReceived): Answer<BtrfsReceived> {
  return {
    data: { path, id, uuid, receivedUuid },
    lines: [`${printable(path)} is received: id ${id}, uuid ${uuid}, received uuid ${receivedUuid}`],
  };
}

/** The ids and the paths of a subvolume. */
export function identity({ id, path, shown, uuid, parentUuid, receivedUuid }: SubvolumeRow) {
  return {
    id,
    path: path ?? null,
    shown,
    uuid: uuid ?? null,
    parentUuid: parentUuid ?? null,
    receivedUuid: receivedUuid ?? null,
  };
}
