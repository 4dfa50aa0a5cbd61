import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { UsageError } from '../errors.ts';
import { usableVg, volumeNamed } from '../lvm/index.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmCreate, LvmRemove, LvmTag } from './answers/index.ts';
import { confirm } from './confirm.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { volumeOf } from './volume.ts';

/** `bofh lvm create VG/NAME --size SIZE`, or `--extents 25`, `50%FREE`, `10%VG` */
export async function create(runtime: Runtime, volume: string, options: Options): Promise<number> {
  const asked = { ...volumeOf(volume), ...shape(options), ...given(options) };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.createLv(asked));
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.createLv(asked)));
  progress.end();
  const { path, size, uuid } = made;
  const data: LvmCreate = { volume, uuid, path, size, pool: made.pool ?? null };
  give(runtime, { data, lines: [`${path} is there, ${formatSize(size)}`, ...promisedInWords(made.pool)] });
  return 0;
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
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.tagLv(asked));
  }
  const lv = async () => volumeNamed(await usableVg(bofh.host, vg), { name });
  const { uuid, tags: before } = await untilInterrupted(runtime, lv());
  const isSo =
    asked.add.every((each) => before.includes(each)) && !asked.remove.some((each) => before.includes(each));
  if (!isSo || asked.add.length + asked.remove.length === 0) {
    await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.tagLv({ ...asked, uuid })));
    progress.end();
  }
  const { tags } = await lv();
  const data: LvmTag = { volume, uuid, tags };
  give(runtime, { data, lines: [`${volume} has the tags ${tags.join(', ') || 'none'}`] });
  return 0;
}

/** `bofh lvm remove VG/NAME` */
export async function remove(runtime: Runtime, volume: string): Promise<number> {
  const { vg, name } = volumeOf(volume);
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => lvm.removeLv({ vg, name }));
  }
  const { uuid, size } = await untilInterrupted(
    runtime,
    usableVg(bofh.host, vg).then((group) => volumeNamed(group, { name })),
  );
  await confirm(runtime, [
    `${volume} (${formatSize(size)}, uuid ${uuid}) is removed, with all that is on it`,
  ]);
  await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.removeLv({ vg, name, uuid })));
  progress.end();
  const data: LvmRemove = { volume, uuid, size };
  give(runtime, { data, lines: [`${volume} is removed`] });
  return 0;
}
