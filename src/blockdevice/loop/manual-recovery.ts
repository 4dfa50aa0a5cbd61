import { commandWords } from '../../command/index.ts';
import type { ManualRecovery } from '../../core/errors.ts';
import { attach } from './commands.ts';
import type { Attachment } from './schema.ts';

/** Returns the commands that show the holders of a file. */
export function lookAt(at: Attachment): ManualRecovery['look'] {
  return [
    ['losetup', '--list', '--associated', at.file],
    ['lsblk', `/dev/loop${at.number}`],
  ];
}

/** Returns the command that attaches the file. */
export function attachWords(at: Attachment): readonly string[] {
  return commandWords(attach(at));
}

/** Describes an attachment: `/dev/loop3 over /srv/web1.img (inode 17), from byte 1048576 on`. */
export function inWords({ number, file, inode, offset }: Attachment): string {
  const from = offset === 0 ? '' : `, from byte ${offset} on`;
  return `/dev/loop${number} over ${file} (inode ${inode})${from}`;
}
