import { deviceNode, probeFile, recognise, sizeOf } from '../blockdevice/index.ts';
import { follow, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { Bytes } from '../core/units.ts';
import type { Site } from '../site.ts';
import { describe, type Disk, type Domain, type DomainDisk, xlDisks, xlInterfaces } from '../xen/index.ts';
import { configured } from './configured.ts';
import { wordsOf } from './guest-file.ts';

/**
 * Whether a guest has a disk or an interface. `off`: the guest is off. `attached`: the configuration and the
 * guest have it. `next start`: only the configuration. `until stop`: only the guest.
 */
export type Attachment = 'off' | 'attached' | 'next start' | 'until stop';

/** A disk of a guest. */
export interface GuestDiskRow {
  /** Its name in the guest: `xvda`. */
  readonly disk: string;
  /**
   * Path of the device or image, or the name from which a script makes one: `drbd:web1`. Empty for an empty
   * CD-ROM drive.
   */
  readonly device: string;
  readonly access: 'ro' | 'rw';
  /** Missing: it is not a device or a raw image of this host. */
  readonly size?: Bytes;
  /** What blkid recognises: `ext4`, `crypto_LUKS`. Missing: nothing, or it is not a device of this host. */
  readonly content?: string;
  readonly state: Attachment;
}

/** A network interface of a guest. */
export interface GuestInterfaceRow {
  /** Lower case, with colons. Missing: a new one at each start. */
  readonly mac?: string;
  /** Missing: the bridge of xl.conf. */
  readonly bridge?: string;
  readonly state: Attachment;
}

interface Wanted {
  readonly site: Site;
  readonly name: string;
}

/** The disks of a guest: those of its configuration, then those that only the running guest has. */
export async function disksOfGuest(host: ReadHost, wanted: Wanted): Promise<readonly GuestDiskRow[]> {
  const { guest, domain } = await configured(host, wanted);
  const given = domain === undefined ? undefined : givenTo(domain, await host.run(xlDisks()));
  const isSame = ({ vdev, target, path }: Disk, had: DomainDisk): boolean =>
    had.vdev === vdev && [target, path].includes(had.pdev_path ?? '');
  const found: (Omit<GuestDiskRow, 'size' | 'content'> & { readonly image: string | undefined })[] = [
    ...guest.disks.map((disk) => ({
      ...{ disk: disk.vdev, device: wordsOf(disk), access: disk.access },
      image: disk.format === 'raw' ? disk.path : undefined,
      state: stateOf(given?.some((had) => isSame(disk, had))),
    })),
    ...(given ?? [])
      .filter((had) => !guest.disks.some((disk) => isSame(disk, had)))
      .map(({ vdev, pdev_path: path = '', readwrite, format }) => ({
        ...{ disk: vdev, device: path, access: readwrite === 0 ? ('ro' as const) : ('rw' as const) },
        image: format === 'raw' && path.startsWith('/') ? path : undefined,
        state: 'until stop' as const,
      })),
  ];
  const rows: GuestDiskRow[] = [];
  for (const { image, ...disk } of found)
    rows.push({ ...disk, ...(image === undefined ? {} : await measured(host, image)) });
  return rows;
}

/** The network interfaces of a guest, in the order of `disksOfGuest`. */
export async function interfacesOfGuest(
  host: ReadHost,
  wanted: Wanted,
): Promise<readonly GuestInterfaceRow[]> {
  const { guest, domain } = await configured(host, wanted);
  const given = domain === undefined ? undefined : givenTo(domain, await host.run(xlInterfaces()));
  const left = [...(given ?? [])];
  // An interface without an address in the configuration got a random one: it is the next one on its bridge.
  const known = new Set(guest.vifs.flatMap(({ mac }) => mac ?? []));
  const rows = guest.vifs.map(({ mac, bridge }): GuestInterfaceRow => {
    const at = left.findIndex((nic) =>
      mac === undefined
        ? !known.has(nic.mac) && (bridge === undefined || nic.bridge === bridge)
        : nic.mac === mac && (bridge === undefined || nic.bridge === bridge),
    );
    const [had] = at < 0 ? [] : left.splice(at, 1);
    return {
      ...present({ mac: mac ?? had?.mac, bridge: bridge ?? had?.bridge }),
      state: stateOf(given === undefined ? undefined : had !== undefined),
    };
  });
  const more = left.map(({ mac, bridge }) => ({
    ...present({ mac, bridge }),
    state: 'until stop' as const,
  }));
  return [...rows, ...more];
}

function stateOf(isGiven: boolean | undefined): Attachment {
  if (isGiven === undefined) return 'off';
  return isGiven ? 'attached' : 'next start';
}

function givenTo<T>({ id, ...domain }: Domain, all: ReadonlyMap<number, readonly T[]>): readonly T[] {
  const given = all.get(id);
  if (given === undefined)
    throw new RefusedError(
      `xl list -l does not show ${describe({ id, ...domain })}: bofh cannot tell what it has`,
      {
        remedy: 'run the command again when the guest runs: bofh vm list',
      },
    );
  return given;
}

/** Size and content of a device or a raw image. Nothing if it does not exist. */
async function measured(host: ReadHost, image: string): Promise<Pick<GuestDiskRow, 'size' | 'content'>> {
  const { path, stat } = await follow(host, image);
  if (stat?.kind !== 'block' && stat?.kind !== 'file') return {};
  const size = stat.kind === 'file' ? stat.size : await sizeOf(host, await deviceNode(host, path));
  if (size === 0) return { size };
  const content = stat.kind === 'file' ? await probeFile(host, path) : await recognise(host, path);
  return { size, ...present({ content: content?.type }) };
}
