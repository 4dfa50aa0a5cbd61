import * as lvm from '../../../api/lvm.ts';
import type { Bofh } from '../../../bofh.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { dmName } from '../../../lvm/names.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { LvmCreate, LvmRemove, LvmTag } from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { guestsWithDisk } from '../../../xen/index.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm create VG/NAME --size SIZE`, or `--extents 25`, `50%FREE`, `10%VG` */
export async function create(runtime: Runtime, volume: string, options: Options): Promise<number> {
  const asked = { ...volumeOf(volume), ...shape(options), ...given(options) };
  return change(runtime, {
    act: () => lvm.createLv(asked),
    answer: ({ path, size, uuid, pool }): Answer<LvmCreate> => ({
      data: { volume, uuid, path, size, pool: pool ?? null },
      lines: [`${path} is there, ${formatSize(size)}`, ...promisedInWords(pool)],
    }),
  });
}

const types = ['linear', 'striped', 'raid1'] as const;

/** Where and how it is to lie. */
function shape({ pool, type: word, stripes, stripeSize, mirrors, zeros }: Options) {
  const type = types.find((each) => each === word);
  if (type === undefined && word !== undefined)
    throw new UsageError(`--type ${String(word)}: it is linear, striped or raid1`);
  return {
    ...(typeof pool === 'string' ? { pool } : {}),
    ...(type === undefined ? {} : { type }),
    ...(typeof stripes === 'string' ? { stripes: countOf('--stripes', stripes) } : {}),
    ...(typeof stripeSize === 'string' ? { stripeSize } : {}),
    ...(typeof mirrors === 'string' ? { mirrors: countOf('--mirrors', mirrors) } : {}),
    ...(zeros === true ? { content: 'zeros' as const } : {}),
  };
}

function countOf(option: string, text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new UsageError(`${option} ${text} is no count`);
}

/** What a pool has promised, when that is more than it has. */
function promisedInWords(pool: LvmCreate['pool'] | undefined): readonly string[] {
  if (pool === null || pool === undefined || pool.promised <= pool.size) return [];
  return [
    `the pool ${pool.name} has promised ${formatSize(pool.promised)} and has ${formatSize(pool.size)}: watch how full it is (bofh lvm list)`,
  ];
}

/** A size or a count of extents, and tags. */
export function given({ size, extents, tag }: Options) {
  return {
    ...(typeof size === 'string' ? { size } : {}),
    ...(typeof extents === 'string' ? { extents } : {}),
    ...(typeof tag === 'string' ? { tags: tag.split(',') } : {}),
  };
}

/** `bofh lvm tag VG/NAME --add TAG,… --remove TAG,…` */
export async function tag(runtime: Runtime, volume: string, options: Options): Promise<number> {
  const { vg, name } = volumeOf(volume);
  const listed = (key: string): readonly string[] => {
    const text = options[key];
    return typeof text === 'string' ? text.split(',') : [];
  };
  const asked = { vg, name, add: [...listed('add')], remove: [...listed('remove')] };
  return change<unknown>(runtime, async (bofh) => {
    if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, () => lvm.tagLv(asked));
    const lv = async () => volumeNamed(await usableVg(bofh.host, vg), { name });
    const { uuid, tags: before } = await lv();
    const answer = async (): Promise<Answer<LvmTag>> => {
      const { tags } = await lv();
      return { data: { volume, uuid, tags }, lines: [`${volume} has the tags ${tags.join(', ') || 'none'}`] };
    };
    const isSo =
      asked.add.every((each) => before.includes(each)) && !asked.remove.some((each) => before.includes(each));
    if (!isSo || asked.add.length + asked.remove.length === 0)
      return { act: () => lvm.tagLv({ ...asked, uuid }), answer };
    return async () => {
      give(runtime, await answer());
      return 0;
    };
  });
}

/** `bofh lvm remove VG/NAME` */
export async function remove(runtime: Runtime, volume: string, { diskOf }: Options = {}): Promise<number> {
  const { vg, name } = volumeOf(volume);
  const named = typeof diskOf === 'string' ? diskOf.split(',') : [];
  const look = async (bofh: Bofh) => {
    await refuseDiskOfGuest(bofh, { vg, name, named });
    if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, () => lvm.removeLv({ vg, name }));
    const { uuid, size } = volumeNamed(await usableVg(bofh.host, vg), { name });
    return {
      destroys: [`${volume} (${formatSize(size)}, uuid ${uuid}) is removed, with all that is on it`],
      act: () => lvm.removeLv({ vg, name, uuid }),
      answer: (): Answer<LvmRemove> => ({
        data: { volume, uuid, size },
        lines: [`${volume} is removed`],
      }),
    };
  };
  return change<unknown>(runtime, look, { site: 'used' });
}

/** A guest that is shut down does not hold its disks: RefusedError unless each guest is named that would lose one. */
async function refuseDiskOfGuest(
  { host, site }: Bofh,
  { vg, name, named }: { readonly vg: string; readonly name: string; readonly named: readonly string[] },
): Promise<void> {
  const paths = [`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`];
  const guests = await guestsWithDisk(host, site.guestConfigDirs, paths);
  const lost = guests.filter(({ guest }) => !named.includes(guest));
  const all = guests.map(({ guest }) => guest).join(',');
  if (lost.length > 0)
    throw new RefusedError(
      `${vg}/${name} is a disk of ${lost.map(({ guest, file }) => (guest === file ? file : `the guest ${guest} (${file})`)).join(' and ')}; nothing was removed`,
      { remedy: `to remove it all the same: bofh lvm remove ${vg}/${name} --disk-of ${all}` },
    );
  const [wrong] = named.filter((each) => !guests.some(({ guest }) => guest === each));
  if (wrong !== undefined)
    throw new UsageError(`--disk-of ${wrong}: ${vg}/${name} is no disk of it`, {
      remedy: all === '' ? 'leave --disk-of out' : `--disk-of ${all}`,
    });
}
