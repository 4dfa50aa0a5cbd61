import { type Answer, type Command, nothing, type ReadCommand } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';
import {
  actsIn,
  type Act,
  archivedIn,
  editedIn,
  type Archived,
  autoIn,
  type AutoMark,
  filesIn,
  type PackageState,
  statesIn,
} from './output.ts';

/** Lists every package that dpkg(1) knows, with its state. */
export function packageStates(): ReadCommand<readonly PackageState[]> {
  const fields = [
    'Package',
    'Architecture',
    'Version',
    'db:Status-Want',
    'db:Status-Eflag',
    'db:Status-Status',
  ];
  const format = fields.map((field) => `\${${field}}`).join('\\t');
  return {
    tool: 'dpkg-query',
    argv: ['--show', `--showformat=${format}\\n`],
    access: 'read',
    parse: ({ stdout }) => statesIn(stdout),
  };
}

/**
 * `dpkg --audit`: lists packages that are half installed or half configured. Empty: there are none.
 */
export function dpkgAudit(): ReadCommand<string> {
  return {
    tool: 'dpkg',
    argv: ['--audit'],
    access: 'read',
    accepts: [0, 1],
    parse: ({ stdout }) => stdout.trim(),
  };
}

/** Configuration files of installed packages that were edited after the installation. */
export function editedFiles(names: readonly string[]): ReadCommand<readonly string[]> {
  return {
    tool: 'dpkg',
    argv: ['--verify', '--', ...names],
    access: 'read',
    timeoutMs: 120_000,
    parse: ({ stdout }) => editedIn(stdout),
  };
}

/**
 * The marks of apt, from its file (apt-mark(8), FILES): `apt-mark showauto` reads all lists of apt for half a
 * second.
 */
export function autoPackages(): ReadCommand<readonly AutoMark[]> {
  return {
    tool: 'cat',
    argv: ['/var/lib/apt/extended_states'],
    access: 'read',
    accepts: [0, 1],
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 1 && !stderr.endsWith(': No such file or directory\n')) throw new Error(stderr);
      return autoIn(stdout);
    },
  };
}

/**
 * Simulates apt-get(8). `NAME`, `NAME=VERSION` and the path of a .deb install a package, `NAME-`
 * removes it.
 */
export function simulated(words: readonly string[], from: 'archives' | 'files'): ReadCommand<readonly Act[]> {
  return {
    tool: 'apt-get',
    argv: [
      '--simulate',
      '-qq',
      ...allowed,
      // Otherwise apt writes a log and its cache when root runs it, and a plan must write nothing.
      ...['-o', 'Dir::Log::Planner=/dev/null', ...noCache],
      ...(from === 'files' ? noArchives : []),
      'install',
      '--',
      ...words,
    ],
    access: 'read',
    timeoutMs: 120_000,
    parse: ({ stdout }) => actsIn(stdout),
    classify,
  };
}

/** Lists those of `NAME=VERSION` that an archive has. */
export function archived(words: readonly string[]): ReadCommand<readonly Archived[]> {
  return {
    tool: 'apt-cache',
    argv: ['show', ...noCache, '--', ...words],
    access: 'read',
    // Exit code 100: none of them is known.
    accepts: [0, 100],
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 100 && !/^E: No packages found$/m.test(stderr)) throw new Error(stderr);
      return archivedIn(stdout);
    },
  };
}

/**
 * Downloads packages, `NAME=VERSION`, into a directory. apt compares their SHA-256 with the signed
 * list.
 */
export function download(directory: string, words: readonly string[]): Command<void, 'change'> {
  return {
    tool: 'env',
    argv: [`--chdir=${directory}`, 'apt-get', '-qq', ...asRoot, 'download', '--', ...words],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
  };
}

/**
 * Downloads the lists of the archives in one file. Without `--error-on` apt-get exits with 0 for an
 * archive that it cannot reach.
 */
export function update(file: string): Command<void, 'change'> {
  return {
    tool: 'apt-get',
    argv: [
      ...[
        '-q',
        '--error-on=any',
        '-o',
        `Dir::Etc::sourcelist=${file}`,
        '-o',
        'Dir::Etc::sourceparts=/dev/null',
      ],
      // Otherwise apt would remove the lists of all other archives.
      ...['-o', 'APT::Get::List-Cleanup=0', ...noCache, 'update'],
    ],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    // Removes the last line, which says only that something failed.
    shownOf: (stderr) => stderr.replace(/^E: Some index files failed .*\n/m, ''),
    classify,
  };
}

/**
 * Builds a .deb of an installed package from its current files. Exits with 0 also if it fails
 * (1.52).
 */
