import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ReadHost } from '../../../command/index.ts';
import { RefusedError } from '../../../core/errors.ts';
import type { Program, Runtime } from '../../runtime/runtime.ts';

/** The program that units start. */
export function programOf({ program }: Runtime): Program {
  return program ?? [process.execPath, realpathSync(process.argv[1] ?? '')];
}

/** Throws RefusedError if users other than root can write what root would run at each boot. */
export async function refuseUnsafe(host: ReadHost, program: Program): Promise<void> {
  for (const path of program) await refuseUnsafePath(host, path);
  await refuseUnsafeFolder(host, program[1]);
}

/** Throws unless only root can write the file and every directory above it. The path has no links. */
async function refuseUnsafePath(host: ReadHost, path: string): Promise<void> {
  const parts = path.split('/').slice(1);
  for (const at of ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)]) {
    const stat = await host.stat(at);
    if (stat === undefined)
      throw new RefusedError(`there is no ${at}, which ${path} needs`, {
        remedy: 'install bofh at that place, or run boot install from where it is',
      });
    const sticky = stat.kind === 'directory' && (stat.mode & 0o1000) !== 0;
    if (stat.uid === 0 && (sticky || (stat.mode & 0o022) === 0)) continue;
    throw unsafe(at, path);
  }
}

/**
 * Throws if others can write a file in the directory of the program: bofh loads these files, and root runs
 * them.
 */
async function refuseUnsafeFolder(host: ReadHost, program: string): Promise<void> {
  const folder = dirname(program);
  for (const name of await host.readDir(folder)) {
    const stat = await host.stat(join(folder, name));
    if (stat === undefined) continue;
    // Others may be able to write the target of a link.
    const safe = stat.uid === 0 && stat.kind !== 'symlink' && (stat.mode & 0o022) === 0;
    if (!safe) throw unsafe(join(folder, name), program);
  }
}

function unsafe(at: string, path: string): RefusedError {
  return new RefusedError(
    `other users than root can write to ${at}, and root would run ${path} at each boot`,
    {
      remedy:
        'install bofh so that only root can write to it: as root, in a checkout that belongs to root: npm ci && npm run build && ln -s "$PWD/dist/bofh.cjs" /usr/local/sbin/bofh',
    },
  );
}
