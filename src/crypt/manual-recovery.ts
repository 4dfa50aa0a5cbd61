import { posix } from 'node:path';
import type { Way } from '../atomic/operation.ts';
import type { ManualRecovery } from '../core/errors.ts';
import { noteOf } from '../file/notes.ts';
import { openedAs } from './names.ts';
import { type ActivationFlag, activationOptions, headerOption } from './open-commands.ts';

/** Manual recovery of `crypt.format`. */
export function formattedRecovery({
  undo: { device, uuid, type },
}: {
  readonly undo: { readonly device: string; readonly uuid: string; readonly type: string };
}): ManualRecovery {
  return {
    what: `the ${type} header of UUID ${uuid} on ${device}`,
    look: [
      ['blkid', '--probe', device],
      ['cryptsetup', 'luksDump', device],
    ],
    clear: [['wipefs', '--all', '--types', 'crypto_LUKS', device]],
  };
}

/** Manual recovery of `crypt.open`. */
export function openedRecovery({
  undo: { device, name, mark, luksUuid, adopted },
}: {
  readonly undo: {
    readonly device: string;
    readonly name: string;
    readonly mark: string;
    readonly luksUuid: string;
    readonly adopted: string | null;
  };
}): ManualRecovery {
  if (adopted !== null)
    return noteRecovery(`the note that ${device} was open already as /dev/mapper/${name}`, noteOf(mark));
  return {
    what: `the mapping of ${device} (LUKS ${luksUuid}) as /dev/mapper/${name}, whose device-mapper uuid ends in ${mark}`,
    ...closing(name),
  };
}

/** Manual recovery of `crypt.close`. */
export function closedRecovery({
  undo: { name, dmUuid, device, luksUuid, mode, flags },
}: {
  readonly undo: {
    readonly name: string;
    readonly dmUuid: string;
    readonly device: string;
    readonly luksUuid: string;
    readonly mode: 'ro' | 'rw';
    readonly flags: readonly ActivationFlag[];
  };
}): ManualRecovery {
  const first = openedAs(dmUuid);
  return {
    what: `${device} (LUKS ${luksUuid}), which is no longer open as /dev/mapper/${name}`,
    look: [['dmsetup', 'info', '-c', '-o', 'name,uuid,open']],
    clear: [
      ['cryptsetup', 'open', ...activationOptions(mode, flags), device, first],
      ...(first === name ? [] : [['dmsetup', 'rename', first, name]]),
    ],
  };
}

/** Manual recovery of `crypt.close.deferred`. */
export function toCloseRecovery({
  undo: { name, dmUuid },
}: {
  readonly undo: { readonly name: string; readonly dmUuid: string };
}): ManualRecovery {
  return {
    what: `/dev/mapper/${name} (device-mapper's uuid ${dmUuid}), which will be closed`,
    ...closing(name),
  };
}

/** Manual recovery of `crypt.resize`. */
export function resizedRecovery({
  undo: { name, dmUuid, from, to, note, header },
}: {
  readonly undo: {
    readonly name: string;
    readonly dmUuid: string;
    readonly from: number;
    readonly to: number;
    readonly note: string | null;
    readonly header?: string;
  };
}): ManualRecovery {
  if (note !== null) return noteRecovery(`the note that /dev/mapper/${name} had ${to} bytes already`, note);
  return {
    what: `the size of /dev/mapper/${name} (device-mapper's uuid ${dmUuid}): ${to} bytes, and ${from} before`,
    look: [
      ['cryptsetup', 'status', name],
      ['dmsetup', 'info', '-c', '-o', 'name,uuid,open', name],
    ],
    clear: [['cryptsetup', 'resize', '--device-size', String(from), ...headerOption(header), name]],
  };
}

/** Manual recovery of `crypt.key.add` and `crypt.key.change`. */
export function addedRecovery({
  undo,
  way,
}: {
  readonly undo: {
    readonly device: string;
    readonly luksUuid: string;
    readonly slot: number;
    readonly old?: { readonly slot: number };
  };
  readonly way: Way;
}): ManualRecovery {
  const { device, luksUuid, slot, old } = undo;
  // After the commit the old key is removed.
  const going = way === 'forward' && old !== undefined ? old.slot : slot;
  return {
    what: `the key in slot ${going} of ${device} (LUKS ${luksUuid})`,
    look: [['cryptsetup', 'luksDump', device]],
    clear: [['cryptsetup', 'luksKillSlot', device, String(going)]],
  };
}

