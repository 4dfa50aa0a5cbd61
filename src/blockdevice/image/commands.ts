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

/**
 * Allocates the space of a file at once. Fails if the filesystem cannot: it does not write zeros
 * instead. Creates a missing file.
 */
export function fallocate(file: string, size: Bytes): Command<void, 'change'> {
  return {
    tool: 'fallocate',
    argv: ['--length', String(size), file],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}
