import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** The texts of glibc's strerror(3), by the name of the error. */
const said = {
  'Argument list too long': 'E2BIG',
  'Bad file descriptor': 'EBADF',
  'Device or resource busy': 'EBUSY',
  'Directory not empty': 'ENOTEMPTY',
  'Disk quota exceeded': 'EDQUOT',
  'File exists': 'EEXIST',
  'File name too long': 'ENAMETOOLONG',
  'Input/output error': 'EIO',
  'Invalid argument': 'EINVAL',
  'Invalid cross-device link': 'EXDEV',
  'Is a directory': 'EISDIR',
  'No data available': 'ENODATA',
  'No space left on device': 'ENOSPC',
  'No such device': 'ENODEV',
  'No such device or address': 'ENXIO',
  'No such file or directory': 'ENOENT',
  'No such process': 'ESRCH',
  'Not a directory': 'ENOTDIR',
  'Operation not permitted': 'EPERM',
  'Operation not supported': 'EOPNOTSUPP',
  'Permission denied': 'EACCES',
  'Read-only file system': 'EROFS',
  'Resource temporarily unavailable': 'EAGAIN',
  'Text file busy': 'ETXTBSY',
  'Stale file handle': 'ESTALE',
  'Too many levels of symbolic links': 'ELOOP',
  'Transport endpoint is not connected': 'ENOTCONN',
} as const satisfies Readonly<Record<string, keyof typeof constants.errno>>;

/**
 * The error that Node would have thrown, from the English message of a program of coreutils or
 * findutils.
 */
export function asNodeError(message: string, syscall: string, path: string): Error {
  const reason = /: (?<reason>[^:]+)$/.exec(message.trimEnd())?.groups?.reason ?? '';
  const code = Object.entries(said).find(([text]) => text === reason)?.[1];
  if (code === undefined)
    return new Error(message.trim() === '' ? 'it failed without a message' : message.trim());
  // Node can open a directory, but fails when it reads it.
  if (code === 'EISDIR') return nodeError(code, 'EISDIR: illegal operation on a directory, read');
  const words = getSystemErrorMap().get(-constants.errno[code])?.[1] ?? reason;
  return nodeError(code, `${code}: ${words}, ${syscall} '${path}'`);
}

function nodeError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
