/** A script as a function, so that a test can call it: see provision.test.ts. */
import { atomic } from 'bofh';

/** Creates a volume with a filesystem, mounts it, and mounts it at every boot. */
export async function provision(name: string): Promise<string> {
  return atomic(`provision ${name}`, async (tx) => {
    const lv = await tx.lvm.createLv({ vg: 'vg0', name, size: '64m' });
    const { uuid } = await tx.filesystem.create({ device: lv.path, type: 'ext4', label: name });
    const path = `/srv/${name}`;
    await tx.mount.mount({ device: lv.path, path, mode: 'rw' });
    await tx.mount.addFstab({ source: `UUID=${uuid}`, target: path, type: 'ext4' });
    return path;
  });
}
