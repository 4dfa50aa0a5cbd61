import { randomBytes } from 'node:crypto';
import { type FileStat, isOdd, nameOf, notUtf8, type ReadHost } from '../../command/index.ts';
import { CommandError, ParseError } from '../../core/errors.ts';
import { text } from '../answer.ts';
import { fileError, hasCode } from '../files.ts';
import { retryingBusy } from '../retry.ts';
import { kindOf, statOf } from '../stat.ts';
import { asNodeError } from './file-errors.ts';
import type { Link } from './link.ts';

type Verb = 'read' | 'list' | 'link' | 'stat';

/**
 * Runs pairs of a verb and a path, one after the other, and prints a marker before and after the
 * message of each. It reads the marker from stdin: as an argument it would also be in
 * /proc/PID/cmdline, which may be one of the files. As on this host, `read` opens neither a FIFO
 * nor a device, and `list` follows a link. Many files of /sys exist only for some devices: for a
 * missing one the script starts no program. On a disk it does, because only a program reports an
 * error of the disk.
 */
const script = `IFS= read -r mark
exec 3>&1 </dev/null
missing() {
  case $1 in /sys/*) ;; *) return 1 ;; esac
  [ ! -e "$1" ] && [ ! -L "$1" ] && [ "\${#1}" -lt 200 ] || return 1
  above=\${1%/*}
  while [ ! -e "$above" ]; do above=\${above%/*}; done
  [ -d "$above" ] && [ -x "$above" ]
}
while [ "$#" -gt 0 ]; do
  if missing "$2"; then said="$2: No such file or directory"; false
  else case $1 in
  read)
    if [ -e "$2" ] && ! [ -f "$2" ] && ! [ -d "$2" ]; then said=$(stat -Lc 'kind %f' -- "$2" 2>&1); false
    else said=$(cat -- "$2" 2>&1 >&3); fi ;;
  list) said=$(find "$2/." -mindepth 1 -maxdepth 1 -printf '%f\\0' 2>&1 >&3) ;;
  link) said=$(readlink -nv -- "$2" 2>&1 >&3) ;;
  stat) said=$(stat -c '%f %i %d %r %s %u %g %h %.9W' -- "$2" 2>&1 >&3) ;;
  esac; fi
  printf '%s%s %s%s' "$mark" "$?" "$said" "$mark" >&3
  shift 2
done
exit 0`;

interface Wanted {
  readonly verb: Verb;
  readonly path: string;
  readonly tell: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
}

interface Answer {
  readonly exitCode: number;
  readonly content: Buffer;
  readonly said: string;
}

/**
 * Files of the kernel: a dead server or disk cannot block a read. Files of a process may wait for
 * its locks.
 */
const kernelFile = /^\/(?:sys|dev|proc(?!\/\d))\//;
const limitMs = 30_000;
/** A command line may have 128 KiB (MAX_ARG_STRLEN, binfmts.h), and quoting may lengthen a path. */
const batchBytes = 16 * 1024;
const batchCount = 200;

/**
 * The number of batches that run at a time; new requests wait for the next one. Sequential requests never
 * wait, and many parallel ones share batches. A batch that hangs leaves one for all other requests.
 */
const parallelBatches = 2;

/** File accesses over a link. Simultaneous requests share a batch. */
export function remoteFiles(link: Link): Pick<ReadHost, 'readFile' | 'readDir' | 'readLink' | 'stat'> {
  const ask = batching((wanted) => deliver(link, wanted));
  return {
    readFile: async (path) => {
      const { content, ...result } = await ask('read', path);
      if (result.exitCode === 0) return content;
      throw fileError('read', path, oddKind(result.said) ?? asNodeError(result.said, 'open', path));
    },
    readDir: async (path) => {
      const { exitCode, content, said } = await ask('list', path);
      if (exitCode !== 0) throw fileError('list', path, asNodeError(said, 'scandir', path));
      return nameOf(content).split('\0').slice(0, -1).sort();
    },
    readLink: async (path) => {
      const { exitCode, content, said } = await ask('link', path);
      if (exitCode !== 0) throw fileError('readlink', path, asNodeError(said, 'readlink', path));
      return nameOf(content);
    },
    stat: async (path) => {
      const { exitCode, content, said } = await ask('stat', path);
      if (exitCode === 0) return parseStat(text(content));
      const error = asNodeError(said, 'lstat', path);
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
      throw fileError('stat', path, error);
    },
  };
}

