import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import type { ReadHost } from '../command/index.ts';
import { UsageError } from '../errors.ts';
import { type LogicalVolume, usableVg, volumeNamed } from '../lvm/index.ts';
import { type Bytes, formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmPoolCreate, LvmPoolResize } from './answers/index.ts';
import { changeOf } from './lvm-resize.ts';
import { given } from './lvm-volumes.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { type Volume, volumeOf } from './volume.ts';

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

/** `bofh lvm pool resize VG/NAME --size +10g --metadata-size +1g`: the size that it has changes nothing. */
export async function resize(runtime: Runtime, pool: string, options: Options): Promise<number> {
  const place = volumeOf(pool);
  const { size, metadataSize } = options;
  if (typeof size !== 'string' && typeof metadataSize !== 'string')
    throw new UsageError('say --size, --metadata-size, or both');
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const was = await untilInterrupted(runtime, sizesOf(bofh.host, place));
  const asked = {
    ...{ ...place, uuid: was.uuid },
    ...(typeof size === 'string' ? { size: wanted(size, was.size) } : {}),
    ...(typeof metadataSize === 'string' ? { metadataSize: wanted(metadataSize, was.metadataSize) } : {}),
  };
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.resizeThinPool(asked));
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.resizeThinPool(asked)));
  progress.end();
  const { uuid, ...now } = await sizesOf(bofh.host, place);
  const { uuid: _, ...before } = was;
  const data: LvmPoolResize = { pool, uuid, ...now, was: before };
  const words = (of: typeof now): string => `${formatSize(of.size)}, metadata ${formatSize(of.metadataSize)}`;
  const isSame = now.size === before.size && now.metadataSize === before.metadataSize;
  const line = isSame
    ? `the thin pool ${pool} has ${words(now)} already`
    : `the thin pool ${pool} has ${words(now)} now (${words(before)} before)`;
  give(runtime, { data, lines: [line] });
  return 0;
}

async function sizesOf(
  host: ReadHost,
  { vg, name }: Volume,
): Promise<{ readonly uuid: string; readonly size: Bytes; readonly metadataSize: Bytes }> {
  const lv: LogicalVolume = volumeNamed(await usableVg(host, vg), { name });
  if (lv.metadataSize === undefined)
    throw new UsageError(`${vg}/${name} is no pool (${lv.layout.join(', ')})`, {
      remedy: 'bofh lvm list shows the pools',
    });
  return { uuid: lv.uuid, size: lv.size, metadataSize: lv.metadataSize };
}

function wanted(text: string, now: Bytes): Bytes {
  const { sign, bytes } = changeOf(text);
  if (sign === '-')
    throw new UsageError(`"${text}": lvm makes no thin pool smaller`, { remedy: 'say a size, or +10g' });
  return sign === '+' ? now + bytes : bytes;
}
