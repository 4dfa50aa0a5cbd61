import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Download, inShell, type LocalHost } from '../command/index.ts';
import { BofhError, InterruptedError, RefusedError } from '../core/errors.ts';
import { formatSize } from '../core/units.ts';
import { fileReads } from './files.ts';

/** Milliseconds after its last change in which a partial file is kept. The next download removes an older one. */
const keptMs = 7 * 24 * 3_600_000;

const again = 'run the command again: it continues where this one ended';

/**
 * Downloads a file into a directory that only root can enter, under a private name until its checksum is
 * correct. The next download continues the `.part` file of a killed download, if the server still has the
 * same file.
 */
export function downloader(flock: LocalHost['flock']) {
  return async (of: Download): Promise<void> => {
    const directory = dirname(of.path);
    await prepare(directory);
    if ((await fileReads.stat(of.path)) !== undefined) return;
    await removeOld(directory);
    const part = (await partsOf(of.path))[0] ?? partName(of.path, '');
    const file = await fs.open(part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const [own, named] = [await file.stat(), await fs.stat(part).catch(() => undefined)];
      if ((await flock([{ fd: file.fd, mode: 'exclusive' }])) !== undefined || own.ino !== named?.ino)
        throw new RefusedError(`another bofh is downloading ${of.url}`, {
          code: 'busy',
          remedy: 'wait until it has ended; then run the command again',
        });
      const received = await receive({ ...of, file, part });
      await file.sync();
      await check({ ...of, part: received });
      await fs.rename(received, of.path);
    } catch (error) {
      if (of.signal?.aborted === true)
        throw new InterruptedError(`the download of ${of.url} was interrupted`, {
          cause: error,
          remedy: again,
        });
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new RefusedError(`${directory} is full: ${of.url} was downloaded in part`, {
        cause: error,
        code: 'no-space',
        remedy: `make room there: df ${directory}; then ${again}`,
      });
    } finally {
      await file.close();
    }
    const handle = await fs.open(directory);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
}

/** Creates the directory. Throws if users other than root may replace a file in it. */
async function prepare(directory: string): Promise<void> {
  await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  const { kind, uid, mode } = (await fileReads.stat(directory)) ?? {};
  if (kind === 'directory' && uid === process.geteuid?.() && ((mode ?? 0) & 0o077) === 0) return;
  throw new RefusedError(`${directory} is not a directory that only root can enter`, {
    remedy: `see what is in it, and correct it: chown root: ${inShell(directory)}; chmod 0700 ${inShell(directory)}`,
  });
}

/**
 * The name of a `.part` file. It contains the validator of the content (ETag or Last-Modified), with which
 * the server decides whether it still has the same file.
 */
function partName(path: string, validator: string): string {
  const name = `${path}.${Buffer.from(validator).toString('base64url')}.part`;
  return name.length > dirname(path).length + 240 ? `${path}..part` : name;
}

async function partsOf(path: string): Promise<readonly string[]> {
  const names = (await fs.readdir(dirname(path))).map((name) => join(dirname(path), name));
  return names.filter((name) => name.startsWith(`${path}.`) && name.endsWith('.part'));
}

async function removeOld(directory: string): Promise<void> {
  for (const name of await fs.readdir(directory)) {
    const part = join(directory, name);
    const stat = name.endsWith('.part') ? await fs.stat(part) : undefined;
    if (stat !== undefined && stat.mtimeMs < Date.now() - keptMs) await fs.unlink(part);
  }
}

interface Receiving extends Download {
  readonly file: fs.FileHandle;
  readonly part: string;
}

/** Receives the whole file, or the rest of it; returns the new name of the `.part` file. */
async function receive({ url, file, part, ...of }: Receiving): Promise<string> {
  // Imported only here: node:http and node:tls would cost 5 ms at each start of bofh.
  const { get } = await import('./https.ts');
  const validator = Buffer.from(/\.([\w-]*)\.part$/.exec(part)?.[1] ?? '', 'base64url').toString();
  let at = validator === '' ? 0 : (await file.stat()).size;
  const headers = at === 0 ? {} : { Range: `bytes=${at}-`, 'If-Range': validator };
  let answer = await get(url, headers, of);
  const range = /^bytes (?<from>\d+)-\d+\/(?<total>\d+)$/.exec(answer.headers['content-range'] ?? '')?.groups;
  if (answer.statusCode === 416 || (answer.statusCode === 206 && Number(range?.['from']) !== at)) {
    answer.destroy();
    answer = await get(url, {}, of);
  }
  const isRest = answer.statusCode === 206 && at > 0;
  if (!isRest && answer.statusCode !== 200) {
    answer.destroy();
    throw new RefusedError(
      `${url} cannot be downloaded: ${answer.statusCode} ${answer.statusMessage ?? ''}`.trim(),
      {
        code: answer.statusCode === 404 ? 'not-found' : 'unreachable',
        remedy: `see what is there: curl --head --location ${url}`,
      },
    );
  }
  if ((answer.headers['content-encoding'] ?? 'identity') !== 'identity') {
    answer.destroy();
    throw new RefusedError(`${url}: the server compresses the file, so its checksum would differ`, {
      remedy: 'download it yourself, and name the file: --source image:FILE',
    });
  }
  let name = part;
  if (!isRest) {
    at = 0;
    await file.truncate(0);
    const { etag = '', 'last-modified': date = '' } = answer.headers;
    name = partName(part.replace(/\.[\w-]*\.part$/, ''), etag.startsWith('"') ? etag : date);
    await fs.rename(part, name);
  }
  const length = answer.headers['content-length'];
  const total = isRest ? Number(range?.['total']) : length === undefined ? undefined : Number(length);
  let reportedAt = 0;
  try {
    await refuseWithoutRoom(dirname(part), (total ?? at) - at, url);
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      // On a disk that is nearly full, write() may write only a part of the chunk.
      for (let from = 0, end = at + chunk.length; at < end; from = chunk.length - (end - at))
        at += (await file.write(chunk, from, end - at, at)).bytesWritten;
      if (Date.now() - reportedAt < 200) continue;
      reportedAt = Date.now();
      of.onProgress?.(total === undefined ? undefined : at / total);
    }
  } catch (error) {
    answer.destroy();
    if (error instanceof BofhError || (error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
    throw ended(url, `${formatSize(at)} received, then: ${(error as Error).message}`, error);
  }
  if (total !== undefined && at !== total)
    throw ended(url, `${String(at)} of ${String(total)} bytes were received`);
  return name;
}

function ended(url: string, why: string, cause?: unknown): RefusedError {
  return new RefusedError(`the download of ${url} ended early: ${why}`, {
    cause,
    code: 'unreachable',
    remedy: again,
  });
}

async function refuseWithoutRoom(directory: string, wanted: number, url: string): Promise<void> {
  const { bavail, bsize } = await fs.statfs(directory);
  if (wanted <= bavail * bsize) return;
  throw new RefusedError(
    `${url} needs ${formatSize(wanted)}, and ${directory} has ${formatSize(bavail * bsize)} free`,
    {
      code: 'no-space',
      remedy: `see how full its filesystem is: df ${directory}; delete files there; then run the command again`,
    },
  );
}

/** Compares the checksum of all bytes on disk, including those of an earlier part. */
async function check({ url, part, algorithm, checksum }: Omit<Receiving, 'file'>): Promise<void> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(part) as AsyncIterable<Buffer>) hash.update(chunk);
  const found = hash.digest('hex');
  if (found === checksum) return;
  await fs.unlink(part);
  throw new RefusedError(
    `${url} has the ${algorithm} ${found} instead of ${checksum}; the downloaded file was deleted`,
    {
      code: 'differs',
      remedy:
        'compare it with the sums that the site publishes (SHA256SUMS, SHA512SUMS); the file at an address with "latest" changes, so its checksum changes too',
    },
  );
}
