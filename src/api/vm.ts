import { currentBofh, beginRecipe, single } from '../bofh.ts';
import { ownAnd } from '../replica/hosts.ts';
import { type CreatedVm, createVm, planCreate } from '../vm/create.ts';
import { type RemovePlan, removeVm, planRemove } from '../vm/remove.ts';
import { type MovedVm, moveVm, planMove } from '../vm/move.ts';
import { membersOfGuest } from '../vm/replicas.ts';
import { planRename, type RenamePlan, renameVm } from '../vm/rename.ts';
import { planSet, type SetPlan, setVm } from '../vm/set.ts';
import {
  checkCreate,
  checkRemove,
  checkMove,
  checkRename,
  checkSet,
  type CreateRequest,
  type RemoveRequest,
  type MoveRequest,
  type RenameOptions,
  type SetRequest,
} from '../vm/request.ts';

export { list, pause, restart, resume, show, start, stop, wait } from './xen.ts';
export type { CreatedVm } from '../vm/create.ts';
export type { RemovePlan } from '../vm/remove.ts';
export type { MovedVm } from '../vm/move.ts';
export type { SetRow } from '../vm/set.ts';
export type { CreateRequest, RemoveRequest, MoveRequest, RenameOptions, SetRequest } from '../vm/request.ts';

/**
 * Creates a guest in a sequence of its own. Impossible requests are refused before anything
 * changes.
 */
export async function create(request: CreateRequest): Promise<CreatedVm> {
  beginRecipe('vm.create');
  const { host, site, engine } = currentBofh();
  const asked = checkCreate(request);
  const disksOn = asked.drbd === undefined ? undefined : await ownAnd(engine, asked.drbd);
  const plan = await planCreate({ host, site, request: asked, disksOn });
  return single(`vm create ${plan.name}`, (tx) => createVm(tx, plan, engine));
}

/**
 * Removes a guest in a sequence of its own: its domain, configuration, logical volumes and the
 * replicas of its disks on another host.
 */
export async function remove(request: RemoveRequest): Promise<RemovePlan> {
  beginRecipe('vm.remove');
  const { host, site, engine } = currentBofh();
  const { replicas, on, ...asked } = checkRemove(request);
  const which = { name: asked.name, site, ...(on === undefined ? {} : { on }) };
  const members = replicas === 'kept' ? undefined : await membersOfGuest(engine, which);
  const plan = await planRemove({ host, site, ...asked, members });
  await single(`vm remove ${plan.name}`, (tx) => removeVm(tx, plan, engine));
  return plan;
}

/**
 * Moves a guest with replicated disks to the other host in a sequence of its own: shuts it down
 * here, promotes its disks and moves its configuration, and starts it there. If a step fails, it
 * runs here again.
 */
export async function move(request: MoveRequest): Promise<MovedVm> {
  beginRecipe('vm.move');
  const { engine, site } = currentBofh();
  const asked = checkMove(request);
  const plan = await planMove({ members: await ownAnd(engine, asked.to), site, request: asked });
  return single(`vm move ${plan.name}`, (tx) => moveVm(tx, engine, plan));
}

/**
 * Changes the configuration of a guest and, where Xen can, the running guest, in a sequence of its
 * own: both or neither. Comments and order of the file stay. `rows` says when each setting takes
 * effect.
 *
 * @returns `changed`: false if all is as asked; a row may still wait for the next start.
 */
export async function set(
  name: string,
  settings: SetRequest,
): Promise<Pick<SetPlan, 'name' | 'config' | 'rows'> & { readonly changed: boolean }> {
  beginRecipe('vm.set');
  const { host, site } = currentBofh();
  const plan = await planSet({ host, site, name, settings: checkSet(settings) });
  const { config, rows, file, links, live } = plan;
  const changed = file !== undefined || links.length > 0 || live.length > 0;
  if (changed) await single(`vm set ${name}`, (tx) => setVm(tx, plan));
  return { name, config, rows, changed };
}

/**
 * Renames a guest in a sequence of its own: its configuration and the name of its file, the links
 * for the start at boot, and the volumes among its disks that are named after it. A running guest
 * is refused, or with `restart` shut down and started again under its new name.
 *
 * @returns `domid`: of the guest that was started again.
 */
export async function rename(
  name: string,
  to: string,
  options: RenameOptions = {},
): Promise<RenamePlan & { readonly domid?: number }> {
  beginRecipe('vm.rename');
  const { host, site } = currentBofh();
  const plan = await planRename({ host, site, name, to, how: checkRename(options) });
  return { ...plan, ...(await single(`vm rename ${name} ${to}`, (tx) => renameVm(tx, host, plan))) };
}
