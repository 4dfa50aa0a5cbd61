import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { everyHolder, holders } from '../../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError, UsageError } from '../../core/errors.ts';
import { groupRenamedRecovery } from '../manual-recovery-group.ts';
import { checkNewVgName, checkVgName, dmName } from '../names.ts';
import { inUse, refuseUnknownActivation, udevOf } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';
import { vgrename } from '../vg-commands.ts';
import { refuseGroupName } from './groups.ts';
import { askedGroup, findGroup, groupNamed, knownGroup, presentMembers, sameGroup } from './known-group.ts';
import { accountedFor, knownPv, syncPvs } from './known-pvs.ts';
import { deviceOf, identityOfVolume, leadsTo } from './refuse-taken.ts';

const args = z.extend(askedGroup, {
  /** The new name. RefusedError if it is taken. */
  to: z.string(),
});

const undo = z.extend(knownGroup, {
  to: z.string(),
  /** Its volumes, whose keys contain the name of the group. */
  volumes: z.array(z.string()),
  /** Its devices: they show whether the group is present. */
  pvs: z.array(knownPv),
});

/**
 * Renames a volume group to a free name. Its volumes stay active under their new paths. Refused
 * while one of them is in use, for undo too: lvm would rename it, and the users of the volume would
 * keep a path that no longer exists.
 */
export const renameVg = operation({
  kind: 'lvm.vg.rename',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { to, ...asked }, host }) => {
    checkVgName(asked.vg);
    checkNewVgName(to);
    if (to === asked.vg) throw new UsageError(`the volume group ${to} already has that name`);
    const vg = await groupNamed(host, asked);
    await refuseRename(host, vg, to);
    const pvs = await presentMembers(host, vg);
    return { vg: vg.name, vgUuid: vg.uuid, to, volumes: vg.volumes.map(({ name }) => name), pvs };
  },
  claims: ({ undo: { vg, to, volumes } }) => ({
    makes: [`vg:${to}`, ...volumes.map((name) => `lv:${to}/${name}`)],
    changes: [`vg:${vg}`, ...volumes.map((name) => `lv:${vg}/${name}`)],
  }),
  run: async ({ undo: of, host }) => {
    await rename(host, { vg: await sameGroup(host, of), to: of.to });
    return null;
  },
  value: ({ undo: { to, vgUuid } }) => ({ name: to, uuid: vgUuid }),
  look: async ({ undo: of, host }) => {
    const vg = await findGroup(host, of);
    if (vg === undefined) await accountedFor(host, { what: `the volume group ${of.vg}`, pvs: of.pvs });
    if (vg === undefined || vg.name === of.vg) return { state: 'gone' };
    if (vg.name !== of.to)
      return { state: 'not-ours', found: `it was renamed to ${vg.name} (uuid ${vg.uuid})` };
    return { state: 'ours', holders: await usersIn(host, vg, [of.vg, of.to]) };
  },
  revert: async ({ undo: of, host }) => {
    const vg = await findGroup(host, of);
    if (vg?.name === of.to) await rename(host, { vg, to: of.vg });
  },
  sync: ({ undo: of, host }) => syncPvs(host, of.pvs),
  describe: groupRenamedRecovery,
});

/** Renames the group, forward or back; errors name the holder of a volume, or of the new name. */
async function rename(
  host: ChangeHost,
  { vg, to }: { readonly vg: WholeGroup; readonly to: string },
): Promise<void> {
  await refuseRename(host, vg, to);
  await host.run(vgrename({ uuid: vg.uuid, to, ...(await udevOf(host)) }));
}

async function refuseRename(host: ReadHost, vg: WholeGroup, to: string): Promise<void> {
  if (!(await keptName(host, vg, to))) await refuseGroupName(host, to);
  for (const lv of vg.volumes) {
    if (dmName(to, lv.name).length > 127)
      throw new UsageError(`with "${to}" the name of ${lv.fullName} is too long for device-mapper`);
    const path = pathIn(to, lv);
    if ((await host.stat(path)) !== undefined && !(await leadsTo(host, path, identityOfVolume(lv))))
      throw new RefusedError(`${path} exists: ${lv.fullName} cannot have that name`, {
        remedy: `see what it is: ls -l ${inShell(path)}; then remove it`,
      });
    if ((await usersOf(host, [vg.name, to], lv)).length > 0)
      throw inUse(lv, await everyHolder(host, await deviceOf(host, lv)));
  }
}

// Whether the old name is still in use by this group: after an interrupted rename the metadata has
// the new name and devices have the old one.
async function keptName(host: ReadHost, { volumes }: WholeGroup, to: string): Promise<boolean> {
  for (const lv of volumes) if (await leadsTo(host, pathIn(to, lv), identityOfVolume(lv))) return true;
  return false;
}

function pathIn(vg: string, { name }: LogicalVolume): string {
  return `/dev/mapper/${dmName(vg, name)}`;
}

async function usersIn(host: ReadHost, vg: WholeGroup, names: readonly string[]): Promise<readonly Holder[]> {
  const found: Holder[] = [];
  for (const lv of vg.volumes) {
    const users = await usersOf(host, names, lv);
    found.push(...users.map((holder) => ({ ...holder, words: `${lv.fullName}: ${holder.words}` })));
  }
  return found;
}

// Ignores parts of other volumes and the parts of snapshots and pools, which are renamed with the
// group.
async function usersOf(
  host: ReadHost,
  names: readonly string[],
  lv: LogicalVolume,
): Promise<readonly Holder[]> {
  if (lv.path === undefined) return [];
  refuseUnknownActivation(lv);
  if (lv.active === false) return [];
  const isOwn = (holder: Holder): boolean =>
    holder.kind === 'mapping' && names.some((name) => isIn(name, holder.name));
  return (await holders(host, await deviceOf(host, lv))).filter((holder) => !isOwn(holder));
}

/**
 * Whether this device-mapper name belongs to a volume of the group. A doubled hyphen belongs to a
 * longer name.
 */
function isIn(vg: string, mapping: string): boolean {
  const own = `${vg.replaceAll('-', '--')}-`;
  return mapping.startsWith(own) && mapping.charAt(own.length) !== '-';
}
