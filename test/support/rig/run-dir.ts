import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'bofh-rig-run-';

/** Makes a private folder for one machine, and removes those whose process has died. */
export async function makeRunDir(): Promise<string> {
  await sweep();
  const dir = await mkdtemp(join(tmpdir(), prefix));
  await writeFile(join(dir, 'owner'), await processIdentity(process.pid));
  return dir;
}

async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const dir = join(tmpdir(), name);
    const owner = await readFile(join(dir, 'owner'), 'utf8').catch(() => '');
    const pid = Number(owner.split(' ')[0]);
    // No owner yet: it is being made just now.
    if (owner === '' || (await processIdentity(pid)) === owner) continue;
    await rm(dir, { recursive: true, force: true });
  }
}

/** Pid and start time, which together are never used twice; the pid alone when there is no such process. */
async function processIdentity(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '');
  // The name, in parentheses, may hold spaces; the start time is the 20th field after it.
  const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'gone';
  return `${String(pid)} ${started}`;
}
