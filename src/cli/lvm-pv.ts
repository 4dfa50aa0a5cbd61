import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { pvs } from '../lvm/report-commands.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmPvCreate, LvmPvList, LvmPvResize } from './answers/index.ts';
import { confirm } from './confirm.ts';
import { overwriteOf } from './filesystem-create.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh lvm pv list`: also those in no group, and those whose device is missing. */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data: LvmPvList = (await bofh.host.run(pvs())).map((pv) => ({
    device: pv.path ?? null,
    uuid: pv.uuid,
    group: pv.vg?.name ?? null,
    size: pv.size,
    free: pv.free,
    allocatable: pv.allocatable,
    tags: [...pv.tags],
  }));
  give(runtime, {
    data,
    head: ['DEVICE', 'GROUP', 'SIZE', 'FREE', 'UUID', 'TAGS'],
    rows: data.map((pv) => [
      pv.device ?? 'missing',
      pv.group ?? '',
      formatSize(pv.size),
      formatSize(pv.free),
      pv.uuid,
      pv.tags.join(','),
    ]),
    none: 'there is no physical volume on this host',
  });
  return 0;
}

/** `bofh lvm pv create DEVICE`: asks when it overwrites what was named. */
export async function create(
  runtime: Runtime,
  device: string,
  { overwrite }: { readonly overwrite?: string },
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const named =
    overwrite === undefined
      ? undefined
      : await untilInterrupted(
          runtime,
          withBofh(bofh, () => overwriteOf(device, overwrite)),
        );
  const asked = { device, ...(named === undefined ? {} : { overwrite: named }) };
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.createPv(asked));
  }
  if (named !== undefined)
    await confirm(runtime, [
      `${printable(device)} is overwritten, and what is on it now cannot be brought back: ${named.uuid ?? named.type ?? ''}`,
    ]);
  const data: LvmPvCreate = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.createPv(asked)));
  progress.end();
  give(runtime, { data, lines: [`${data.device} is a physical volume now, uuid ${data.uuid}`] });
  return 0;
}

/** `bofh lvm pv resize DEVICE`: to have that size already is success. */
export async function resize(
  runtime: Runtime,
  asked: { readonly device: string; readonly size?: string },
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.resizePv(asked));
  }
  const data: LvmPvResize = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.resizePv(asked)));
  progress.end();
  give(runtime, { data, lines: [`the physical volume ${data.device} has ${formatSize(data.size)} now`] });
  return 0;
}