/** Manual recovery of `crypt.key.remove`. */
export function toRemoveRecovery({
  undo: { device, luksUuid, slot },
}: {
  readonly undo: { readonly device: string; readonly luksUuid: string; readonly slot: number };
}): ManualRecovery {
  return {
    what: `the key in slot ${slot} of ${device} (LUKS ${luksUuid}), which will be removed`,
    look: [['cryptsetup', 'luksDump', device]],
    clear: [['cryptsetup', 'luksKillSlot', device, String(slot)]],
  };
}

/** Manual recovery of `crypt.erase`. */
export function toEraseRecovery({
  undo: { device, luksUuid },
}: {
  readonly undo: { readonly device: string; readonly luksUuid: string };
}): ManualRecovery {
  return {
    what: `every key of ${device} (LUKS ${luksUuid}), which will be destroyed`,
    look: [['cryptsetup', 'luksDump', device]],
    clear: [['cryptsetup', 'luksErase', device]],
  };
}

/** Manual recovery of `crypt.header.backup`. */
export function savedRecovery({
  undo,
  way,
}: {
  readonly undo: {
    readonly device: string;
    readonly luksUuid: string;
    readonly file: string;
    readonly private: string;
  };
  readonly way: Way;
}): ManualRecovery {
  const { device, luksUuid, file, private: own } = undo;
  return {
    what: `the backup ${file} of the header of ${device} (LUKS ${luksUuid}), whose second name is ${own}`,
    ...newHeader(file, own, way),
  };
}

/** Manual recovery of `crypt.header.restore`. */
export function restoredRecovery({
  undo: { device, luksUuid, saved },
  way,
}: {
  readonly undo: { readonly device: string; readonly luksUuid: string; readonly saved: string };
  readonly way: Way;
}): ManualRecovery {
  return {
    what: `the header that ${device} (LUKS ${luksUuid}) had before, which is saved in ${saved}`,
    look: [
      ['ls', '-l', posix.dirname(saved)],
      ['cryptsetup', 'luksDump', saved],
      ['cryptsetup', 'luksDump', device],
    ],
    clear: [
      ...(way === 'back' ? [['cryptsetup', 'luksHeaderRestore', device, '--header-backup-file', saved]] : []),
      ['rm', saved],
    ],
  };
}

/** Manual recovery of `crypt.format.detached`. */
export function detachedRecovery({
  undo: { device, uuid, header, private: own },
  way,
}: {
  readonly undo: {
    readonly device: string;
    readonly uuid: string;
    readonly header: string;
    readonly private: string;
  };
  readonly way: Way;
}): ManualRecovery {
  return {
    what: `the header ${header} of UUID ${uuid} for ${device}, whose second name is ${own}`,
    ...newHeader(header, own, way),
  };
}

type Commands = Pick<ManualRecovery, 'look' | 'clear'>;

function noteRecovery(what: string, note: string): ManualRecovery {
  return { what, look: [['ls', note]], clear: [['rm', note]] };
}

/** For a mapping that is closed. */
function closing(name: string): Commands {
  return {
    look: [
      ['dmsetup', 'info', '-c', '-o', 'name,uuid,open'],
      ['fuser', '--verbose', `/dev/mapper/${name}`],
    ],
    clear: [['cryptsetup', 'close', name]],
  };
}

/** For a header in a new file. */
function newHeader(file: string, own: string, way: Way): Commands {
  return {
    look: [
      ['ls', '-li', file, own],
      ['cryptsetup', 'luksDump', own],
    ],
    // Before the commit, removes both names of the created inode, but no other file that has the
    // name now.
    clear: [
      way === 'back'
        ? ['find', posix.dirname(file), '-maxdepth', '1', '-samefile', own, '-delete']
        : ['rm', own],
    ],
  };
}
