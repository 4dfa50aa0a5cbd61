import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmSnapshotCreate } from './answers/index.ts';
import { given, type Options } from './lvm-volumes.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm snapshot create VG/ORIGIN NAME`; with `--size` or `--extents` a classic one. */
export async function create(
  runtime: Runtime,
  { origin, name }: { readonly origin: string; readonly name: string },
  options: Options,
): Promise<number> {
  const { vg, name: originName } = volumeOf(origin);
  const asked = { vg, origin: originName, name, ...given(options) };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.createSnapshot(asked));
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.createSnapshot(asked)));
  progress.end();
  const { path, size, uuid, active } = made;
  const data: LvmSnapshotCreate = { volume: `${vg}/${name}`, uuid, path, origin, size, active };
  const state = active ? formatSize(size) : `${formatSize(size)}, not active`;
  give(runtime, { data, lines: [`${data.volume} is there, a snapshot of ${origin} (${state})`] });
  return 0;
}
