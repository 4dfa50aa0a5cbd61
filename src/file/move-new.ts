import { type Command, errnoReason, nothing } from '../command/index.ts';

/**
 * Renames without replacing anything (renameat2 with RENAME_NOREPLACE). Exits with 0 even if the
 * new name exists (coreutils 9.1): check afterwards.
 */
export function moveNew(from: string, to: string): Command<void, 'change'> {
  return {
    tool: 'mv',
    argv: ['--no-clobber', '--no-target-directory', from, to],
    access: 'change',
    parse: nothing,
    classify: errnoReason,
  };
}
