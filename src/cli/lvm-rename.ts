import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { dmName } from '../lvm/names.ts';
import { give } from './answer.ts';
import type { LvmRename } from './answers/index.ts';
import { type Naming, namingInWords, whoNames } from './lvm-naming.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { type Volume, volumeOf } from './volume.ts';

/** `bofh lvm rename VG/NAME TO`: says which files still name the old path; it edits none. */
export async function rename(runtime: Runtime, volume: string, to: string): Promise<number> {
  const asked = { ...volumeOf(volume), to };
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const found = await untilInterrupted(runtime, whoNames(bofh, pathsOf(asked)));
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    const exitCode = await dryRun(runtime, bofh, () => lvm.renameLv(asked));
    for (const line of inWords(found, asked)) runtime.terminal.line(`bofh: ${line}`);
    return exitCode;
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.renameLv(asked)));
  progress.end();
  const { uuid, path } = made;
  const data: LvmRename = { volume: `${made.vg}/${made.name}`, was: volume, uuid, path, ...found };
  give(runtime, { data, lines: [`${volume} is called ${data.volume} now`, ...inWords(found, asked)] });
  return 0;
}

/** By both its paths. */
function pathsOf({ vg, name }: Volume): (path: string) => boolean {
  const paths = new Set([`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`]);
  return (path) => paths.has(path);
}

function inWords(found: Naming, { vg, to }: { readonly vg: string; readonly to: string }): readonly string[] {
  return namingInWords(found, () => `/dev/${vg}/${to}`);
}
