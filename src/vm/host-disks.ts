import { deviceNode, linkOf, probe, tagIn } from '../blockdevice/index.ts';
import { follow, type ReadHost } from '../command/index.ts';
import { type Mapping, mappingOn } from '../crypt/index.ts';
import { isLuksSignature } from '../crypt/reads.ts';
import type { GuestConfig } from '../xen/index.ts';

/** A disk that is a device of this host. */
export interface HostDisk {
  readonly vdev: string;
  readonly path: string;
  readonly node: Awaited<ReturnType<typeof deviceNode>>;
  readonly access: 'ro' | 'rw';
  readonly content: Awaited<ReturnType<typeof probe>>;
  /** Set while it is open as a LUKS device. */
  readonly mapping: Mapping | undefined;
}

/** The disks that are existing devices of this host. The caller refuses an fstab that needs another one. */
export async function hostDisks(host: ReadHost, guest: GuestConfig): Promise<readonly HostDisk[]> {
  const found: HostDisk[] = [];
  for (const { vdev, path, access } of guest.disks) {
    if (path === undefined || (await follow(host, path)).stat?.kind !== 'block') continue;
    const content = await probe(host, path);
    const mapping = isLuksSignature(content) ? await mappingOn(host, path) : undefined;
    found.push({ vdev, path, access, node: await deviceNode(host, path), content, mapping });
  }
  return found;
}

/** The disks that the device in a line of fstab or crypttab names: by UUID, label, or the name in the guest. */
export function disksNamed(source: string, disks: readonly HostDisk[]): readonly HostDisk[] {
  const tag = tagIn(source);
  return disks.filter(
    ({ vdev, content }) =>
      (
        [
          ['UUID', content?.uuid],
          ['LABEL', content?.label],
        ] as const
      ).some(
        ([name, value]) =>
          value !== undefined &&
          ((tag?.name === name && tag.value === value) || linkOf({ name, value }) === source),
      ) || source === `/dev/${vdev}`,
  );
}
