import type { SubvolumeRow } from '../../../btrfs/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsMade, BtrfsReceived } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';

/** Parts of answers that several verbs of btrfs have. */

export function created({ path, id, uuid }: BtrfsMade): Answer<BtrfsMade> {
  return { data: { path, id, uuid }, lines: [`${printable(path)} is made: id ${id}, uuid ${uuid}`] };
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
