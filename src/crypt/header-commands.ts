import { type Command, nothing } from '../command/index.ts';
import { classifyCryptsetup } from './commands.ts';

/** Writes a device's header and its key slots into a new file, mode 0400. A file that is there is refused (exit 1). */
export function luksHeaderBackup(device: string, file: string): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksHeaderBackup', device, '--header-backup-file', file],
    access: 'change',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}
