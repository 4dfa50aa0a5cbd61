import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { devicesRecovery } from '../manual-recovery-group.ts';
import { pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import { checkVgName } from '../names.ts';
import { udevOf } from '../reads.ts';
import type { PhysicalVolume, WholeGroup } from '../objects.ts';
import { vgextend, vgreduce } from '../vg-commands.ts';
import { refuseTooSmall } from './groups.ts';
import {
  askedGroup,
  findGroup,
  groupNamed,
  knownGroup,
  refuseAll,
  refuseUsed,
  sameGroup,
} from './known-group.ts';
import {
  accountedFor,
  claimsOn,
  freePvsOn,
  knownPv,
  nodesOf,
  stillFree,
  syncPvs,
  toKnown,
} from './known-pvs.ts';

const args = z.extend(askedGroup, {
  /** Physical volumes in no group: `createPv` creates them. */
  devices: z.array(z.string().check(z.minLength(1))).check(z.minLength(1)),
});

const undo = z.extend(knownGroup, { pvs: z.array(knownPv) });

type Undo = z.infer<typeof undo>;

/**
 * Adds free physical volumes to a volume group. Undo removes them again, but only while no volume
 * has extents on them.
 */
export const extendVg = operation({
  kind: 'lvm.vg.extend',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: ({ undo: { vg } }) => [`vg:${vg}`],
  restores: 'state',
  prepare: async ({ args: { devices, ...asked }, host }) => {
    checkVgName(asked.vg);
    const vg = await groupNamed(host, asked);
    const found = await freePvsOn(host, devices);
    for (const pv of found) refuseTooSmall(pv, vg.extentSize);
    return { vg: vg.name, vgUuid: vg.uuid, pvs: await toKnown(host, devices, found) };
  },
  claims: async ({ undo: { vg, pvs: known }, on }) => {
    const { changes, needs } = await claimsOn(known, on);
    return { changes: [`vg:${vg}`, ...changes], needs };
  },
  run: async ({ undo: of, host }) => {
    await sameGroup(host, of);
    await stillFree(host, of.pvs);
    const devices = await nodesOf(host, of.pvs);
    await host.run(vgextend({ name: of.vg, devices, ...(await udevOf(host)) }));
    return null;
  },
  value: ({ undo: { vg, vgUuid } }) => ({ vg, uuid: vgUuid }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { vg, members } = await find(host, of);
    if (vg === undefined || members.length === 0) return;
    await refuseUsed(host, vg, members);
    await refuseAll(host, { vg, leaving: members.map(({ uuid }) => uuid) });
    const devices = members.flatMap(({ path }) => path ?? []);
    await host.run(vgreduce({ name: vg.name, devices, ...(await udevOf(host)) }));
  },
  sync: ({ undo: { pvs: known }, host }) => syncPvs(host, known),
  describe: ({ undo: of }) => devicesRecovery({ ...of, verb: 'vgreduce', done: 'added to' }),
});

interface Found {
  readonly look: Look;
  readonly vg?: WholeGroup;
  /** The devices that are in the group. */
  readonly members: readonly PhysicalVolume[];
}

async function find(host: ReadHost, of: Undo): Promise<Found> {
  const vg = await findGroup(host, of);
  if (vg === undefined) await accountedFor(host, { what: `the volume group ${of.vg}`, pvs: of.pvs });
  const own = (await reported(host, pvs())).filter(({ uuid }) => of.pvs.some((each) => each.uuid === uuid));
  const members = own.filter((pv) => pv.vg?.uuid === of.vgUuid);
  if (vg !== undefined && members.length > 0) {
    const moved = vg.name === of.vg ? {} : { movedTo: `vg:${vg.name}` };
    // Undo harms no other data, because it is refused while a volume has extents on one of the
    // devices.
    return { look: { state: 'ours', ...moved }, vg, members };
  }
  const elsewhere = own.find((pv) => pv.vg !== undefined);
  if (elsewhere === undefined) return { look: { state: 'gone' }, members };
  const found = `${elsewhere.path ?? elsewhere.uuid} is in the volume group ${elsewhere.vg?.name ?? ''}`;
  return { look: { state: 'not-ours', found }, members };
}
