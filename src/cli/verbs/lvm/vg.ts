import * as lvm from '../../../api/lvm.ts';
import { vgs } from '../../../lvm/index.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { LvmVgCreate, LvmVgDevices, LvmVgList } from '../../output/answers/index.ts';
import { change as changeOf } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

/** `bofh lvm vg list`: every volume group, also one that cannot be used. */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data: LvmVgList = (await vgs(bofh.host)).map((vg) => ({
    ...{ group: vg.name, uuid: vg.uuid, size: vg.size, free: vg.free, extentSize: vg.extentSize },
    ...{ writable: vg.writable, exported: vg.exported, partial: vg.partial, tags: [...vg.tags] },
  }));
  give(runtime, {
    data,
    head: ['GROUP', 'SIZE', 'FREE', 'EXTENT', 'STATE', 'TAGS'],
    rows: data.map((vg) => [
      vg.group,
      formatSize(vg.size),
      formatSize(vg.free),
      formatSize(vg.extentSize),
      stateOf(vg),
      vg.tags.join(','),
    ]),
    none: 'there is no volume group on this host',
  });
  return 0;
}

/** `bofh lvm vg create NAME DEVICE…` */
export async function create(
  runtime: Runtime,
  {
    name,
    devices,
    extentSize,
  }: { readonly name: string; readonly devices: readonly string[]; readonly extentSize: string },
): Promise<number> {
  const asked = { name, devices: [...devices], extentSize };
  return changeOf(runtime, {
    act: () => lvm.createVg(asked),
    answer: (made): Answer<LvmVgCreate> => ({
      data: { group: made.name, uuid: made.uuid, extentSize: made.extentSize, devices: asked.devices },
      lines: [`the volume group ${made.name} is there, uuid ${made.uuid}`],
    }),
  });
}

interface Devices {
  readonly vg: string;
  readonly devices: string[];
}

/** `bofh lvm vg extend NAME DEVICE…` */
export async function extend(runtime: Runtime, asked: Devices): Promise<number> {
  return await change(runtime, asked, { act: () => lvm.extendVg(asked), done: 'put into' });
}

/** `bofh lvm vg reduce NAME DEVICE…`: the devices are free physical volumes then. */
export async function reduce(runtime: Runtime, asked: Devices): Promise<number> {
  return await change(runtime, asked, { act: () => lvm.reduceVg(asked), done: 'taken out of' });
}

async function change(
  runtime: Runtime,
  { vg, devices }: Devices,
  how: { readonly act: () => ReturnType<typeof lvm.extendVg>; readonly done: string },
): Promise<number> {
  return changeOf(runtime, {
    act: how.act,
    answer: ({ uuid }): Answer<LvmVgDevices> => ({
      data: { group: vg, uuid, devices },
      lines: [`${devices.join(' and ')}: ${how.done} the volume group ${vg}`],
    }),
  });
}

function stateOf(vg: LvmVgList[number]): string {
  const words = [
    vg.exported ? 'exported' : '',
    vg.partial ? 'a device is missing' : '',
    vg.writable ? '' : 'read-only',
  ].filter((word) => word !== '');
  return words.join(', ') || 'ok';
}
