import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { devicesRecovery } from '../manual-recovery-group.ts';
import { pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import { checkVgName } from '../names.ts';
import { pvchange } from '../pv-commands.ts';
import { udevOf } from '../reads.ts';
import type { PhysicalVolume, WholeGroup } from '../objects.ts';
import { vgextend, vgreduce } from '../vg-commands.ts';
import {
  askedGroup,
  findGroup,
  groupNamed,
  idleMembersOn,
  knownGroup,
  presentMembers,
  sameGroup,
} from './known-group.ts';
import { accountedFor, claimsOn, knownPv, nodesOf, syncPvs, toKnown } from './known-pvs.ts';

const args = z.extend(askedGroup, {
  /** The physical volumes to remove, which must be unused. */
  devices: z.array(z.string().check(z.minLength(1))).check(z.minLength(1)),
});

/** The group stores tags and allocatable flag, and loses them when the device is removed. */
const leavingPv = z.extend(knownPv, { tags: z.array(z.string()), allocatable: z.boolean() });

const undo = z.extend(knownGroup, {
  pvs: z.array(leavingPv),
  /** The devices that stay in the group: they show whether the group is present. */
  rest: z.array(knownPv),
});

type Undo = z.infer<typeof undo>;

/**
 * Removes physical volumes without used extents from a volume group; they are free then. Undo adds
 * them again, with their tags and allocatable flag.
 */
export const reduceVg = operation({
  kind: 'lvm.vg.reduce',
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
    const found = await idleMembersOn(host, { vg, devices });
    const leaving = (await toKnown(host, devices, found)).map((pv, index) => ({
      ...pv,
      tags: [...(found[index]?.tags ?? [])],
      allocatable: found[index]?.allocatable ?? true,
    }));
    const rest = (await presentMembers(host, vg)).filter((pv) => !found.some(({ uuid }) => uuid === pv.uuid));
    return { vg: vg.name, vgUuid: vg.uuid, pvs: leaving, rest };
  },
  claims: async ({ undo: { vg, pvs: known }, on }) => {
    const { changes, needs } = await claimsOn(known, on);
    return { changes: [`vg:${vg}`, ...changes], needs };
  },
  run: async ({ undo: of, host }) => {
    const vg = await sameGroup(host, of);
    const devices = await nodesOf(host, of.pvs);
    await idleMembersOn(host, { vg, devices });
    await host.run(vgreduce({ name: of.vg, devices, ...(await udevOf(host)) }));
    return null;
  },
  value: ({ undo: { vg, vgUuid } }) => ({ vg, uuid: vgUuid }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { vg, free } = await find(host, of);
    if (vg === undefined) return;
    const devices = free.flatMap(({ path }) => path ?? []);
    if (devices.length > 0) await host.run(vgextend({ name: vg.name, devices, ...(await udevOf(host)) }));
    await remember(host, of);
  },
  sync: ({ undo: { pvs: leaving, rest }, host }) => syncPvs(host, [...leaving, ...rest]),
  describe: ({ undo: of }) => devicesRecovery({ ...of, verb: 'vgextend', done: 'removed from' }),
});

interface Found {
  readonly look: Look;
  readonly vg?: WholeGroup;
  /** The devices that are now in no group. */
  readonly free: readonly PhysicalVolume[];
}

async function find(host: ReadHost, of: Undo): Promise<Found> {
  const vg = await findGroup(host, of);
  if (vg === undefined) {
    await accountedFor(host, { what: `the volume group ${of.vg}`, pvs: of.rest });
    return { look: { state: 'gone' }, free: [] };
  }
  const all = await reported(host, pvs());
  const own = of.pvs.map((was) => ({ was, now: all.find(({ uuid }) => uuid === was.uuid) }));
  const lost = own.find(
    ({ now }) => now === undefined || (now.vg !== undefined && now.vg.uuid !== of.vgUuid),
  );
  if (lost !== undefined) {
    const { was, now } = lost;
    const where =
      now?.vg === undefined ? 'is not a physical volume any more' : `is in the volume group ${now.vg.name}`;
    return { look: { state: 'not-ours', found: `${was.device} (uuid ${was.uuid}) ${where}` }, free: [] };
  }
  const free = own.flatMap(({ now }) => (now !== undefined && now.vg === undefined ? [now] : []));
  const isBack = own.every(({ was, now }) => now?.vg !== undefined && !isForgotten(was, now));
  if (isBack) return { look: { state: 'gone' }, free };
  const moved = vg.name === of.vg ? {} : { movedTo: `vg:${vg.name}` };
  return { look: { state: 'ours', ...moved }, vg, free };
}

/**
 * Whether the physical volume is as vgextend adds it, without its old tags and flag: an undo was
 * interrupted.
 */
function isForgotten({ tags, allocatable }: Undo['pvs'][number], now: PhysicalVolume): boolean {
  const isFresh = now.tags.length === 0 && now.allocatable;
  return isFresh && (tags.length > 0 || !allocatable);
}

/** Restores tags and allocatable flags of the physical volumes that are back in the group. */
async function remember(host: ChangeHost, of: Undo): Promise<void> {
  const all = await reported(host, pvs());
  for (const was of of.pvs) {
    const now = all.find(({ uuid }) => uuid === was.uuid);
    if (now?.path === undefined || now.vg?.uuid !== of.vgUuid || !isForgotten(was, now)) continue;
    const { tags, allocatable } = was;
    await host.run(pvchange({ device: now.path, tags, allocatable, ...(await udevOf(host)) }));
  }
}
