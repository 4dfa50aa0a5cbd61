import * as lvm from '../../../api/lvm.ts';
import { pvs } from '../../../lvm/index.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { LvmPvCreate, LvmPvList, LvmPvResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { overwriting } from '../../runtime/overwrite.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

/** `bofh lvm pv list`: also those in no group, and those whose device is missing. */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data: LvmPvList = (await pvs(bofh.host)).map((pv) => ({
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
  return overwriting<LvmPvCreate>(runtime, { device, overwrite }, (more) => ({
    act: () => lvm.createPv({ device, ...more }),
    answer: (data): Answer<LvmPvCreate> => ({
      data,
      lines: [`${data.device} is a physical volume now, uuid ${data.uuid}`],
    }),
  }));
}

/** `bofh lvm pv resize DEVICE`: to have that size already is success. */
export async function resize(
  runtime: Runtime,
  asked: { readonly device: string; readonly size?: string },
): Promise<number> {
  return change(runtime, {
    act: () => lvm.resizePv(asked),
    answer: (data): Answer<LvmPvResize> => ({
      data,
      lines: [`the physical volume ${data.device} has ${formatSize(data.size)} now`],
    }),
  });
}
