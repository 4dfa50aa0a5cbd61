import { atomic, type Bofh, withBofh } from '../bofh.ts';
import type { ReadHost } from '../command/index.ts';
import { pvs } from '../lvm/report-commands.ts';
import { pvOn } from '../lvm/operations/physical.ts';
import type { PhysicalVolume } from '../lvm/index.ts';
import type { Tx } from '../operations.ts';
import { give } from './answer.ts';
import type { LvmPvRemove, LvmVgRemove } from './answers/index.ts';
import { confirm } from './confirm.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** `bofh lvm vg remove NAME`: asks, names its devices, and with `--devices` takes their labels off in the same sequence. */
export async function removeGroup(
  runtime: Runtime,
  vg: string,
  what: 'alone' | 'with its devices',
): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const members = await untilInterrupted(runtime, membersOf(bofh.host, vg));
  const devices = members.flatMap(({ path }) => path ?? []);
  const labels = what === 'alone' ? [] : members;
  const more = labels.length === 0 ? 'stay physical volumes' : 'lose their labels';
  const data: LvmVgRemove = { group: vg, devices, labels: what === 'alone' ? 'kept' : 'removed' };
  return await removed(runtime, bofh, {
    act: async (tx) => {
      await tx.lvm.removeVg({ vg, ...onlyUuid(members.flatMap((pv) => pv.vg?.uuid ?? [])) });
      for (const { path, uuid } of labels)
        if (path !== undefined) await tx.lvm.removePv({ device: path, uuid });
    },
    asked: [`The volume group ${vg} is removed for good; its devices ${more}: ${devices.join(', ')}.`],
    answer: () => {
      give(runtime, {
        data,
        lines: [`the volume group ${vg} is removed; its devices ${more}: ${devices.join(', ')}`],
      });
    },
  });
}

/** `bofh lvm pv remove DEVICE`: asks. */
export async function removeDevice(runtime: Runtime, device: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const { uuid } = await untilInterrupted(runtime, pvOn(bofh.host, device));
  const data: LvmPvRemove = { device };
  return await removed(runtime, bofh, {
    act: (tx) => tx.lvm.removePv({ device, uuid }),
    asked: [`The physical volume ${uuid} on ${device} loses its label for good.`],
    answer: () => {
      give(runtime, { data, lines: [`${device} is no physical volume any more`] });
    },
  });
}

async function removed(
  runtime: Runtime,
  bofh: Bofh,
  how: {
    readonly act: (tx: Tx) => Promise<void>;
    readonly asked: readonly string[];
    readonly answer: () => void;
  },
): Promise<number> {
  const sequence = () => atomic(runtime.verb, how.act);
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, sequence);
  }
  await confirm(runtime, how.asked);
  await logged(runtime, bofh.host, () => withBofh(bofh, sequence));
  how.answer();
  return 0;
}

/** Of a group that is not there: none, and the sequence says so. */
async function membersOf(host: ReadHost, name: string): Promise<readonly PhysicalVolume[]> {
  return (await host.run(pvs())).filter(({ vg }) => vg?.name === name);
}

/** What was agreed to is removed, and no other group that has the name by then. Two of one name are refused by the step. */
function onlyUuid(all: readonly string[]): { readonly uuid?: string } {
  const [uuid, ...others] = new Set(all);
  return uuid === undefined || others.length > 0 ? {} : { uuid };
}
