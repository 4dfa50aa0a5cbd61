import * as lvm from '../../../api/lvm.ts';
import type { ReadHost } from '../../../command/index.ts';
import { UsageError } from '../../../core/errors.ts';
import { type LogicalVolume, usableVg, volumeNamed } from '../../../lvm/index.ts';
import { type Bytes, formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmPoolCreate, LvmPoolResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { changeOf } from './resize.ts';
import { given } from './volumes.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
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
  return change(runtime, {
    act: () => lvm.createThinPool(asked),
    answer: ({ size, metadataSize: metadata, chunkSize: chunk, uuid }): Answer<LvmPoolCreate> => {
      const sizes = `${formatSize(size)}, metadata ${formatSize(metadata)}, chunks of ${formatSize(chunk)}`;
      return {
        data: { pool: volume, uuid, size, metadataSize: metadata, chunkSize: chunk },
        lines: [`the thin pool ${volume} is there: ${sizes}`],
      };
    },
  });
}

/** `bofh lvm pool resize VG/NAME --size +10g --metadata-size +1g`: the size that it has changes nothing. */
export async function resize(runtime: Runtime, pool: string, options: Options): Promise<number> {
  const place = volumeOf(pool);
  const { size, metadataSize } = options;
  if (typeof size !== 'string' && typeof metadataSize !== 'string')
    throw new UsageError('say --size, --metadata-size, or both');
  return change<unknown>(runtime, async ({ host }) => {
    const was = await sizesOf(host, place);
    const asked = {
      ...{ ...place, uuid: was.uuid },
      ...(typeof size === 'string' ? { size: wanted(size, was.size) } : {}),
      ...(typeof metadataSize === 'string' ? { metadataSize: wanted(metadataSize, was.metadataSize) } : {}),
    };
    return {
      act: () => lvm.resizeThinPool(asked),
      answer: async () => resized(pool, was, await sizesOf(host, place)),
    };
  });
}

function resized(pool: string, { uuid: _, ...was }: Sizes, { uuid, ...now }: Sizes): Answer<LvmPoolResize> {
  const words = (of: typeof now): string => `${formatSize(of.size)}, metadata ${formatSize(of.metadataSize)}`;
  const isSame = now.size === was.size && now.metadataSize === was.metadataSize;
  const line = isSame
    ? `the thin pool ${pool} has ${words(now)} already`
    : `the thin pool ${pool} has ${words(now)} now (${words(was)} before)`;
  return { data: { pool, uuid, ...now, was }, lines: [line] };
}

interface Sizes {
  readonly uuid: string;
  readonly size: Bytes;
  readonly metadataSize: Bytes;
}

async function sizesOf(host: ReadHost, { vg, name }: Volume): Promise<Sizes> {
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
