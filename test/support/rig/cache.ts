import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { RigError } from './errors.ts';
import { mustRun } from './process.ts';

/** Where images and snapshots are kept: `$BOFH_RIG_CACHE`, or `bofh-rig` in the user's cache folder. */
export function cacheDir(): string {
  const chosen = process.env['BOFH_RIG_CACHE'];
  if (chosen !== undefined && chosen !== '') return chosen;
  const caches = process.env['XDG_CACHE_HOME'];
  return join(caches === undefined || caches === '' ? join(homedir(), '.cache') : caches, 'bofh-rig');
}

/**
 * Returns the folder `path`, which `build` fills when it is not there yet. A folder is seen only when it is whole (it is built
 * beside its place and renamed), two builders wait for each other, and what a dead builder left is removed.
 */
export async function cachedFolder(options: {
  readonly path: string;
  readonly build: (partial: string) => Promise<void>;
  readonly onWait?: () => void;
}): Promise<string> {
  if (await exists(options.path)) return options.path;
  const parent = dirname(options.path);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const lock = await takeLock({
    path: `${options.path}.lock`,
    ...(options.onWait === undefined ? {} : { onWait: options.onWait }),
  });
  try {
    if (await exists(options.path)) return options.path;
    await removePartials(options.path);
    const partial = `${options.path}.partial`;
    await mkdir(partial, { mode: 0o700 });
    await options.build(partial);
    await rename(partial, options.path);
    return options.path;
  } finally {
    await removePartials(options.path);
    lock.release();
  }
}

/** Whether a path is there. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function removePartials(path: string): Promise<void> {
  const wanted = `${basename(path)}.partial`;
  // --one-file-system as a habit: a half-built tree may once have had /dev or /proc mounted in it.
  for (const name of await readdir(dirname(path)))
    if (name === wanted) await removeTree(join(dirname(path), name));
}

async function removeTree(path: string): Promise<void> {
  await mustRun({ argv: ['rm', '-rf', '--one-file-system', '--', path] });
}

/** A kernel lock, held by a small `flock` process that ends when its input does: our death frees it too. */
async function takeLock(options: {
  readonly path: string;
  readonly onWait?: () => void;
}): Promise<{ release: () => void }> {
  const child = spawn(
    'flock',
    ['--exclusive', options.path, 'sh', '-c', 'echo locked; exec cat >/dev/null'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const patience = setTimeout(() => {
    options.onWait?.();
  }, 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.stdout.once('data', () => {
        resolve();
      });
      child.once('close', () => {
        reject(new RigError(`cannot lock ${options.path}`));
      });
    });
  } finally {
    clearTimeout(patience);
  }
  return {
    release: () => {
      child.stdin.end();
    },
  };
}
