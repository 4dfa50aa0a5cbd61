import { atomic } from '../../../bofh.ts';
import type { ReadHost } from '../../../command/index.ts';
import { pvs } from '../../../lvm/index.ts';
import { pvOn } from '../../../lvm/operations/physical.ts';
import type { PhysicalVolume } from '../../../lvm/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmPvRemove, LvmVgRemove } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** `bofh lvm vg remove NAME`: asks, names its devices, and with `--devices` takes their labels off in the same sequence. */
export async function removeGroup(
  runtime: Runtime,
  vg: string,
  what: 'alone' | 'with its devices',
): Promise<number> {
  return change<unknown>(runtime, async ({ host }) => {
    const members = await membersOf(host, vg);
    const devices = members.flatMap(({ path }) => path ?? []);
    const labels = what === 'alone' ? [] : members;
    const more = labels.length === 0 ? 'stay physical volumes' : 'lose their labels';
    return {
      destroys: [`The volume group ${vg} is removed for good; its devices ${more}: ${devices.join(', ')}.`],
      act: () =>
        atomic(runtime.verb, async (tx) => {
          await tx.lvm.removeVg({ vg, ...onlyUuid(members.flatMap((pv) => pv.vg?.uuid ?? [])) });
          for (const { path, uuid } of labels)
            if (path !== undefined) await tx.lvm.removePv({ device: path, uuid });
        }),
      answer: (): Answer<LvmVgRemove> => ({
        data: { group: vg, devices, labels: what === 'alone' ? 'kept' : 'removed' },
        lines: [`the volume group ${vg} is removed; its devices ${more}: ${devices.join(', ')}`],
      }),
    };
  });
}

/** `bofh lvm pv remove DEVICE`: asks. */
export async function removeDevice(runtime: Runtime, device: string): Promise<number> {
  return change<unknown>(runtime, async ({ host }) => {
    const { uuid } = await pvOn(host, device);
    return {
      destroys: [`The physical volume ${uuid} on ${device} loses its label for good.`],
      act: () => atomic(runtime.verb, (tx) => tx.lvm.removePv({ device, uuid })),
      answer: (): Answer<LvmPvRemove> => ({
        data: { device },
        lines: [`${device} is no physical volume any more`],
      }),
    };
  });
}

/** Of a group that is not there: none, and the sequence says so. */
async function membersOf(host: ReadHost, name: string): Promise<readonly PhysicalVolume[]> {
  return (await pvs(host)).filter(({ vg }) => vg?.name === name);
}

/** What was agreed to is removed, and no other group that has the name by then. Two of one name are refused by the step. */
function onlyUuid(all: readonly string[]): { readonly uuid?: string } {
  const [uuid, ...others] = new Set(all);
  return uuid === undefined || others.length > 0 ? {} : { uuid };
}
