import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { bofhOn, hostWithSource, vmCreate } from '../simulator/support.ts';

export const dataUuid = '5e1f0000-0000-4000-8000-0000000000dd';

/** A host with a guest that is off, and has a disk with data that its fstab does not name yet. */
export async function hostWithData(): Promise<SimulatedHost> {
  const host = hostWithSource();
  for (const path of ['/mnt', '/srv']) host.admin.mkdir(path);
  await vmCreate(bofhOn(host), { start: false });
  addData(host, 'web1-data', 'xvdc');
  return host;
}

/** Gives the guest one more disk with an xfs, which always has the same UUID and label. */
export function addData(host: SimulatedHost, name: string, vdev: string): void {
  host.admin.lvcreate({ vg: 'vg0', name, extents: 8 });
  host.admin.format(`/dev/vg0/${name}`, {
    ...{ type: 'xfs', usage: 'filesystem', uuid: dataUuid, label: 'data' },
  });
  host.admin.mount(`/dev/vg0/${name}`, '/mnt');
  host.admin.mkdir('/mnt/www');
  host.admin.umount('/mnt');
  const config = host.admin.readFile('/etc/xen/web1.cfg');
  host.admin.writeFile(
    '/etc/xen/web1.cfg',
    config.replace('disk = [', `disk = ["/dev/vg0/${name},raw,${vdev},rw", `),
  );
}

/** Edits /etc/fstab of the guest, which has the directory /srv. */
export function editFstab(host: SimulatedHost, how: (text: string) => string): void {
  host.admin.mount('/dev/vg0/web1-root', '/mnt');
  host.admin.mkdir('/mnt/srv');
  host.admin.writeFile('/mnt/etc/fstab', how(host.admin.readFile('/mnt/etc/fstab')));
  host.admin.umount('/mnt');
}
