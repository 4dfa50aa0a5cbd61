import type { ByHand } from '../errors.ts';

/** Of `crypt.format`. */
export function formattedByHand({
  undo: { device, uuid, type },
}: {
  readonly undo: { readonly device: string; readonly uuid: string; readonly type: string };
}): ByHand {
  return {
    what: `the ${type} header of UUID ${uuid} on ${device}`,
    look: [
      ['blkid', '--probe', device],
      ['cryptsetup', 'luksDump', device],
    ],
    clear: [['wipefs', '--all', '--types', 'crypto_LUKS', device]],
  };
}

/** Of `crypt.open`. */
export function openedByHand({
  undo: { device, name, mark, luksUuid, adopted },
}: {
  readonly undo: {
    readonly device: string;
    readonly name: string;
    readonly mark: string;
    readonly luksUuid: string;
    readonly adopted: string | null;
  };
}): ByHand {
  if (adopted !== null) {
    const marker = `/run/bofh/${mark}.adopted`;
    return {
      what: `the note that ${device} was open already as /dev/mapper/${name}`,
      look: [['ls', marker]],
      clear: [['rm', marker]],
    };
  }
  return {
    what: `the mapping of ${device} (LUKS ${luksUuid}) as /dev/mapper/${name}, whose device-mapper uuid ends in ${mark}`,
    look: [
      ['dmsetup', 'info', '-c', '-o', 'name,uuid,open'],
      ['fuser', '--verbose', `/dev/mapper/${name}`],
    ],
    clear: [['cryptsetup', 'close', name]],
  };
}
