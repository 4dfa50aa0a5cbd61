import { atomic, withBofh } from '../../../src/bofh.ts';
import * as vm from '../../../src/api/vm.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import type { MovedVm } from '../../../src/vm/move.ts';
import { create, two } from '../replica/support.ts';

/** A guest that runs on the first of two hosts, with a disk that both have. */
export async function guestOnTwo({ starts = true }: { readonly starts?: boolean } = {}) {
  const hosts = two();
  const { here, alpha, there } = hosts;
  await create(here, { primary: 'alpha' });
  for (const host of [alpha, there.host()]) host.admin.writeFile('/boot/guest', 'a kernel');
  alpha.admin.writeFile(
    '/etc/xen/web1.cfg',
    "name = 'web1'\nuuid = '6a1a2b3c-0d0e-4f00-8a00-000000000001'\ntype = 'pv'\nkernel = '/boot/guest'\nmemory = 64\ndisk = ['phy:/dev/drbd0,xvda,w']\n",
  );
  if (starts)
    await withBofh(here, () =>
      atomic('start', (tx) => tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' })),
    );
  return { ...hosts, before: there.crossings.filter((what) => what !== 'read') };
}

/** Both without a history: whether a trial has come to its commit is read there. */
export async function guestToTry(): Promise<readonly [SimulatedHost, SimulatedHost]> {
  const { alpha, there } = await guestOnTwo();
  const history = '/var/lib/bofh/journal/history';
  for (const name of await alpha.readDir(history)) alpha.admin.removeFile(`${history}/${name}`);
  return [alpha, there.host()];
}

export function moving({ here }: Awaited<ReturnType<typeof guestOnTwo>>): Promise<MovedVm> {
  return withBofh(here, () => vm.move({ name: 'web1', to: 'there' }));
}
