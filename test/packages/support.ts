import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Said } from '../support/containers/docker.ts';
import { mustRun, runProgram } from '../support/rig/process.ts';

const root = join(import.meta.dirname, '../..');

/** The files of the project, as a version of their own, with the dependencies and downloads of this checkout. */
export async function projectAs(version: string, to: string): Promise<void> {
  const argv = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await mustRun({ argv, cwd: root });
  for (const path of stdout.toString().split('\0').filter(Boolean)) cpSync(join(root, path), join(to, path));
  mkdirSync(join(root, '.cache'), { recursive: true });
  for (const name of ['node_modules', '.cache']) symlinkSync(join(root, name), join(to, name));
  const about = readFileSync(join(to, 'package.json'), 'utf8');
  writeFileSync(join(to, 'package.json'), about.replace(/"version": ".*"/, `"version": "${version}"`));
}

/** Runs a shell script in a Debian root, in its own mounts and processes: whatever starts there ends with it. */
export async function inRoot(at: string, script: string): Promise<Said> {
  const enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" sh -ec "$1" 2>&1';
  const argv = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', enter, at, script];
  const { exitCode, stdout, stderr } = await runProgram({ argv, timeoutMs: 900_000 });
  return { exitCode, text: stdout.toString() + stderr.toString() };
}
