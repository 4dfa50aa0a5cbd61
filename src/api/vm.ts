import { currentBofh, refuseInside, single } from '../bofh.ts';
import { type CreatedVm, createVm, planCreate } from '../vm/create.ts';
import { type DestroyPlan, destroyVm, planDestroy } from '../vm/destroy.ts';
import { checkCreate, checkDestroy, type CreateRequest, type DestroyRequest } from '../vm/request.ts';

/** Makes a guest: all of it or nothing. Everything that can be refused is refused before the first step. */
export async function create(request: CreateRequest): Promise<CreatedVm> {
  refuseInside('vm.create');
  const { host, site } = currentBofh();
  const plan = await planCreate({ host, site, request: checkCreate(request) });
  return single(`vm create ${plan.name}`, (tx) => createVm(tx, plan));
}

/** Takes a guest apart: its domain, its configuration, its logical volumes. */
export async function destroy(request: DestroyRequest): Promise<DestroyPlan> {
  refuseInside('vm.destroy');
  const { host, site } = currentBofh();
  const plan = await planDestroy({ host, site, ...checkDestroy(request) });
  await single(`vm destroy ${plan.name}`, (tx) => destroyVm(tx, plan));
  return plan;
}
