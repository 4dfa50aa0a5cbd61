import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { qemuVersion } from './accel.ts';
import { coldBoot, connectTo, freeze, type Shape } from './boot.ts';
import { cachedFolder } from './cache.ts';
import { deviceOf, makeFreshDisks } from './disks.ts';
import type { Progress } from './image.ts';
import { bootArgv, diskArgv, linkArgv, monitorArgv, networkArgv } from './qemu-argv.ts';
import type { Connection } from './ssh.ts';

/**
 * The directory of a frozen machine that has booted and answers: `memory`, and its disks, which are not
 * written any more.
 */
export async function readySnapshot(shape: Shape, progress: Progress): Promise<string> {
  const path = join(shape.image.dir, `ready-${await readyKey(shape)}`);
  return await cachedFolder({
    path,
    build: async (partial) => {
      progress('booting once, for the snapshot');
      await buildReady(shape, partial);
    },
    onWait: () => {
      progress('another process is making this snapshot: waiting for it');
    },
  });
}

/** What only the first boot of fresh disks does: the volume groups. */
export async function firstBoot(connection: Connection, shape: Shape): Promise<void> {
  for (const [index, disk] of shape.disks.entries())
    if (disk.volumeGroup !== undefined)
      await connection.run(['vgcreate', '--quiet', disk.volumeGroup, deviceOf(index)]);
  if (shape.hypervisor === 'xen') await connection.run('xl list');
}

async function buildReady(shape: Shape, dir: string): Promise<void> {
  // Named as seen from the snapshot's folder: that folder is renamed when it is whole.
  await makeFreshDisks({ dir, image: shape.image, disks: shape.disks, backing: '../system.raw' });
  const place = { dir, name: 'rig' };
  const emulator = await coldBoot(shape, place);
  try {
    const connection = await connectTo({ emulator, image: shape.image, place });
    await firstBoot(connection, shape);
    await connection.run('udevadm settle --timeout=60; sync; echo 3 > /proc/sys/vm/drop_caches');
    // A connection that is cut by the snapshot would linger in every machine that starts from it.
    await connection.close();
    await freeze(emulator, join(dir, 'memory'));
  } finally {
    await emulator.kill();
  }
}

async function readyKey(shape: Shape): Promise<string> {
  const argv = bootArgv({ ...shape, consoleFile: '', kernelWords: [] });
  const network = [...networkArgv, ...(shape.link === true ? linkArgv(undefined) : [])];
  const facts = [await qemuVersion(), argv, diskArgv(['']), network, monitorArgv, shape.disks];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
}
