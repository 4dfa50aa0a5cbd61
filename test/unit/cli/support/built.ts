import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkPrinted } from './answers.ts';

const root = join(import.meta.dirname, '../../../..');

/** How a command ended. */
export interface Ended {
  /** undefined: a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Start {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Not root: uid and gid of this number. */
  readonly uid?: number;
}

/** Runs a program to its end. */
export function run(file: string, argv: readonly string[], start: Start = {}): Promise<Ended> {
  const { env = {}, cwd, uid } = start;
  return new Promise((resolve) => {
    const child = execFile(
      uid !== undefined && file === process.execPath ? nodeForAll() : file,
      argv,
      {
        env: { PATH: process.env.PATH, ...env },
        ...(cwd === undefined ? {} : { cwd }),
        ...(uid === undefined ? {} : { uid, gid: uid }),
      },
      (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
        resolve({ exitCode, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

let reachable: string | undefined;

/** This node, where everybody can start it: root's own folder, in which a checkout may lie, is closed to others. */
function nodeForAll(): string {
  if (reachable !== undefined) return reachable;
  const own = realpathSync(process.execPath);
  if (isOpen(own)) return (reachable = own);
  reachable = join(ownDirectory(), 'node');
  copyFileSync(own, reachable);
  chmodSync(reachable, 0o755);
  return reachable;
}

function isOpen(path: string): boolean {
  return (statSync(path).mode & 0o001) !== 0 && (path === '/' || isOpen(dirname(path)));
}

/** The tests that are not root must be able to read it. */
function ownDirectory(): string {
  const directory = join(tmpdir(), `bofh-test-${String(process.pid)}`);
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
  return directory;
}

let built: Promise<string> | undefined;

/** The command line as it is published: that of `npm test`, or built once for all tests of a worker. */
export function builtCommand(): Promise<string> {
  const { BOFH_BUILT: given } = process.env;
  built ??= given === undefined ? build() : Promise.resolve(join(given, 'bofh.cjs'));
  return built;
}

async function build(): Promise<string> {
  removeLeftovers();
  const directory = ownDirectory();
  const script = join(root, 'scripts/build.mjs');
  const { exitCode, stderr } = await run(process.execPath, [script, '--out', directory, '--no-types']);
  const command = join(directory, 'bofh.cjs');
  if (exitCode !== 0 || !existsSync(command)) throw new Error(`the build failed: ${stderr}`);
  return command;
}

/**
 * A worker of vitest is killed at its end: the next one removes what it left. What another user's left is not ours, and another run
 * may be at the same one.
 */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^bofh-test-(?<pid>\d+)$/.exec(name)?.groups?.pid;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const path = join(tmpdir(), name);
    const owner = statSync(path, { throwIfNoEntry: false })?.uid;
    if (owner !== undefined && owner === process.getuid?.()) rmSync(path, { recursive: true, force: true });
  }
}

/** Runs `bofh ARGS…` as a user would, with a state directory of its own choice. Checks an answer in JSON. */
export async function bofh(args: readonly string[], start: Start = {}): Promise<Ended> {
  const ended = await run(process.execPath, [await builtCommand(), ...args], start);
  if (ended.exitCode !== undefined) await checkPrinted(args, ended.stdout);
  return ended;
}
