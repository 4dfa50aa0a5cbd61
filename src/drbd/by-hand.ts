import { writtenByHand } from '../blockdevice/wipe/by-hand.ts';
import type { ByHand } from '../core/errors.ts';
import { bytesOf } from './metadata.ts';
import type { MetadataUndo } from './operations/create-metadata.ts';
import type { RemovedMetadataUndo } from './operations/remove-metadata.ts';

const words = {
  up: 'is up',
  down: 'is not up any more',
  primary: 'is primary on this host',
  secondary: 'is not primary on this host any more',
} as const;

const inverse = { up: 'down', down: 'up', primary: 'secondary', secondary: 'primary' } as const;

/** Of every operation on a resource as a whole. */
export function stateByHand({
  undo: { name, minors, to },
}: {
  readonly undo: {
    readonly name: string;
    readonly minors: readonly number[];
    readonly to: keyof typeof words;
  };
}): ByHand {
  const devices = minors.map((minor) => `/dev/drbd${String(minor)}`);
  return {
    what: `that the DRBD resource ${name} (${devices.join(', ')}) ${words[to]}`,
    look: [
      ['drbdsetup', 'status', name],
      ['fuser', '--verbose', ...devices],
    ],
    clear: [['drbdadm', inverse[to], name]],
  };
}

/** Of new metadata. The bytes that lay there are in the journal alone: by hand the metadata are taken off. */
export function metadataByHand({ undo }: { readonly undo: MetadataUndo }): ByHand {
  const { device, minor, format, uuid, area, saved } = undo;
  const what = `the metadata of DRBD ${uuid} at the end of ${device}`;
  const range = ['--offset', String(area.from), '--length', String(area.length)];
  return {
    what: saved.length === 0 ? what : `${what}, whose ${String(area.length)} bytes were not blank before`,
    look: [
      ['wipefs', device],
      ['drbdmeta', String(minor), format, device, 'internal', 'dump-md'],
    ],
    clear: [['blkdiscard', '--zeroout', ...range, device]],
  };
}

/** Of metadata that were taken off. What followed their last byte was zero, and is. */
export function removedMetadataByHand({ undo }: { readonly undo: RemovedMetadataUndo }): ByHand {
  const { device, uuid, superblock } = undo;
  const bytes = bytesOf(superblock);
  const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
  return {
    what: `the metadata of DRBD ${uuid}, which were taken off the end of ${device}`,
    look: [['wipefs', device]],
    clear: [writtenByHand(device, superblock.at, bytes.subarray(0, length))],
  };
}
