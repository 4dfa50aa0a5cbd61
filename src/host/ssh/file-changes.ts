import { dirname } from 'node:path';
import type { ChangeHost, FileStat, StepContext } from '../../command/index.ts';
import { text } from '../answer.ts';
import { fileError } from '../files.ts';
import { singleScript } from '../shell.ts';
import type { Changing } from './change.ts';
import { asNodeError } from './file-errors.ts';
import { runThere } from './run-there.ts';

type FileChanges = Omit<ChangeHost, 'name' | 'run' | 'pipe' | 'facts' | keyof FileReads>;
type FileReads = Pick<ChangeHost, 'readFile' | 'readDir' | 'readLink' | 'stat'>;

/**
 * `conv=excl` of dd (coreutils) opens with O_EXCL, so an existing file stays. Removes a new file
 * that could not be written completely.
 */
const create = `set -e
umask 077
if ! said=$(dd of="$1" conv=excl,fsync bs=1M iflag=fullblock status=none 2>&1); then
  printf '%s\\n' "$said" >&2
  case $said in *'failed to open'*) ;; *) rm -f -- "$1" ;; esac
  exit 1
fi
chmod "$2" -- "$1"
sync -- "$1"`;

/** Compares the filesystems, because mv would copy to another one, where rename(2) fails with EXDEV. */
const rename = `a=$(stat -c %d -- "$1") && b=$(stat -Lc %d -- "$3") || exit 1
[ "$a" = "$b" ] || { echo 'mv: cannot move: Invalid cross-device link' >&2; exit 1; }
exec mv -fT -- "$1" "$2"`;

const scripts = {
  create: { script: create, syscall: 'open' },
  link: { script: 'exec ln -PT -- "$1" "$2"', syscall: 'link' },
  rename: { script: rename, syscall: 'rename' },
  remove: { script: 'exec unlink -- "$1"', syscall: 'unlink' },
  mkdir: { script: 'umask 077; mkdir -- "$1" && chmod "$2" -- "$1"', syscall: 'mkdir' },
  rmdir: { script: 'exec rmdir -- "$1"', syscall: 'rmdir' },
  sync: { script: 'exec sync -- "$1"', syscall: 'fsync' },
} as const;

/** The file changes of another host, using only programs of coreutils. */
export function remoteFileChanges(at: Changing, reads: FileReads, step: StepContext): FileChanges {
  const act = async (
    verb: keyof typeof scripts,
    path: string,
    words: readonly string[],
    more: { readonly stdin?: Uint8Array | string; readonly from?: string } = {},
  ): Promise<void> => {
    const { script, syscall } = scripts[verb];
    const argv = [verb, ...(more.from === undefined ? [] : [more.from]), path];
    const { exitCode, errs } = await runThere(at, step, {
      program: { tool: 'file', file: '/bin/sh', argv },
      name: 'bofh-wait',
      inner: singleScript,
      words: ['/bin/sh', '-c', script, 'bofh', ...words],
      stages: 1,
      stdin: more.stdin,
    });
    if (exitCode === 0) return;
    const said = errs.map((err) => text(err.tail())).join('');
    // As on the local host: such a filesystem has nothing to sync.
    if (verb === 'sync' && /^sync: error syncing .*: Invalid argument$/m.test(said)) return;
    throw fileError(verb, path, asNodeError(said, syscall, path), argv.slice(1, -1));
  };
  const makeDir = (path: string, mode: number): Promise<void> => act('mkdir', path, [path, mode.toString(8)]);
  const makeDirs = async (path: string, mode: number): Promise<void> => {
    const there = await reads.stat(path);
    if (there?.kind === 'directory') return;
    if (there === undefined && dirname(path) !== path) await makeDirs(dirname(path), mode);
    await makeDir(path, mode);
  };
  return {
    writeNew: async (path, content, { mode }): Promise<FileStat> => {
      await act('create', path, [path, mode.toString(8)], { stdin: content });
      const stat = await reads.stat(path);
      if (stat !== undefined) return stat;
      throw fileError('create', path, new Error('it was removed at once'));
    },
    link: (existing, path) => act('link', path, [existing, path], { from: existing }),
    rename: (from, to) => act('rename', to, [from, to, dirname(to)], { from }),
    removeFile: (path) => act('remove', path, [path]),
    makeDir: (path, { mode, parents }) => (parents === true ? makeDirs(path, mode) : makeDir(path, mode)),
    removeDir: (path) => act('rmdir', path, [path]),
    sync: (path) => act('sync', path, [path]),
  };
}
