import { type Command, nothing } from '../command/index.ts';
import { classifyCryptsetup } from './classify.ts';

/**
 * Writes a device's header and its key slots into a new file, mode 0400. An existing file is
 * refused (exit 1).
 */
export function luksHeaderBackup(device: string, file: string): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksHeaderBackup', device, '--header-backup-file', file],
    access: 'change',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/**
 * Writes the header from a file to a device. It ignores holders of the device: it also overwrites
 * that of a mounted one, exit 0, and accepts a header of the other version, or of another device
 * (2.6.1). So check before.
 */
export function luksHeaderRestore(device: string, file: string): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: ['luksHeaderRestore', '--batch-mode', device, '--header-backup-file', file],
    access: 'destroy',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}
