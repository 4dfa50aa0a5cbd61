import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { groupRemovedRecovery } from '../manual-recovery-group.ts';
import { checkNewVgName, checkVgName } from '../names.ts';
import { udevOf } from '../reads.ts';
import type { WholeGroup } from '../objects.ts';
import { vgremove, vgrename } from '../vg-commands.ts';
import { refuseGroupName, refuseVolumes, tombstone } from './groups.ts';
import { askedGroup, findGroup, groupNamed, knownGroup, presentMembers, sameGroup } from './known-group.ts';
import { accountedFor, claimsOn, knownPv, syncPvs } from './known-pvs.ts';

const undo = z.extend(knownGroup, {
  /** Name of the group until the commit. */
  gone: z.string(),
  /** Its devices, which are free after the removal; they show whether the group is present. */
  pvs: z.array(knownPv),
});

type Undo = z.infer<typeof undo>;

/**
 * Removes a volume group without volumes: before the commit it is only renamed, after the commit it
 * is removed. Its physical volumes become free.
 */
export const removeVg = operation({
  kind: 'lvm.vg.remove',
  version: 1,
  args: askedGroup,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: ({ undo: { vg } }) => [`vg:${vg}`],
  restores: 'state',
  prepare: async ({ args: asked, mark, host }) => {
    checkVgName(asked.vg);
    const vg = await groupNamed(host, asked);
    refuseVolumes(vg);
    const gone = tombstone(mark);
    checkNewVgName(gone);
    await refuseGroupName(host, gone);
    return { vg: vg.name, vgUuid: vg.uuid, gone, pvs: await presentMembers(host, vg) };
  },
  claims: async ({ undo: { vg, gone, pvs }, on }) => {
    const { changes, needs } = await claimsOn(pvs, on);
    return { makes: [`vg:${gone}`], changes: [`vg:${vg}`, ...changes], needs };
  },
  run: async ({ undo: of, host }) => {
    const vg = await sameGroup(host, of);
    refuseVolumes(vg);
    await host.run(vgrename({ uuid: vg.uuid, to: of.gone, ...(await udevOf(host)) }));
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => lookAt(of, await find(host, of)),
  revert: async ({ undo: of, host }) => {
    const vg = await find(host, of);
    if (vg?.name !== of.gone) return;
    await refuseGroupName(host, of.vg);
    await host.run(vgrename({ uuid: vg.uuid, to: of.vg, ...(await udevOf(host)) }));
  },
  sync: ({ undo: { pvs }, host }) => syncPvs(host, pvs),
  afterCommit: async ({ undo: of, host }) => {
    const vg = await find(host, of);
    if (vg === undefined) return;
    if (vg.name !== of.gone)
      throw new RefusedError(`${of.gone} was renamed to ${vg.name} meanwhile: it is not removed`, {
        remedy: `to remove it: vgremove ${vg.name}; then: bofh recover`,
      });
    refuseVolumes(vg);
    await host.run(vgremove({ name: vg.name, uuid: vg.uuid, ...(await udevOf(host)) }));
  },
  describe: groupRemovedRecovery,
});

async function find(host: ReadHost, of: Undo): Promise<WholeGroup | undefined> {
  const vg = await findGroup(host, of);
  if (vg === undefined) await accountedFor(host, { what: `the volume group ${of.vg}`, pvs: of.pvs });
  return vg;
}

function lookAt(of: Undo, vg: WholeGroup | undefined): Look {
  if (vg === undefined || vg.name === of.vg) return { state: 'gone' };
  // Undo harms no other data, and a group with a volume is not removed.
  if (vg.name === of.gone) return { state: 'ours' };
  return { state: 'not-ours', found: `it was renamed to ${vg.name} (uuid ${vg.uuid})` };
}
