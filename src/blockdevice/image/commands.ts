import { type Command, nothing } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { classifyDevice } from '../commands.ts';

/** Sets the size of a file: the added part is a hole, and uses no space until it is written to. */
export function truncate(file: string, size: Bytes): Command<void, 'change'> {
  return {
    tool: 'truncate',
    argv: ['--no-create', `--size=${size}`, file],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}

/** Gives a file its room on the disk at once. Fails where the filesystem cannot: it writes no zeros instead. Makes a file that is missing. */
export function fallocate(file: string, size: Bytes): Command<void, 'change'> {
  return {
    tool: 'fallocate',
    argv: ['--length', String(size), file],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}
