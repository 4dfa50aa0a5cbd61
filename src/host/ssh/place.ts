import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inShell } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';

/** A private directory with the socket of the shared connection. */
export interface Place {
  readonly socket: string;
  /** Removes the directory and its content. */
  readonly remove: () => void;
}

/**
 * Creates the directory in /run, which a boot empties: for root below /run/bofh, for other users below their
 * runtime directory. Its path is short, because the path of a socket may have 107 bytes, and ssh uses 17 of
 * them for a temporary name (mux.c).
 */
export function makePlace(above: string = parent()): Place {
  sweep(above);
  const directory = mkdtempSync(join(above, `bofh-ssh-${String(process.pid)}-`));
  return {
    socket: join(directory, 's'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Removes empty directories, left by killed processes: ssh removes its socket itself. Other directories stay. */
function sweep(above: string): void {
  for (const name of readdirSync(above)) {
    const pid = /^bofh-ssh-(?<pid>\d+)-/.exec(name)?.groups?.['pid'];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(join(above, name));
    } catch {
      // The directory has a socket, or another bofh removed it first.
    }
  }
}

function parent(): string {
  if (process.getuid?.() !== 0) return process.env['XDG_RUNTIME_DIR'] ?? tmpdir();
  const directory = '/run/bofh';
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(directory);
  if (uid !== 0 || (mode & 0o022) !== 0)
    throw new RefusedError(`others can write to ${directory}, the directory for the connection`, {
      remedy: `chown root ${inShell(directory)}; chmod 700 ${inShell(directory)}`,
    });
  return directory;
}

const acts = new Set<() => void>();

/**
 * Runs a function when this process ends by itself; returns a function that cancels this. Uses one listener
 * for all functions.
 */
export function atExit(act: () => void): () => void {
  if (acts.size === 0) process.once('exit', runAll);
  acts.add(act);
  return () => {
    acts.delete(act);
    if (acts.size === 0) process.off('exit', runAll);
  };
}

function runAll(): void {
  for (const act of acts) act();
}

/** Ends the connection synchronously, when the process ends: ssh answers within milliseconds. */
export function closeNow(ssh: string, argv: readonly string[]): void {
  spawnSync(ssh, argv, { stdio: 'ignore', timeout: 5000 });
}
