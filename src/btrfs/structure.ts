import { posix } from 'node:path';
import { deviceNode, numberAt, recognise } from '../blockdevice/index.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { fstab, type FstabLine, unreadLine } from '../mount/index.ts';
import { filesystemDevices } from './device-commands.ts';
import { type Place, placeOf } from './place.ts';
import { called, subvolumes } from './reads.ts';
import { refuseUsed } from './top-level.ts';

/** The directories and the subvolume of a new base structure. */
export interface Structure {
  readonly filesystem: string;
  /** Directory for subvolumes that are mounted and used. */
  readonly subvolumes: string;
  /** Directory for their snapshots. */
  readonly snapshots: string;
  /** The subvolume that receives the current content of the top level. */
  readonly data: string;
  /** Lines of /etc/fstab that mount the top level, whose mount points will contain the two directories instead of the data. */
  readonly fstab: readonly Pick<FstabLine, 'number' | 'source' | 'target'>[];
}

/**
 * Plans a base structure of a filesystem. `path` is where its top level is mounted. UsageError for
 * an invalid name; RefusedError if the structure, or any other subvolume, already exists, or the
 * content is in use.
 */
export async function structureOf(
  host: ReadHost,
  asked: { readonly path: string; readonly name: string; readonly default: 'kept' | 'set' },
): Promise<Structure> {
  const { path, name } = asked;
  if (name.includes('/')) throw new UsageError(`invalid name "${name}": must not contain "/"`);
  const place = await placeOf(host, path);
  if (place.inside !== '/')
    throw new RefusedError(`${path} is the directory ${place.inside} of its filesystem, not the top level`, {
      remedy: `mount the top level: mount -o subvolid=5 UUID=${place.fs} /mnt`,
    });
  const [first, ...more] = await subvolumes(host, place.path);
  if (first !== undefined)
    throw new RefusedError(
      `${path} contains subvolumes already: ${called(first)}${more.length === 0 ? '' : `, and ${more.length} more`}`,
      {
        code: 'has-data',
        remedy: `this command needs a filesystem without subvolumes; see them: bofh btrfs list ${place.path}`,
      },
    );
  const [own, snapshots] = ['subvolumes', 'snapshots'].map((each) => posix.join(place.path, each));
  for (const each of [own, snapshots])
    if (each !== undefined && (await host.stat(each)) !== undefined)
      throw new RefusedError(`${each} exists already`, {
        code: 'exists',
        remedy: `rename it: mv ${inShell(each)} ${inShell(`${each}.old`)}; then run the command again`,
      });
  await refuseUsed(host, place.fs);
  return {
    filesystem: place.fs,
    subvolumes: own ?? '',
    snapshots: snapshots ?? '',
    data: posix.join(own ?? '', name),
    fstab: (await linesOf(host, place)).filter(({ options }) => showsTop(options, asked.default)),
  };
}

/**
 * Whether a line with these options mounts the top level. Without subvol= and subvolid= it mounts the default
 * subvolume (btrfs(5)).
 */
function showsTop(options: readonly string[], which: 'kept' | 'set'): boolean {
  const said = options.filter((word) => /^subvol(?:id)?=/.test(word));
  if (said.length === 0) return which === 'kept';
  return said.every((word) => /^(?:subvol=\/?|subvolid=[05])$/.test(word));
}

/**
 * Returns the lines of /etc/fstab that mount a filesystem: by its uuid, its label, a device, or its
 * current mount point.
 */
async function linesOf(host: ReadHost, { fs, mount }: Place): Promise<readonly FstabLine[]> {
  const { label } = (await recognise(host, mount.source)) ?? {};
  const words = [`UUID=${fs}`, ...(label === undefined ? [] : [`LABEL=${label}`])];
  const members = await host.run(filesystemDevices(mount.path));
  const numbers = new Set<string>();
  for (const { path } of members) if (path !== undefined) numbers.add((await deviceNode(host, path)).number);
  const found: FstabLine[] = [];
  const { lines, unread } = await fstab(host);
  const isOurs = async (line: Pick<FstabLine, 'source' | 'target' | 'type'>): Promise<boolean> => {
    if (line.type === 'btrfs' && line.target === mount.path) return true;
    // mount(8) allows quotes around the value of a tag.
    const source = line.source.replace(/=(?<quote>["'])(?<value>.+)\k<quote>$/s, '=$<value>');
    if (words.includes(source)) return true;
    if (!/^(?:\/dev\/|PARTUUID=|PARTLABEL=|ID=)/.test(source)) return false;
    const number = await numberAt(host, source);
    return number !== undefined && numbers.has(number);
  };
  for (const line of unread) {
    const [source = '', target = ''] = line.words;
    if (await isOurs({ source, target, type: 'btrfs' })) throw unreadLine('/etc/fstab', line);
  }
  for (const line of lines) if (await isOurs(line)) found.push(line);
  return found;
}
