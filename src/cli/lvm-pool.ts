import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmPoolCreate } from './answers/index.ts';
import { given, type Options } from './lvm-volumes.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm pool create VG/NAME` */
export async function create(runtime: Runtime, volume: string, options: Options): Promise<number> {
  const { metadataSize, chunkSize } = options;
  const asked = {
    ...volumeOf(volume),
    ...given(options),
    ...(typeof metadataSize === 'string' ? { metadataSize } : {}),
    ...(typeof chunkSize === 'string' ? { chunkSize } : {}),
  };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.createThinPool(asked));
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.createThinPool(asked)));
  progress.end();
  const { size, metadataSize: metadata, chunkSize: chunk, uuid } = made;
  const data: LvmPoolCreate = { pool: volume, uuid, size, metadataSize: metadata, chunkSize: chunk };
  const sizes = `${formatSize(size)}, metadata ${formatSize(metadata)}, chunks of ${formatSize(chunk)}`;
  give(runtime, { data, lines: [`the thin pool ${volume} is there: ${sizes}`] });
  return 0;
}
