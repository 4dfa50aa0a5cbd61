import { type Command, nothing } from '../command/index.ts';

/**
 * `find -delete`: deletes everything below a directory. Works from open directories, so it follows
 * no link, and stays in one filesystem or one subvolume.
 */
export function emptyDirectory(path: string): Command<void, 'destroy'> {
  return {
    tool: 'find',
    argv: [path, '-xdev', '-mindepth', '1', '-delete'],
    access: 'destroy',
    repeatable: true,
    parse: nothing,
  };
}
