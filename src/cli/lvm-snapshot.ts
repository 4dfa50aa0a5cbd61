import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { UsageError } from '../errors.ts';
import { usableVg, volumeNamed } from '../lvm/index.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmSnapshotCreate, LvmSnapshotMerge } from './answers/index.ts';
import { confirm } from './confirm.ts';
import { given } from './lvm-volumes.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
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

/** `bofh lvm snapshot merge VG/NAME`: asks, for what the origin has by now is lost. */
export async function merge(runtime: Runtime, volume: string): Promise<number> {
  const { vg, name } = volumeOf(volume);
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.mergeSnapshot({ vg, name }));
  }
  const { uuid, origin } = await untilInterrupted(
    runtime,
    usableVg(bofh.host, vg).then((group) => volumeNamed(group, { name })),
  );
  if (origin === undefined)
    throw new UsageError(`${volume} is no snapshot: it cannot be merged`, {
      remedy: 'bofh lvm list shows what is a snapshot of what',
    });
  await confirm(runtime, [
    `${vg}/${origin.name} (uuid ${origin.uuid}) becomes what it was when ${volume} was taken: what was written to it since is lost, and so is ${volume}`,
  ]);
  await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.mergeSnapshot({ vg, name, uuid })));
  progress.end();
  const data: LvmSnapshotMerge = {
    ...{ volume: `${vg}/${origin.name}`, uuid: origin.uuid, merged: volume },
    path: `/dev/${vg}/${origin.name}`,
  };
  give(runtime, { data, lines: [`${data.volume} is what it was when ${volume} was taken, which is gone`] });
  return 0;
}
