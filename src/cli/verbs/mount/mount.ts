import * as mount from '../../../api/mount.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { refuseSecrets } from '../../../mount/index.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { MountAdd, MountList, MountRemove } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, pathOn } from '../../runtime/session.ts';

/** `bofh mount list`: without `--all` only what has a device, a share or a directory for a source. */
export async function list(runtime: Runtime, options: Options): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const all = await withBofh(bofh, () => mount.mounts());
  const shown = options.all === true ? all : all.filter(({ source }) => /[/:]/.test(source));
  const data: MountList = shown.map(({ id, path, source, root, type, options: flags, superOptions }) => ({
    ...{ id, path, source, root, type },
    options: flags.split(','),
    filesystemOptions: superOptions.split(','),
  }));
  give(runtime, {
    data,
    head: ['ID', 'PATH', 'SOURCE', 'TYPE', 'OPTIONS'],
    rows: data.map((each) => [
      String(each.id),
      each.path,
      each.root === '/' ? each.source : `${each.source}[${each.root}]`,
      each.type,
      shownOptions(each),
    ]),
    none: "nothing but what is the kernel's own is mounted; --all shows that",
  });
  return 0;
}

/** What is read-only is so by the mount or by the filesystem: `rw` of the other one would only confuse. */
function shownOptions({ options, filesystemOptions }: MountList[number]): string {
  const all = [...new Set([...options, ...filesystemOptions])];
  return all.filter((word) => word !== 'rw' || !all.includes('ro')).join(',');
}

/** `bofh mount add DEVICE [PATH]`: to stay until it is unmounted, or the host boots. */
export async function add(
  runtime: Runtime,
  { device, path }: { readonly device: string; readonly path: string | undefined },
  options: Options,
): Promise<number> {
  const words = typeof options.options === 'string' ? options.options.split(',') : [];
  // Before anything is logged: the line that was typed is.
  refuseSecrets(words);
  const common = {
    mode: options.readOnly === true ? 'ro' : 'rw',
    ...(path === undefined ? {} : { path: pathOn(runtime, path) }),
    ...(words.length === 0 ? {} : { options: words }),
  } as const;
  const type = typeof options.type === 'string' ? { type: options.type } : {};
  return change(runtime, {
    act: () =>
      options.bind === true
        ? mount.bind({ source: pathOn(runtime, device), ...common })
        : mount.mount({ device, ...type, ...common }),
    answer: (made): Answer<MountAdd> => ({
      data: { source: device, path: made.path },
      lines: [`${device} is mounted on ${made.path}`],
    }),
  });
}

/** `bofh mount remove PATH`. */
export async function remove(runtime: Runtime, path: string, options: Options): Promise<number> {
  const { mountId } = options;
  if (typeof mountId === 'string' && !/^\d+$/.test(mountId))
    throw new UsageError(`"${mountId}" is no number of a mount`, { remedy: 'bofh mount list shows them' });
  const asked = {
    path: pathOn(runtime, path),
    ...(typeof mountId === 'string' ? { mountId: Number(mountId) } : {}),
  };
  return change(runtime, {
    act: () => mount.unmount(asked),
    answer: (gone): Answer<MountRemove> => ({
      data: { source: gone.source, path: gone.path },
      lines: [`${gone.source} is not mounted on ${gone.path} any more`],
    }),
  });
}
