import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A system call on names, or one that makes them durable. */
interface Call {
  readonly name: string;
  /** The quoted words, in order: paths, or what is written. */
  readonly words: readonly string[];
  /** The path behind its descriptor, for calls that have one. */
  readonly of: string | undefined;
}

const names = 'rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat';
// `?`: not every machine has every one.
const traced = `${names},fsync,fdatasync,write,pwrite64`.replaceAll(/\w+/g, '?$&');

/** Runs a program under strace: the calls that succeeded, its threads' too, in their order, and what it printed. */
export function callsOf(argv: readonly string[]): { readonly calls: readonly Call[]; readonly said: string } {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-strace-'));
  try {
    const log = join(directory, 'log');
    const options = [
      '-f',
      '-y',
      '-qq',
      '-s',
      '65536',
      '-e',
      'signal=none',
      '-e',
      `trace=${traced}`,
      '-o',
      log,
    ];
    const { stdout } = spawnSync('strace', [...options, ...argv], { encoding: 'utf8' });
    return { calls: parse(readFileSync(log, 'utf8')), said: stdout.trim() };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const whole = /^(?<pid>\d+) +(?<name>\w+)\((?<args>.*)\) += (?<result>-?\d+|\?)(?: .*)?$/;
const begun = /^(?<pid>\d+) +(?<start>\w+\(.*) <unfinished \.\.\.>$/;
const resumed = /^(?<pid>\d+) +<\.\.\. \w+ resumed>(?<end>.*)$/;

/** A call that another thread's came into is put together again, at the place where it ended. */
function parse(log: string): readonly Call[] {
  const open = new Map<string, string>();
  return log
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      const start = begun.exec(line)?.groups;
      if (start !== undefined) {
        open.set(start.pid ?? '', start.start ?? '');
        return [];
      }
      const end = resumed.exec(line)?.groups;
      const text =
        end === undefined ? line : `${end.pid ?? ''} ${open.get(end.pid ?? '') ?? ''}${end.end ?? ''}`;
      const call = whole.exec(text)?.groups;
      if (call === undefined) throw new Error(`strace said: ${line}`);
      return Number(call.result) >= 0 ? [callOf(call.name ?? '', call.args ?? '')] : [];
    });
}

function callOf(name: string, args: string): Call {
  const words = [...args.matchAll(/"(?<word>(?:[^"\\]|\\.)*)"/g)].map(({ groups }) => groups?.word ?? '');
  return { name: name.replace(/at2?$/, ''), words, of: /^\d+<(?<of>[^>]*)>/.exec(args)?.groups?.of };
}

/**
 * Where a power cut could take a name that was counted on: `data` below the directory is what the sequence changes,
 * `journal` is the engine's. Gives each moment with what was not on the disk then; none when all is well.
 */
export function namesAtRisk(calls: readonly Call[], directory: string): readonly string[] {
  const data = join(directory, 'data');
  const found: string[] = [];
  /** Folder → the change of a name in it that is not on the disk yet. */
  const unsynced = new Map<string, string>();
  const mustBeSynced = (when: string, which: (folder: string) => boolean): void => {
    for (const [folder, change] of unsynced)
      if (which(folder)) found.push(`${when}: ${change} is not on the disk`);
  };
  let line = '';
  for (const { name, words, of } of calls) {
    const inWords = `${name} ${words.join(' ')}`;
    if (name === 'write' || name === 'pwrite64') {
      if (of?.endsWith('.journal') === true) line = words[0] ?? '';
      if (name === 'write' && words[0]?.endsWith('\\n') === true && of?.startsWith(directory) !== true)
        mustBeSynced(`when it said ${words[0]}`, () => true);
    } else if (name === 'fsync' || name === 'fdatasync') {
      if (of !== undefined) unsynced.delete(of);
      if (of?.endsWith('.journal') === true && /\\"t\\":\\"(?:committed|undone|finished)\\"/.test(line))
        mustBeSynced(`before ${line}`, (folder) => folder === data);
    } else {
      const changed = name === 'rename' ? words : words.slice(-1);
      for (const path of changed.filter((each) => each.startsWith(`${directory}/`))) {
        if (dirname(path) === data) mustBeSynced(`before ${inWords}`, (folder) => folder !== data);
        // Locks mean nothing after a boot, nor do the files of a program that ran before it.
        const ofProgram = /\.d\/(?:out|err|session|status)\.\d[^/]*$/.test(path);
        if (!ofProgram && path !== join(directory, 'locks') && dirname(path) !== join(directory, 'locks'))
          unsynced.set(dirname(path), inWords);
      }
    }
  }
  return found;
}
