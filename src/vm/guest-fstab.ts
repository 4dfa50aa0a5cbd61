import type { ReadHost } from '../command/index.ts';
import { fillOptions, readRoot } from '../copy/index.ts';
import { RefusedError } from '../core/errors.ts';
import { isWithin } from '../mount/index.ts';
import { parseFstab } from '../mount/tab/fstab.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { type DataDisk, fstabLine, refuseHidden } from './data-disks.ts';
import { mountedFstab, planTree } from './tree.ts';

/** Where a guest that is off mounts one more disk: a line in its /etc/fstab. */
export interface FstabPlan {
  /** The root of the guest. */
  readonly device: string;
  readonly type: string;
  readonly filesystem: string;
  /** Absolute path in the guest. */
  readonly mount: string;
  /** The file as it was checked, one character per byte; empty if there is none. */
  readonly text: string;
}

/** Makes all checks before anything is done. RefusedError for a guest that runs, or whose root cannot be mounted here. */
export async function planFstab(
  host: ReadHost,
  { site, name, disk }: { readonly site: Site; readonly name: string; readonly disk: DataDisk },
): Promise<FstabPlan | undefined> {
  const { mount } = disk;
  if (mount === undefined) return undefined;
  const { mounts, at, uuid } = await planTree(host, { site, name });
  const [root] = mounts;
  if (root === undefined || at !== undefined)
    throw new RefusedError(`${name} is mounted on ${at ?? ''}`, {
      code: 'in-use',
      remedy: `bofh vm unmount ${name}; then run the command again`,
    });
  const directories = ['etc', mount.slice(1)];
  const { paths, texts } = await readRoot(host, { device: root.device, directories, files: ['etc/fstab'] });
  const text = texts.get('etc/fstab') ?? '';
  if (paths.has('etc/fstab') && !texts.has('etc/fstab'))
    throw new RefusedError(`/etc/fstab of ${name} is not a regular file`, {
      remedy: 'create the disk without a mount point, and add the line in the guest',
    });
  const { lines } = parseFstab(text);
  const other = lines.find(
    ({ target }) =>
      target.startsWith('/') && target !== '/' && (isWithin(mount, target) || isWithin(target, mount)),
  );
  if (other !== undefined)
    throw new RefusedError(`/etc/fstab of ${name} mounts ${other.source} on ${other.target}`, {
      code: 'exists',
      remedy: 'mount the disk elsewhere; or create it without a mount point, and edit that file in the guest',
    });
  refuseHidden(paths, [disk], 'guest');
  if (uuid === undefined)
    throw new RefusedError(`the root of ${name}, ${root.device}, has no UUID`, {
      remedy: `tune2fs -U random ${root.device}; then run the command again`,
    });
  return { device: root.device, type: root.type, filesystem: uuid, mount, text };
}

/** Adds the line to the /etc/fstab of the guest, and makes the directory. */
export async function addToFstab(
  tx: Tx,
  host: ReadHost,
  plan: FstabPlan & { readonly uuid: string; readonly fs: DataDisk['fs'] },
): Promise<void> {
  const { device, type, filesystem, mount, text } = plan;
  const mounted = await tx.temporary.mount.mount({ device, type, mode: 'rw', options: fillOptions });
  if ((await mountedFstab(host, mounted.path)) !== text)
    throw new RefusedError('the /etc/fstab of the guest was changed meanwhile', {
      remedy: 'run the command again',
    });
  const { mode = 0o644 } = (await host.stat(`${mounted.path}/etc/fstab`)) ?? {};
  const content = `${text.replace(/(?<=[^\n])$/, '\n')}${fstabLine(plan)}\n`;
  await tx.copy.files({
    ...{ root: mounted.path, device, filesystem },
    files: [
      { path: mount.slice(1), directory: true, mode: 0o755 },
      { path: 'etc/fstab', content, encoding: 'latin1', mode },
    ],
  });
  await mounted.release();
}
