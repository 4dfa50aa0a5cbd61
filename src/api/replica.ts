import { currentBofh, refuseInside, single } from '../bofh.ts';
import {
  type ConvertedReplica,
  convertReplica,
  membersOfConversion,
  planConvert,
} from '../replica/convert.ts';
import { type CreatedReplica, createReplica, planCreate } from '../replica/create.ts';
import { type GrowPlan, growReplica, planGrow } from '../replica/grow.ts';
import { membersAt } from '../replica/hosts.ts';
import { membersOf, ownMember } from '../replica/known.ts';
import { type ReplacedPeer, replacePeer as recipe } from '../replica/replace.ts';
import { membersOfReplacement, planReplace } from '../replica/replace-plan.ts';
import { planRemove, type RemovePlan, removeReplica } from '../replica/remove.ts';
import {
  checkConvert,
  checkCreate,
  checkDemote,
  checkGrow,
  checkPromote,
  checkRemove,
  checkReplace,
  type ConvertRequest,
  type CreateRequest,
  type DemoteRequest,
  type GrowRequest,
  type PromoteRequest,
  type RemoveRequest,
  type ReplaceRequest,
} from '../replica/request.ts';
import { changeRole, membersToPromote, planDemote, planPromote } from '../replica/role.ts';

/** Makes a resource on two hosts: all of it or nothing. Everything that can be refused is refused before the first step. */
export async function create(request: CreateRequest): Promise<CreatedReplica> {
  refuseInside('drbd.create');
  const { engine, site } = currentBofh();
  const asked = checkCreate(request);
  const plan = await planCreate({ members: await membersAt(engine, asked.on), site, request: asked });
  return single(`drbd create ${asked.name}`, (tx) => createReplica(tx, engine, plan));
}

/** Has another host replicate a logical volume of this one with all that is on it, which nobody uses meanwhile: all of it or nothing. */
export async function convert(request: ConvertRequest): Promise<ConvertedReplica> {
  refuseInside('drbd.convert');
  const { engine } = currentBofh();
  const asked = checkConvert(request);
  const members = await membersOfConversion(engine, asked);
  const plan = await planConvert({ members, own: engine.host.name, request: asked });
  return single(`drbd convert ${asked.vg}/${asked.lv}`, (tx) => convertReplica(tx, engine, plan));
}

/** Takes a resource apart on both its hosts: down, its configuration, its logical volumes, which are only renamed until the commit. */
export async function remove(request: RemoveRequest): Promise<Pick<RemovePlan, 'name' | 'hosts'>> {
  refuseInside('drbd.remove');
  const { engine } = currentBofh();
  const asked = checkRemove(request);
  const members = asked.hosts === 'this' ? await ownMember(engine) : await membersOf(engine, asked);
  const plan = await planRemove({ ...asked, members });
  await single(`drbd remove ${asked.name}`, (tx) => removeReplica(tx, engine, plan));
  return plan;
}

/** Makes one of its two hosts the primary of a resource, and the other one a secondary. */
export async function promote(request: PromoteRequest): Promise<void> {
  refuseInside('drbd.promote');
  const { engine } = currentBofh();
  const asked = checkPromote(request);
  const to = asked.to ?? (await engine.host.facts()).hostname;
  const plan = await planPromote({ ...asked, to, members: await membersToPromote(engine, asked) });
  await single(`drbd promote ${asked.name}`, (tx) => changeRole(tx, engine, plan));
}

/** Makes a resource secondary on whichever of its hosts it is primary. */
export async function demote(request: DemoteRequest): Promise<void> {
  refuseInside('drbd.demote');
  const { engine } = currentBofh();
  const asked = checkDemote(request);
  const plan = await planDemote({ ...asked, members: await membersOf(engine, asked) });
  await single(`drbd demote ${asked.name}`, (tx) => changeRole(tx, engine, plan));
}

/** Gives a resource a larger size, on both its hosts. Bytes that it had, and has. */
export async function grow(request: GrowRequest): Promise<Pick<GrowPlan, 'from' | 'to'>> {
  refuseInside('drbd.grow');
  const { engine } = currentBofh();
  const asked = checkGrow(request);
  const plan = await planGrow({ ...asked, members: await membersOf(engine, asked) });
  await single(`drbd grow ${asked.name}`, (tx) => growReplica(tx, engine, plan));
  return { from: plan.from, to: plan.to };
}

/**
 * Gives a resource of this host, whose data are up to date and may be in use, another host for its peer, which fetches all of them. What
 * the old peer has is removed, unless that is lost. All of it or nothing: whatever fails, the two are connected as they were.
 */
export async function replacePeer(request: ReplaceRequest): Promise<ReplacedPeer> {
  refuseInside('drbd.replacePeer');
  const { engine } = currentBofh();
  const asked = checkReplace(request);
  const plan = await planReplace({ members: await membersOfReplacement(engine, asked), request: asked });
  return single(`drbd replace-peer ${asked.name}`, (tx) => recipe(tx, engine, plan));
}
