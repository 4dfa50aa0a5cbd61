import { atomic } from '../../../../bofh.ts';
import type { ReadHost } from '../../../../command/index.ts';
import { type PhysicalVolume, pvs, usableVg } from '../../../../lvm/index.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmVgRemove } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { flag, verb } from '../../../runtime/verb.ts';

/**
 * Asks for confirmation, and names the devices. With `--devices` their labels are removed in the same
 * sequence.
 */
export default verb({
  changes: true,
  answers: 'lvm vg remove',
  args: { vg: ['<name>', 'name of the volume group'] },
  options: { devices: flag('also remove the labels of its devices') },
  examples: ['lvm vg remove vg0', 'lvm vg remove vg0 --devices'],
  run: (runtime, { vg, devices: labelsToo }) => {
    return change<unknown, LvmVgRemove>(runtime, async ({ host }) => {
      const members = await membersOf(host, vg);
      // Throws for a missing group, before anybody is asked about it.
      if (members.length === 0) await usableVg(host, vg);
      const devices = members.flatMap(({ path }) => path ?? []);
      const labels = labelsToo ? members : [];
      const more = labels.length === 0 ? 'stay physical volumes' : 'lose their LVM labels';
      return {
        destroys: [
          `The volume group ${vg} will be removed; its devices will ${more}: ${devices.join(', ')}. This cannot be undone.`,
        ],
        checksFirst: true,
        act: () =>
          atomic(runtime.verb, async (tx) => {
            await tx.lvm.removeVg({ vg, ...onlyUuid(members.flatMap((pv) => pv.vg?.uuid ?? [])) });
            for (const { path, uuid } of labels)
              if (path !== undefined) await tx.lvm.removePv({ device: path, uuid });
          }),
        answer: (): Answer<LvmVgRemove> => ({
          data: { group: vg, devices, labels: labelsToo ? 'removed' : 'kept' },
          lines: [`the volume group ${vg} is removed; its devices ${more}: ${devices.join(', ')}`],
        }),
      };
    });
  },
});

/** The physical volumes of a group; empty for a missing group. */
async function membersOf(host: ReadHost, name: string): Promise<readonly PhysicalVolume[]> {
  return (await pvs(host)).filter(({ vg }) => vg?.name === name);
}

/**
 * The UUID of the confirmed group, so that no other group with its name is removed. The step refuses two
 * groups of one name.
 */
function onlyUuid(all: readonly string[]): { readonly uuid?: string } {
  const [uuid, ...others] = new Set(all);
  return uuid === undefined || others.length > 0 ? {} : { uuid };
}
