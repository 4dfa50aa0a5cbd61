import type { ReadCommand, ReadHost } from '../command/index.ts';
import { ParseError, RefusedError, ToolError } from '../core/errors.ts';
import { findNames, otherNames } from './path.ts';
import { refuseMountPoint } from './remove.ts';

/**
 * `lsattr -d`: the flags of a file, as in chattr(1). Empty on a filesystem without flags, and for a
 * missing file.
 */
export function lsattr(path: string): ReadCommand<string> {
  return {
    tool: 'lsattr',
    argv: ['-d', path],
    access: 'read',
    accepts: [0, 1],
    parse: ({ exitCode, stdout, stderr }) => {
      const { flags } = /^(?<flags>[-A-Za-z]+) \//.exec(stdout)?.groups ?? {};
      if (exitCode === 0 && flags !== undefined) return flags.replaceAll('-', '');
      if (exitCode === 1 && /not supported|Inappropriate ioctl|No such file/.test(stderr)) return '';
      throw new ParseError('lsattr: its output could not be parsed');
    },
  };
}

/** RefusedError for a file or directory that the kernel would not let bofh change or replace. */
export async function refuseChange(host: ReadHost, path: string): Promise<void> {
  await refuseMountPoint(host, path);
  const stat = await host.stat(path);
  if (stat?.kind === 'file' && (await otherNames(host, path, stat)) > 0)
    throw new RefusedError(`${path} has another hard link, which would keep the old content`, {
      remedy: findNames(path),
    });
  const flags = await flagsOf(host, path);
  if (/[ai]/.test(flags))
    throw new RefusedError(`${path} is ${flags.includes('i') ? 'immutable' : 'append-only'}`, {
      code: 'denied',
      remedy: `chattr -${flags.includes('i') ? 'i' : 'a'} ${path}`,
    });
}

/**
 * Reads the flags of a path. Without e2fsprogs probably none are set; if one is, the step itself
 * fails and is undone.
 */
async function flagsOf(host: ReadHost, path: string): Promise<string> {
  try {
    return await host.run(lsattr(path));
  } catch (error) {
    if (error instanceof ToolError) return '';
    throw error;
  }
}
