import { type Command, nothing } from '../command/index.ts';
import { classifyCryptsetup } from './classify.ts';

/**
 * Writes the header and the key slots of a device into a new file, mode 0400. Refuses an existing
 * file (exit code 1).
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
 * Writes the header from a file to a device. cryptsetup ignores holders: it overwrites the header
 * of a mounted device with exit code 0, and accepts a header of the other version or of another
 * device (2.6.1). The caller must check that before.
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
