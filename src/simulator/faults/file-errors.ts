import { CommandError, type Reason } from '../../core/errors.ts';

const errors = {
  ENOENT: ['not-found', 'no such file or directory'],
  ENOTDIR: ['not-found', 'not a directory'],
  EEXIST: ['exists', 'file already exists'],
  ENOTEMPTY: ['exists', 'directory not empty'],
  EBUSY: ['busy', 'resource busy or locked'],
  EISDIR: ['unknown', 'illegal operation on a directory'],
  EINVAL: ['unknown', 'invalid argument'],
  ELOOP: ['unknown', 'too many symbolic links encountered'],
  EXDEV: ['unknown', 'cross-device link not permitted'],
  EPERM: ['denied', 'operation not permitted'],
  EROFS: ['denied', 'read-only file system'],
  EIO: ['unknown', 'i/o error'],
  ENOSPC: ['no-space', 'no space left on device'],
} as const satisfies Record<string, readonly [Reason, string]>;

export type FileErrorCode = keyof typeof errors;

/** The error for a failed access to a file, as the local host reports it. */
export function fileError(
  code: FileErrorCode,
  verb: string,
  path: string,
  more: readonly string[] = [],
): CommandError {
  const [reason, text] = errors[code];
  const what = `${code}: ${text}, ${verb} '${[...more, path].join("' -> '")}'`;
  return new CommandError({ tool: 'file', argv: [verb, ...more, path], reason, what });
}