export function repack(directory: string, name: string): Command<void, 'change'> {
  return {
    tool: 'env',
    argv: [`--chdir=${directory}`, 'dpkg-repack', name],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
  };
}

/** Lists the paths that a .deb installs, without directories. */
export function filesOfDeb(path: string): ReadCommand<readonly string[]> {
  return {
    tool: 'dpkg-deb',
    argv: ['--contents', path],
    access: 'read',
    timeoutMs: 120_000,
    parse: ({ stdout }) => filesIn(stdout),
  };
}

/** Lists those of these paths that belong to a package. */
export function owned(paths: readonly string[]): ReadCommand<readonly string[]> {
  return {
    tool: 'dpkg-query',
    // dpkg reads a backslash and * ? [ as a pattern.
    argv: ['--search', '--', ...paths.map((path) => path.replaceAll(/[*?[\\]/g, '\\$&'))],
    access: 'read',
    accepts: [0, 1],
    parse: ({ stdout }) =>
      stdout
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('diversion by '))
        .map((line) => {
          const path = /^[a-z0-9][^/]*: (?<path>\/.*)$/.exec(line)?.groups?.path;
          if (path === undefined) throw new Error(`not "PACKAGE: PATH": ${line}`);
          return path;
        }),
  };
}

/**
 * Installs .deb files, and removes `NAME-`. apt sees no repository here, so it cannot choose another package.
 * Keeps every changed configuration file, and asks no questions.
 */
export function changePackages(words: readonly string[]): Command<void, 'destroy'> {
  return {
    tool: 'env',
    argv: [
      ...quietly,
      ...['apt-get', '-q', ...allowed, ...noArchives, ...asRoot],
      ...['-o', 'Dpkg::Options::=--force-confold', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=60'],
      ...['install', '--', ...words],
    ],
    access: 'destroy',
    parse: nothing,
    classify,
  };
}

/**
 * `dpkg --configure`: completes what an interrupted dpkg left. A package whose script fails stays
 * as it is.
 */
export function configureAll(): Command<void, 'change'> {
  return {
    tool: 'env',
    argv: [...quietly, 'dpkg', '--force-confold', '--configure', '--pending'],
    access: 'change',
    accepts: [0, 1],
    parse: nothing,
  };
}

/** Unpacks the old version over a package that is only partly installed. */
export function unpackOver(debs: readonly string[]): Command<void, 'destroy'> {
  return {
    tool: 'env',
    argv: [...quietly, 'dpkg', '--force-confold', '--force-depends', '--unpack', '--', ...debs],
    access: 'destroy',
    parse: nothing,
    classify,
  };
}

/**
 * Removes packages with their configuration; `broken`: also those that are only partly installed.
 */
export function purge(names: readonly string[], how?: 'broken'): Command<void, 'destroy'> {
  const force = how === 'broken' ? ['--force-remove-reinstreq', '--force-depends'] : [];
  return {
    tool: 'env',
    argv: [...quietly, 'dpkg', ...force, '--purge', '--', ...names],
    access: 'destroy',
    parse: nothing,
    classify,
  };
}

/**
 * Sets a mark: whether apt may remove the package when no other package needs it, and whether apt
 * keeps its version.
 */
export function setMark(
  mark: 'auto' | 'manual' | 'hold' | 'unhold',
  names: readonly string[],
): Command<void, 'change'> {
  return { tool: 'apt-mark', argv: [mark, '--', ...names], access: 'change', parse: nothing, classify };
}

/**
 * bofh itself compares what apt would do with the request. Without these options apt refuses some
 * changes.
 */
const allowed = ['--yes', '--allow-downgrades', '--allow-change-held-packages'];

const noCache = ['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='];

/**
 * No archives. Without them apt would write a cache that has no archive either, so it must write
 * none.
 */
const noArchives = [
  ...['-o', 'Dir::Etc::sourcelist=/dev/null', '-o', 'Dir::Etc::sourceparts=/dev/null'],
  ...noCache,
];

/** The sandbox user of apt cannot read a directory with mode 0700. */
const asRoot = ['-o', 'APT::Sandbox::User=root'];

const quietly = [
  'DEBIAN_FRONTEND=noninteractive',
  'APT_LISTCHANGES_FRONTEND=none',
  'NEEDRESTART_SUSPEND=1',
  'UCF_FORCE_CONFFOLD=1',
];

function classify({ stderr }: Answer): Reason {
  if (
    /Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock directory|is locked by another process/.test(
      stderr,
    )
  )
    return 'busy';
  if (/No space left on device|enough free space/.test(stderr)) return 'no-space';
  if (/Unable to locate package|was not found$/m.test(stderr)) return 'not-found';
  return 'unknown';
}
