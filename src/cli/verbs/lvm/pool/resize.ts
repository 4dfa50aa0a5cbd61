import * as lvm from '../../../../api/lvm.ts';
import type { ReadHost } from '../../../../command/index.ts';
import { UsageError } from '../../../../core/errors.ts';
import { type Bytes, formatSize } from '../../../../core/units.ts';
import { type LogicalVolume, usableVg, volumeNamed } from '../../../../lvm/index.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmPoolResize } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { sizeChange } from '../size-change.ts';
import { type Volume, volumeOf } from '../volume.ts';

/** Succeeds without a change if it already has these sizes. */
export default verb({
  changes: true,
  answers: 'lvm pool resize',
  args: { pool: ['<vg/name>', 'thin pool, for example vg0/pool0'] },
  options: {
    size: value('<SIZE>', 'size of its data: 100g or +10g'),
    metadataSize: value('<SIZE>', 'size of its metadata: 1g or +128m'),
  },
  examples: ['lvm pool resize vg0/pool0 --size +20g', 'lvm pool resize vg0/pool0 --metadata-size +128m'],
  run: (runtime, { pool, size, metadataSize }) => {
    const place = volumeOf(pool);
    if (size === undefined && metadataSize === undefined)
      throw new UsageError('give --size, --metadata-size, or both');
    return change<unknown, LvmPoolResize>(runtime, async ({ host }) => {
      const was = await sizesOf(host, place);
      const asked = {
        ...place,
        uuid: was.uuid,
        ...(size === undefined ? {} : { size: wanted(size, was.size) }),
        ...(metadataSize === undefined ? {} : { metadataSize: wanted(metadataSize, was.metadataSize) }),
      };
      return {
        act: () => lvm.resizeThinPool(asked),
        answer: async () => resized(pool, was, await sizesOf(host, place)),
      };
    });
  },
});

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
    throw new UsageError(`${vg}/${name} is not a pool (${lv.layout.join(', ')})`, {
      remedy: 'see the pools: bofh lvm list',
    });
  return { uuid: lv.uuid, size: lv.size, metadataSize: lv.metadataSize };
}

function wanted(text: string, now: Bytes): Bytes {
  const { sign, bytes } = sizeChange(text);
  if (sign === '-')
    throw new UsageError(`"${text}": lvm cannot shrink a thin pool`, {
      remedy: 'name a larger size, for example +10g',
    });
  return sign === '+' ? now + bytes : bytes;
}
