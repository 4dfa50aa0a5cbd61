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

/** Of `crypt.close`. */
export function closedByHand({
  undo: { name, device, luksUuid },
}: {
  readonly undo: { readonly name: string; readonly device: string; readonly luksUuid: string };
}): ByHand {
  return {
    what: `that ${device} (LUKS ${luksUuid}) is not open as /dev/mapper/${name} any more`,
    look: [['dmsetup', 'info', '-c', '-o', 'name,uuid,open']],
    clear: [['cryptsetup', 'open', device, name]],
  };
}

/** Of `crypt.close.deferred`. */
export function toCloseByHand({
  undo: { name, dmUuid },
}: {
  readonly undo: { readonly name: string; readonly dmUuid: string };
}): ByHand {
  return {
    what: `/dev/mapper/${name} (device-mapper's uuid ${dmUuid}), which is to be closed`,
    look: [
      ['dmsetup', 'info', '-c', '-o', 'name,uuid,open'],
      ['fuser', '--verbose', `/dev/mapper/${name}`],
    ],
    clear: [['cryptsetup', 'close', name]],
  };
}

/** Of `crypt.resize`. */
export function resizedByHand({
  undo: { name, dmUuid, from, to, note },
}: {
  readonly undo: {
    readonly name: string;
    readonly dmUuid: string;
    readonly from: number;
    readonly to: number;
    readonly note: string | null;
  };
}): ByHand {
  if (note !== null)
    return {
      what: `the note that /dev/mapper/${name} had ${to} bytes already`,
      look: [['ls', note]],
      clear: [['rm', note]],
    };
  return {
    what: `the size of /dev/mapper/${name} (device-mapper's uuid ${dmUuid}): ${to} bytes, and ${from} before`,
    look: [
      ['cryptsetup', 'status', name],
      ['dmsetup', 'info', '-c', '-o', 'name,uuid,open', name],
    ],
    clear: [['cryptsetup', 'resize', '--device-size', String(from), name]],
  };
}
