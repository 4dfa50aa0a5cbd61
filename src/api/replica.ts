import { currentBofh, beginRecipe, single } from '../bofh.ts';
import { planningResource } from './planning.ts';
import {
  type ConvertedReplica,
  convertReplica,
  membersOfConversion,
  planConvert,
} from '../replica/convert.ts';
import { type CreatedReplica, createReplica, planCreate } from '../replica/create.ts';
import { type GrowPlan, growReplica, planGrow } from '../replica/grow.ts';
import { membersAt } from '../replica/hosts.ts';
import { membersOf, ownMember } from '../replica/known-resource.ts';
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

/**
 * Creates a replicated resource on two hosts in a sequence of its own. Impossible requests are
 * refused before anything changes. Sizes are bytes or strings such as `10g`.
 */
export async function create(request: CreateRequest): Promise<CreatedReplica> {
  beginRecipe('drbd.create');
  const { engine, site } = currentBofh();
  const asked = checkCreate(request);
  const plan = await planningResource('drbd.create', asked.name, async () =>
    planCreate({ members: await membersAt(engine, asked.on), site, request: asked }),
  );
  return single(`drbd create ${asked.name}`, (tx) => createReplica(tx, engine, plan));
}

/**
 * Converts an unused logical volume of this host, with its content, to a resource replicated to
 * another host, in a sequence of its own.
 */
export async function convert(request: ConvertRequest): Promise<ConvertedReplica> {
  beginRecipe('drbd.convert');
  const { engine } = currentBofh();
  const asked = checkConvert(request);
  const members = await membersOfConversion(engine, asked);
  const plan = await planningResource('drbd.convert', asked.name ?? asked.lv, () =>
    planConvert({ members, own: engine.host.name, request: asked }),
  );
  return single(`drbd convert ${asked.vg}/${asked.lv}`, (tx) => convertReplica(tx, engine, plan));
}

/**
 * Removes a resource from both hosts in a sequence of its own: brings it down and removes its
 * configuration and logical volumes. Until the commit the volumes are only renamed.
 */
export async function remove(request: RemoveRequest): Promise<Pick<RemovePlan, 'name' | 'hosts'>> {
  beginRecipe('drbd.remove');
  const { engine } = currentBofh();
  const asked = checkRemove(request);
  const members = asked.hosts === 'this' ? await ownMember(engine) : await membersOf(engine, asked);
  const plan = await planningResource('drbd.remove', asked.name, () => planRemove({ ...asked, members }));
  await single(`drbd remove ${asked.name}`, (tx) => removeReplica(tx, engine, plan));
  return plan;
}

/**
 * Makes one of the two hosts primary and the other secondary in a sequence of its own (default:
 * this host).
 */
export async function promote(request: PromoteRequest): Promise<void> {
  beginRecipe('drbd.promote');
  const { engine } = currentBofh();
  const asked = checkPromote(request);
  const to = asked.to ?? (await engine.host.facts()).hostname;
  const plan = await planningResource('drbd.promote', asked.name, async () =>
    planPromote({ ...asked, to, members: await membersToPromote(engine, asked) }),
  );
  await single(`drbd promote ${asked.name}`, (tx) => changeRole(tx, engine, plan));
}

/** Makes a resource secondary on every host where it is primary in a sequence of its own. */
export async function demote(request: DemoteRequest): Promise<void> {
  beginRecipe('drbd.demote');
  const { engine } = currentBofh();
  const asked = checkDemote(request);
  const plan = await planningResource('drbd.demote', asked.name, async () =>
    planDemote({ ...asked, members: await membersOf(engine, asked) }),
  );
  await single(`drbd demote ${asked.name}`, (tx) => changeRole(tx, engine, plan));
}

/**
 * Grows a resource on both hosts in a sequence of its own. Returns its old and new size in bytes.
 */
export async function grow(request: GrowRequest): Promise<Pick<GrowPlan, 'from' | 'to'>> {
  beginRecipe('drbd.grow');
  const { engine } = currentBofh();
  const asked = checkGrow(request);
  const plan = await planningResource('drbd.grow', asked.name, async () =>
    planGrow({ ...asked, members: await membersOf(engine, asked) }),
  );
  await single(`drbd grow ${asked.name}`, (tx) => growReplica(tx, engine, plan));
  return { from: plan.from, to: plan.to };
}

/**
 * Replaces the peer of a resource by another host, which resyncs from this one, in a sequence of its own. The
 * resource must be up to date on this host and may be in use. The old peer's replica is removed, unless that
 * host is lost. If a step fails, the two old hosts are connected as before.
 */
export async function replacePeer(request: ReplaceRequest): Promise<ReplacedPeer> {
  beginRecipe('drbd.replacePeer');
  const { engine } = currentBofh();
  const asked = checkReplace(request);
  const plan = await planningResource('drbd.replacePeer', asked.name, async () =>
    planReplace({ members: await membersOfReplacement(engine, asked), request: asked }),
  );
  return single(`drbd replace-peer ${asked.name}`, (tx) => recipe(tx, engine, plan));
}
