import { posix } from 'node:path';
import { mountEntries } from '../blockdevice/index.ts';
import { privateSubvolumes } from '../btrfs/index.ts';
import { namesIn, type ReadHost } from '../command/index.ts';
import { lvs, removeRecovery, vgs } from '../lvm/index.ts';

/** An object on the host with the tag of a step. */
export interface TaggedObject {
  readonly id: string;
  readonly n: number;
  readonly what: string;
  /** `stays`: the tag remains after the commit. `passing`: the tag must be gone when its sequence has ended. */
  readonly kind: 'stays' | 'passing';
  readonly look: readonly (readonly string[])[];
  readonly clear: readonly (readonly string[])[];
}

const tagPattern = /bofh\.(?<id>[0-9a-z]+)\.(?<n>\d+)/;

/**
 * Returns logical volumes with the tag of a step, or with the private name of a volume that waits
 * for its removal.
 */
export async function taggedVolumes(host: ReadHost): Promise<readonly TaggedObject[]> {
  return (await lvs(host)).flatMap((lv) => {
    const manualRecovery = removeRecovery(lv);
    const found: TaggedObject[] = [];
    const tombstone = /^bofh_gone_(?<id>[0-9a-z]+)_(?<n>\d+)$/.exec(lv.name)?.groups;
    if (tombstone !== undefined)
      found.push({
        ...of(tombstone),
        what: `the logical volume ${lv.fullName}, which waits to be removed`,
        kind: 'passing',
        ...manualRecovery,
      });
    for (const tag of lv.tags) {
      const groups = wholeTag(tag);
      if (groups === undefined) continue;
      const what = `the logical volume ${lv.fullName} (tag ${tag})`;
      found.push({ ...of(groups), what, kind: 'stays', ...manualRecovery });
    }
    return found;
  });
}

/**
 * Returns volume groups with the tag of a step, or with the private name of a group that waits for
 * its removal.
 */
export async function taggedGroups(host: ReadHost): Promise<readonly TaggedObject[]> {
  return (await vgs(host)).flatMap(({ name, uuid, tags }) => {
    const itself = `vg_uuid=${uuid}`;
    const look = [['vgs', '--options', 'vg_name,vg_uuid,lv_count,pv_count,vg_tags', '--select', itself]];
    const clear = [['vgremove', '--select', `${itself} && lv_count=0`]];
    const found: TaggedObject[] = [];
    const tombstone = /^bofh_gone_(?<id>[0-9a-z]+)_(?<n>\d+)$/.exec(name)?.groups;
    if (tombstone !== undefined) {
      const what = `the volume group ${name}, which waits to be removed`;
      found.push({ ...of(tombstone), what, kind: 'passing', look, clear });
    }
    for (const tag of tags) {
      const groups = wholeTag(tag);
      if (groups === undefined) continue;
      found.push({
        ...of(groups),
        what: `the volume group ${name} (tag ${tag})`,
        kind: 'stays',
        look,
        clear,
      });
    }
    return found;
  });
}

/** Returns volume groups whose volumes lvm does not show: their content is unknown. */
export async function hiddenGroups(host: ReadHost): Promise<readonly string[]> {
  return (await vgs(host)).filter(({ exported }) => exported).map(({ name }) => name);
}

/**
 * Returns private names of files and directories: of new ones, and of removed ones that can still
 * be restored.
 */
export async function taggedFiles(
  host: ReadHost,
  directories: readonly string[],
): Promise<readonly TaggedObject[]> {
  const found: TaggedObject[] = [];
  for (const directory of [...new Set(directories)].toSorted())
    for (const name of await namesIn(host, directory)) {
      if (!name.startsWith('.bofh-')) continue;
      const groups = tagPattern.exec(name)?.groups;
      if (groups === undefined) continue;
      const path = posix.join(directory, name);
      const isDirectory = (await host.stat(path))?.kind === 'directory';
      const sort = isDirectory ? 'directory' : 'file';
      const what = name.startsWith('.bofh-gone-')
        ? `${path}, a ${sort} that waits to be removed`
        : `${path}, the private name of a new ${sort}`;
      const look = [['ls', '-li', directory]];
      const clear = [[isDirectory ? 'rmdir' : 'rm', path]];
      found.push({ ...of(groups), what, kind: 'passing', look, clear });
    }
  return found;
}

/**
 * Returns private names of btrfs subvolumes: new ones without their final name, and deleted ones
 * that can still be restored.
 */
export async function taggedSubvolumes(host: ReadHost): Promise<readonly TaggedObject[]> {
  return (await privateSubvolumes(host)).flatMap(({ root, name, row }) => {
    const groups = tagPattern.exec(name)?.groups;
    if (groups === undefined) return [];
    const itself = ['--subvolid', String(row.id), root];
    const why = name.startsWith('.bofh-gone-')
      ? 'which waits to be deleted'
      : 'the private name of a new one';
    return [
      {
        ...of(groups),
        what: `the btrfs subvolume ${row.shown} of ${root}, ${why}`,
        kind: 'passing' as const,
        look: [['btrfs', 'subvolume', 'show', '--rootid', String(row.id), root]],
        clear: [['btrfs', 'subvolume', 'delete', '--commit-each', ...itself]],
      },
    ];
  });
}

/** Returns private mounts and the markers of guests that are shutting down, both on /run. */
export async function taggedOnRun(host: ReadHost): Promise<readonly TaggedObject[]> {
  const mounted = new Set((await mountEntries(host)).map(({ path }) => path));
  const found: TaggedObject[] = [];
  for (const directory of ['/run/bofh', '/run/bofh/mnt'])
    for (const name of await namesIn(host, directory)) {
      const groups = tagPattern.exec(name)?.groups;
      if (groups === undefined) continue;
      const path = posix.join(directory, name);
      const isMount = mounted.has(path);
      const isDirectory = isMount || (await host.stat(path))?.kind === 'directory';
      const clear = [...(isMount ? [['umount', path]] : []), [isDirectory ? 'rmdir' : 'rm', path]];
      found.push({
        ...of(groups),
        what: isMount ? `the private mount on ${path}` : path,
        kind: directory === '/run/bofh/mnt' ? 'stays' : 'passing',
        look: isMount ? [['findmnt', path]] : [['ls', '-ld', path]],
        clear,
      });
    }
  return found;
}

function wholeTag(tag: string): Readonly<Record<string, string>> | undefined {
  const groups = tagPattern.exec(tag);
  return groups?.[0] === tag ? groups.groups : undefined;
}

function of({ id = '', n = '' }: Readonly<Record<string, string>>): Pick<TaggedObject, 'id' | 'n'> {
  return { id, n: Number(n) };
}
