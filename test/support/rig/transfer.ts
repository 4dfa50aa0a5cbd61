import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RigError } from './errors.ts';
import { mustRun } from './process.ts';
import { type Connection, shellWords } from './ssh.ts';

/** A file that a test makes up; `path` is relative to where it is put, `mode` is 0o644 when nothing is said. */
export type FileEntry = { readonly path: string; readonly text: string | Buffer; readonly mode?: number };

/** Copies a local file to the path `to`, or a local folder's content into the folder `to`, owned by root. */
export async function putPath(
  connection: Connection,
  options: { readonly from: string; readonly to: string },
): Promise<void> {
  const info = await stat(options.from);
  if (info.isDirectory()) {
    await untar(connection, { from: options.from, to: options.to });
    return;
  }
  const to = shellWords([options.to]);
  const mode = (info.mode & 0o777).toString(8);
  const command = `mkdir -p ${shellWords([dirname(options.to)])} && cat > ${to} && chmod ${mode} ${to}`;
  await connection.run(command, { stdin: await readFile(options.from) });
}

/** Writes made-up files below the folder `to`. */
export async function putEntries(
  connection: Connection,
  options: { readonly entries: readonly FileEntry[]; readonly to: string },
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bofh-rig-put-'));
  try {
    for (const entry of options.entries) {
      const path = join(dir, entry.path);
      if (!path.startsWith(`${dir}/`)) throw new RigError(`"${entry.path}" leads out of its folder`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, entry.text, { mode: entry.mode ?? 0o644 });
    }
    await untar(connection, { from: dir, to: options.to });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The content of a file in the machine. */
export async function getFile(connection: Connection, path: string): Promise<Buffer> {
  return (await connection.run(['cat', '--', path])).stdout;
}

async function untar(
  connection: Connection,
  options: { readonly from: string; readonly to: string },
): Promise<void> {
  // `.` itself is left out: the modes of folders that are there already (/, /etc) are not ours to change.
  const names = await mustRun({
    argv: ['find', '.', '-mindepth', '1', '(', '-type', 'f', '-o', '-type', 'l', ')', '-print0'],
    cwd: options.from,
  });
  const pack = ['tar', '--create', '--owner=0', '--group=0', '--numeric-owner', '--null', '--files-from=-'];
  const { stdout } = await mustRun({ argv: pack, cwd: options.from, stdin: names.stdout });
  const to = shellWords([options.to]);
  // busybox: a fault that a test laid over tar must not hit the rig itself.
  await connection.run(`mkdir -p ${to} && busybox tar -x -f - -C ${to}`, { stdin: stdout });
}
