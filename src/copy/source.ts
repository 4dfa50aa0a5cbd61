import {
  type FileStat,
  follow,
  inShell,
  kindInWords,
  type ReadHost,
  refuseExposed,
} from '../command/index.ts';
import { CommandError, RefusedError, ToolError, UsageError } from '../core/errors.ts';
import { matching } from './read-root.ts';
import type { Bytes } from '../core/units.ts';
import { placesOf } from './archive.ts';
import { tarList, tarText } from './commands.ts';
import type { RootContent } from './read-root.ts';

/** The content of a tar archive for a new root. */
export interface TarSummary {
  readonly members: number;
  /** Size of all files. */
  readonly bytes: Bytes;
  /** Uncompressed size of the archive. */
  readonly archiveBytes: Bytes;
}

/**
 * Reads the whole archive, also gzip, xz and zstd, and summarizes it. UsageError for an archive
 * that cannot fill a root: missing, a directory, not a tar, truncated, empty, or with a member
 * outside of the root. ToolError if the program that decompresses it is missing. Reads lists of up
 * to 64 MiB (about half a million members).
 */
export async function checkTar(options: {
  readonly host: ReadHost;
  readonly source: string;
}): Promise<TarSummary> {
  return (await readTar(options)).summary;
}

/**
 * Like `checkTar`, with the path of every member after unpacking, in C quoting, and the content of
 * those `files` that are regular and only once in the archive.
 */
export async function readTar({
  host,
  source,
  files = [],
}: {
  readonly host: ReadHost;
  readonly source: string;
  readonly files?: readonly string[];
}): Promise<RootContent & { readonly summary: TarSummary }> {
  const { size } = await sourceFile(host, source);
  if (size === 0) throw new UsageError(`${source} is empty`);
  const listing = await host.run(tarList(source)).catch((error: unknown) => {
    throw error instanceof CommandError ? explained(source, error) : error;
  });
  if (!listing.complete) throw truncated(source);
  if (listing.members.length === 0) throw new UsageError(`${source} is an archive without members`);
  const places = placesOf(listing.members);
  const bytes = listing.members.reduce((sum, member) => sum + member.bytes, 0);
  const summary = { members: listing.members.length, bytes, archiveBytes: listing.archiveBytes };
  const texts = new Map<string, string>();
  for (const path of matching(files, places.keys())) {
    const [member, ...more] = listing.members.filter(({ name }) => name.replace(/^(?:\.\/)*/, '') === path);
    if (member?.type === '-' && more.length === 0)
      texts.set(path, await host.run(tarText(source, member.name)));
  }
  return { summary, paths: new Set(places.keys()), texts };
}

/**
 * Returns the regular file of a source. UsageError if it is missing or something else, RefusedError
 * for a loop of links, and for a path that another user could redirect.
 */
export async function sourceFile(host: ReadHost, source: string): Promise<FileStat> {
  if (!source.startsWith('/')) throw new UsageError(`"${source}" is not an absolute path`);
  const { stat } = await follow(host, source);
  if (stat === undefined) throw new UsageError(`there is no file ${source}`, { code: 'not-found' });
  if (stat.kind !== 'file') throw new UsageError(`${source} is not a file but ${kindInWords(stat)}`);
  await refuseExposed(host, source, 'there');
  return stat;
}

const decompressors: Readonly<Record<string, string>> = {
  bzip2: 'bzip2',
  gzip: 'gzip',
  lzip: 'lzip',
  lzop: 'lzop',
  xz: 'xz-utils',
  zstd: 'zstd',
};

/**
 * Turns a failure of tar into an error with its reason: the exit code is always 2, so only the text
 * shows it (tar 1.34, gzip 1.12, xz 5.4, zstd 1.5).
 */
function explained(source: string, error: CommandError): Error {
  const missing = /\(child\): (?<program>\w+): Cannot exec/.exec(error.stderr)?.groups?.program;
  if (missing !== undefined) {
    const name = decompressors[missing] ?? missing;
    return new ToolError(`${source} is compressed with ${missing}, which is not installed`, {
      cause: error,
      remedy: `apt-get install ${name}`,
    });
  }
  if (error.exitCode === undefined) return error;
  if (/unexpected eof|unexpected end of|premature end|ends unexpectedly|truncated/i.test(error.stderr))
    return truncated(source, error);
  if (/does not look like a tar archive/.test(error.stderr))
    return new UsageError(`${source} is not a tar archive`, { cause: error });
  const said = error.stderr.split('\n').find((line) => line !== '') ?? `exit ${error.exitCode}`;
  return new UsageError(`${source} cannot be read as a tar archive: ${said}`, { cause: error });
}

function truncated(source: string, cause?: unknown): UsageError {
  return new UsageError(`${source} is incomplete: its end is missing`, {
    cause,
    remedy: 'copy or create it again',
  });
}

/**
 * RefusedError unless the path is a file that only root can write and, for a program, that can be
 * executed.
 */
export async function refuseUnsafeScript(
  host: ReadHost,
  path: string,
  as: 'program' | 'description' = 'program',
): Promise<void> {
  const { stat } = await follow(host, path);
  if (stat?.kind !== 'file')
    throw new RefusedError(`there is no file ${path}`, { code: 'not-found', remedy: 'name one that exists' });
  await refuseExposed(host, path, 'content');
  if (as === 'program' && (stat.mode & 0o100) === 0)
    throw new RefusedError(`${path} is not executable`, { remedy: `chmod u+x ${inShell(path)}` });
}