/** Collects requests into batches. `send` resolves when the batch has returned, with any result. */
function batching(
  send: (wanted: readonly Wanted[]) => Promise<void>,
): (verb: Verb, path: string) => Promise<Answer> {
  const waiting: Wanted[] = [];
  let [running, planned] = [0, false];
  const flush = (): void => {
    planned = false;
    while (running < parallelBatches && waiting.length > 0) {
      running += 1;
      void send(take(waiting)).finally(() => {
        running -= 1;
        plan();
      });
    }
  };
  // Starts the batch after all callbacks that are ready, because they may make more requests.
  const plan = (): void => {
    if (!planned && waiting.length > 0) setImmediate(flush);
    planned ||= waiting.length > 0;
  };
  return (verb, path) =>
    new Promise((tell, fail) => {
      if (isOdd(path)) throw notUtf8(path);
      waiting.push({ verb, path, tell, fail });
      plan();
    });
}

/** Takes the first requests, as many as fit into a batch. */
function take(all: Wanted[]): readonly Wanted[] {
  let [count, bytes] = [0, 0];
  for (const { path } of all) {
    bytes += Buffer.byteLength(path) + 16;
    if (count > 0 && (bytes > batchBytes || count >= batchCount)) break;
    count += 1;
  }
  return all.splice(0, count);
}

/** Runs a batch, and gives each request its answer. After a CommandError runs each request alone. */
function deliver(link: Link, wanted: readonly Wanted[]): Promise<void> {
  return fetch(link, wanted).then(
    (answers) => answers.forEach((each, i) => wanted[i]?.tell(each)),
    (error: unknown) => {
      // One request that hangs, or whose answer is too long, must not make the others fail.
      const alone = wanted.length === 1 || !(error instanceof CommandError);
      for (const each of wanted) {
        if (alone) each.fail(error);
        else void deliver(link, [each]);
      }
    },
  );
}

async function fetch(link: Link, wanted: readonly Wanted[]): Promise<readonly Answer[]> {
  const mark = randomBytes(16).toString('hex');
  const words = wanted.flatMap(({ verb, path }) => [verb, path]);
  const program = { tool: 'file', file: '/bin/sh', argv: words };
  const stdin = `${mark}\n`;
  const plain = wanted.every(({ path }) => kernelFile.test(path)) ? ({ plain: 'files' } as const) : {};
  const { exitCode, stdout } = await retryingBusy(
    () => link.read({ program, script, words, stdin, timeoutMs: limitMs, ...plain }),
    { allowed: true, log: () => undefined },
  );
  const parts = split(Buffer.from(stdout), mark);
  const answers = wanted.map((_, i) => answerIn(parts[2 * i], parts[2 * i + 1]));
  if (exitCode === 0 && parts.length === 2 * wanted.length + 1 && answers.every((each) => each !== undefined))
    return answers;
  throw new ParseError(`the answer to ${words.slice(0, 2).join(' ')} and others could not be parsed`);
}

function answerIn(content: Buffer | undefined, end: Buffer | undefined): Answer | undefined {
  const { code, said = '' } = /^(?<code>\d+) (?<said>[^]*)$/.exec(text(end ?? Buffer.alloc(0)))?.groups ?? {};
  if (content === undefined || code === undefined) return undefined;
  return { exitCode: Number(code), content, said };
}

function split(bytes: Buffer, mark: string): readonly Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, from)) {
    parts.push(bytes.subarray(from, at));
    from = at + mark.length;
  }
  return [...parts, bytes.subarray(from)];
}

function oddKind(said: string): Error | undefined {
  const mode = /^kind (?<mode>[0-9a-f]+)$/.exec(said)?.groups?.mode;
  return mode === undefined
    ? undefined
    : new Error(`it is not a file but of kind "${kindOf(BigInt(`0x${mode}`))}"`);
}

/** The fields in the order of the format above, all decimal except the mode. */
const statLine = /^[0-9a-f]+(?: \d+){7} \d+\.\d{9}\n$/;

function parseStat(line: string): FileStat {
  if (!statLine.test(line)) throw new ParseError(`cannot parse the output of stat: ${JSON.stringify(line)}`);
  const [
    mode = 0n,
    ino = 0n,
    dev = 0n,
    rdev = 0n,
    size = 0n,
    uid = 0n,
    gid = 0n,
    nlink = 0n,
    birthtimeNs = 0n,
  ] = `0x${line}`.trimEnd().replace('.', '').split(' ').map(BigInt);
  return statOf({ mode, ino, dev, rdev, size, uid, gid, nlink, birthtimeNs });
}
