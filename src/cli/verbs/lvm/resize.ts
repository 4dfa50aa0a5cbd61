import * as lvm from '../../../api/lvm.ts';
import { holders, reachOf, recognise } from '../../../blockdevice/index.ts';
import type { ReadHost } from '../../../command/index.ts';
import { BofhError, RefusedError, UsageError } from '../../../core/errors.ts';
import { newSwap } from '../../../filesystem/index.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import { type Bytes, formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { type SizeChange, sizeChange } from './size-change.ts';
import { type Volume, volumeOf } from './volume.ts';

/** Resizes only the volume, and never shrinks it below its recognised content. */
export default verb({
  changes: true,
  answers: 'lvm resize',
  dashes: true,
  args: {
    volume: ['<vg/name>', 'logical volume, for example vg0/web1'],
    wanted: ['<size>', '20g, +5g or -5g'],
  },
  examples: ['lvm resize vg0/web1 +5g'],
  run: (runtime, { volume, wanted }) => {
    const { vg, name } = volumeOf(volume);
    const by = sizeChange(wanted);
    return change<Resized, LvmResize>(runtime, async ({ host }) => {
      const { uuid, from, to } = await plan(host, { vg, name }, by);
      const consent = to < from ? ({ shrink: 'lose the data beyond the new size' } as const) : {};
      const loss = `${volume} will be shrunk from ${formatSize(from)} to ${formatSize(to)}: all data after the new end will be lost`;
      return {
        destroys: to < from ? [loss] : [],
        checksFirst: true,
        act: async () => {
          const done = await lvm.resizeLv({ vg, name, uuid, size: to, ...consent });
          return { ...done, on: done.size > from ? await filesystemOn(host, done.path) : undefined };
        },
        answer: ({ path, size, on }): Answer<LvmResize> => ({
          data: { volume, uuid, path, size, was: from },
          lines: [
            size === from
              ? `${volume} has ${formatSize(size)} already`
              : `${volume} has ${formatSize(size)} now (${formatSize(from)} before)`,
            ...(on === undefined
              ? []
              : [`the ${on} on it keeps its size; to grow it too: bofh filesystem resize ${path} max`]),
          ],
        }),
      };
    });
  },
});

interface Resized {
  readonly path: string;
  readonly size: Bytes;
  /** The type of the filesystem on a volume that has grown. */
  readonly on: string | undefined;
}

/**
 * Returns the type of a filesystem that can grow; undefined also if it is unknown, or of a guest.
 */
async function filesystemOn(host: ReadHost, device: string): Promise<string | undefined> {
  try {
    if ((await holders(host, device)).some(({ kind }) => kind === 'guest')) return undefined;
    const type = (await recognise(host, device))?.type ?? '';
    return /^(?:ext[234]|xfs|btrfs)$/.test(type) ? type : undefined;
  } catch (error) {
    if (error instanceof BofhError) return undefined;
    throw error;
  }
}

interface Found {
  readonly uuid: string;
  readonly from: Bytes;
  readonly to: Bytes;
}

async function plan(
  host: ReadHost,
  { vg: group, name }: Volume,
  { sign, bytes }: SizeChange,
): Promise<Found> {
  const vg = await usableVg(host, group);
  const lv = volumeNamed(vg, { name });
  const from = lv.size;
  const wanted = sign === '' ? bytes : sign === '+' ? from + bytes : from - bytes;
  if (wanted <= 0)
    throw new UsageError(`${group}/${name} has only ${formatSize(from)}: the new size would be zero or less`);
  const to = Math.ceil(wanted / vg.extentSize) * vg.extentSize;
  if (to >= from) return { uuid: lv.uuid, from, to };
  if (lv.active !== true)
    throw new RefusedError(`${group}/${name} is not active: its content is unknown`, {
      remedy: `bofh lvm activate ${group}/${name}; then run the command again`,
    });
  const on = await reachOf(host, lv.dmPath);
  // A thin volume keeps its blocks in the pool, so the undo can grow it again with all its data.
  if (lv.pool !== undefined && on !== undefined && on.bytes !== 'unknown' && on.bytes <= to)
    return { uuid: lv.uuid, from, to };
  if (on !== undefined)
    throw new RefusedError(`there is ${on.type} on ${group}/${name}, which this command does not shrink`, {
      remedy:
        on.type === 'swap'
          ? newSwap({ device: `/dev/${group}/${name}`, ...(await recognise(host, lv.dmPath)) })
          : `shrink all layers, in the right order: bofh block resize /dev/${group}/${name} ${to}b`,
    });
  return { uuid: lv.uuid, from, to };
}
