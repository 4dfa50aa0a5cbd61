import { currentBofh, refuseInside, single } from '../bofh.ts';
import { type CreatedVm, type CreateRequest, createVm, planCreate } from '../vm/create.ts';
import { type DestroyPlan, destroyVm, planDestroy, type Running } from '../vm/destroy.ts';

/** Makes a guest: all of it or nothing. Everything that can be refused is refused before the first step. */
export async function create(request: CreateRequest): Promise<CreatedVm> {
  refuseInside('vm.create');
  const { host, site } = currentBofh();
  const plan = await planCreate({ host, site, request });
  return single(`vm create ${request.name}`, (tx) => createVm(tx, plan));
}

/** Takes a guest apart: its domain, its configuration, its logical volumes. */
export async function destroy(request: {
  readonly name: string;
  readonly running: Running;
  readonly timeoutMs?: number;
}): Promise<DestroyPlan> {
  refuseInside('vm.destroy');
  const { host, site } = currentBofh();
  const plan = await planDestroy({ host, site, ...request });
  await single(`vm destroy ${request.name}`, (tx) => destroyVm(tx, plan));
  return plan;
}
