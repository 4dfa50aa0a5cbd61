import { posix } from 'node:path';
import {
  type FileStat,
  follow,
  inShell,
  kindInWords,
  moveAway,
  orMissing,
  type ReadHost,
} from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { checkVgName, poolNamed, refuseFullPool, usableVg } from '../lvm/index.ts';
import { realPath } from '../mount/index.ts';
import type { Site } from '../site.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import {
  bridgeOf,
  domains,
  missingBridge,
  guestConfigs,
  memoryRefusal,
  type GuestConfig,
  type Vif,
} from '../xen/index.ts';

/** Kernel and ramdisk of the guest: from the request, else from the site file, else those of this host. */
export async function checkKernel(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly kernel?: string;
  readonly ramdisk?: string;
}): Promise<{ readonly kernel: string; readonly ramdisk: string }> {
  const { host, site } = options;
  if ((options.kernel === undefined) !== (options.ramdisk === undefined))
    throw new UsageError(
      `pass both ${option('--kernel', 'kernel')} and ${option('--ramdisk', 'ramdisk')}, or neither: a kernel needs the modules that were built with it`,
    );
  if (options.kernel === undefined && (site.guestKernel === undefined) !== (site.guestRamdisk === undefined))
    throw new UsageError('the site file sets only one of guestKernel and guestRamdisk: set both, or neither');
  const release = Buffer.from(await host.readFile('/proc/sys/kernel/osrelease'))
    .toString()
    .trim();
  const kernel = options.kernel ?? site.guestKernel ?? `/boot/vmlinuz-${release}`;
  const ramdisk = options.ramdisk ?? site.guestRamdisk ?? `/boot/initrd.img-${release}`;
  for (const path of [kernel, ramdisk])
    if ((await followed(host, path)) === undefined)
      throw new UsageError(`there is no file ${path}`, {
        code: 'not-found',
        remedy: `name existing files with ${option('--kernel', 'kernel')} and ${option('--ramdisk', 'ramdisk')}`,
      });
  return { kernel, ramdisk };
}

export function refuseWithoutGroup(name: string | undefined): asserts name is string {
  if (name === undefined)
    throw new UsageError(
      `no volume group given: use ${option('--vg', 'vg')}, or set volumeGroup in the site file`,
    );
}

/**
 * Checks that the volume group has enough free extents for all volumes together, and that their
 * names are free. Thin volumes need a pool that is not full: their size is virtual. `copies`: volumes that
 * exist beside them only for a while.
 */
export async function checkSpace(options: {
  readonly host: ReadHost;
  readonly vg: string | undefined;
  readonly wanted: readonly { readonly name: string; readonly size: Bytes }[];
  readonly copies?: readonly { readonly name: string; readonly size: Bytes }[];
  readonly pool: string | undefined;
}): Promise<void> {
  const { host, vg: name, copies = [], pool } = options;
  const wanted = [...options.wanted, ...copies];
  refuseWithoutGroup(name);
  checkVgName(name);
  const vg = await usableVg(host, name);
  const taken = vg.volumes.filter((lv) => wanted.some((each) => each.name === lv.name));
  if (taken.length > 0)
    throw new RefusedError(
      taken
        .map(
          (lv) =>
            `there is a logical volume ${lv.fullName} already (${formatSize(lv.size)}, uuid ${lv.uuid})`,
        )
        .join('; '),
      { code: 'exists', remedy: 'choose another name; see the volumes: bofh lvm list' },
    );
  if (pool !== undefined) {
    refuseFullPool(poolNamed(vg, { name: pool }), `the guest's disks`);
    return;
  }
  const extentsOf = (volumes: readonly { readonly size: Bytes }[]): number =>
    volumes.reduce((sum, each) => sum + Math.ceil(each.size / vg.extentSize), 0);
  const extents = extentsOf(wanted);
  if (extents <= vg.freeExtents) return;
  const brief =
    copies.length === 0
      ? ''
      : `: ${formatSize(extentsOf(copies) * vg.extentSize)} of that only while the image is copied`;
  throw new RefusedError(
    `the volume group ${name} has ${formatSize(vg.free)} free (${vg.freeExtents} extents), but ${formatSize(extents * vg.extentSize)} (${extents} extents) are needed${brief}`,
    {
      code: 'no-space',
      remedy: `request less, name another group with ${option('--vg', 'vg')}, or add a device: bofh lvm vg extend ${name} DEVICE`,
    },
  );
}

/**
 * Throws UsageError if two new volumes would have the same name: the second one would fail after
 * the first was filled.
 */
export function refuseSameName(wanted: readonly { readonly name: string }[], remedy: string): void {
  const twice = wanted.find(({ name }, at) => wanted.findIndex((each) => each.name === name) < at);
  if (twice !== undefined)
    throw new UsageError(`two disks of the guest would have the same volume ${twice.name}`, { remedy });
}

/** New volumes, for `checkSpace`, by their group and thin pool. */
export function byPlace<V extends { readonly vg: string; readonly pool?: string | undefined }>(
  volumes: readonly V[],
): readonly { readonly vg: string; readonly pool: string | undefined; readonly volumes: readonly V[] }[] {
  const places = new Map<string, { vg: string; pool: string | undefined; volumes: V[] }>();
  for (const volume of volumes) {
    const { vg, pool } = volume;
    const place = places.get(`${vg}/${pool ?? ''}`) ?? { vg, pool, volumes: [] };
    place.volumes.push(volume);
    places.set(`${vg}/${pool ?? ''}`, place);
  }
  return [...places.values()];
}

/** Throws RefusedError if the unpacked archive does not fit into the free part of a thin pool. */
export async function checkPoolRoom(
  host: ReadHost,
  { vg, pool, bytes }: { readonly vg: string; readonly pool: string; readonly bytes: Bytes },
): Promise<void> {
  const lv = poolNamed(await usableVg(host, vg), { name: pool });
  const free = Math.floor((lv.size * (100 - (lv.data ?? 0))) / 100);
  if (bytes < free) return;
  const mebibytes = Math.ceil(bytes / 1024 ** 2);
  throw new RefusedError(
    `the pool ${lv.fullName} has ${formatSize(free)} free, and the archive unpacks to ${formatSize(bytes)}`,
    { code: 'no-space', remedy: `bofh lvm pool resize ${lv.fullName} --size +${mebibytes}m` },
  );
}

/**
 * Checks that the directory of configurations exists, and that the name is free in it. Returns its path
 * without links. `keeps`: the guest cannot get another name.
 */
export async function checkConfigPath(host: ReadHost, configured: string, keeps = false): Promise<string> {
  const directory = posix.dirname(configured);
  const kind = await kindOf(host, directory);
  if (kind !== 'directory')
    throw new RefusedError(
      kind === undefined
        ? `there is no directory ${directory}`
        : `${directory} is a ${kind}, not a directory`,
      {
        remedy: `${kind === undefined ? `create it: mkdir --parents ${inShell(directory)}; or set` : 'set'} guestConfigDirs in the site file to another directory`,
      },
    );
  const path = posix.join(await realPath(host, directory), posix.basename(configured));
  const there = await host.stat(path);
  if (there !== undefined)
    throw new RefusedError(`${path} exists already: there is ${kindInWords(there)} of that name`, {
      code: 'exists',
      remedy: `${moveAway(path)}${keeps ? '' : '; or choose another name'}`,
    });
  return path;
}

/**
 * Throws RefusedError if another guest, configured or running, has the name or the MAC address. An unreadable
 * configuration could contain it, so it is refused too.
 */
export async function checkClashes(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly mac: string | undefined;
  /** The configuration file of this guest itself, which does not count. */
  readonly own?: string | undefined;
  /** The guest keeps its name and addresses: no remedy offers others. */
  readonly keeps?: boolean;
}): Promise<void> {
  const { host, site, name, mac, own, keeps = false } = options;
  const [running] = await domains(host, (domain) => domain.name === name);
  if (running !== undefined)
    throw new RefusedError(
      `there is a domain ${name} already (id ${running.id}, uuid ${running.uuid}, ${running.state})`,
      {
        code: 'exists',
        remedy: keeps
          ? `see which guest it is: bofh vm show ${name}`
          : 'choose another name; see the guests: bofh vm list',
      },
    );
  const { guests: all, problems } = await guestConfigs(host, site.guestConfigDirs);
  const guests = all.filter(({ file }) => file !== own);
  refuseUnread(problems, 'whether it has the same name or address');
  const sameName = guests.find((guest) => guest.name === name);
  if (sameName !== undefined)
    throw new RefusedError(`the guest ${name} is configured already, in ${sameName.file}`, {
      code: 'exists',
      remedy: keeps
        ? `if that is an old configuration of the same guest, move it away: mv ${inShell(sameName.file)} ${inShell(`${sameName.file}.old`)}`
        : `choose another name, or remove that guest: bofh vm remove ${name}`,
    });
  if (mac !== undefined) refuseUsedMac(guests, mac, keeps);
}

/** Throws UsageError for a MAC address that no interface can have, or `withoutBridge`. */
export function checkMac(mac: string, withoutBridge: boolean): void {
  if (withoutBridge)
    throw new UsageError(
      `${option('--mac', 'mac')} needs ${option('--bridge', 'bridge')}: without one the guest has no network interface`,
    );
  const first = Number.parseInt(mac.slice(0, 2), 16);
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac))
    throw new UsageError(
      `${option('--mac', 'mac')} ${mac}: must be six pairs of hexadecimal digits, such as 00:16:3e:12:34:56`,
    );
  if ((first & 1) === 1)
    throw new UsageError(
      `${option('--mac', 'mac')} ${mac} is a multicast address, which no interface can have`,
    );
}

/** Throws RefusedError if one of the guests has the MAC address. */
export function refuseUsedMac(guests: readonly GuestConfig[], mac: string, keeps = false): void {
  const used = guests.find((guest) => guest.vifs.some((vif) => vif.mac === mac));
  if (used !== undefined)
    throw new RefusedError(`the MAC address ${mac} belongs to ${used.name} (${used.file})`, {
      remedy: keeps
        ? `write another MAC address into ${used.file}; ${used.name} gets it at its next start`
        : `choose another MAC address, or leave ${option('--mac', 'mac')} out`,
    });
}

/**
 * Throws if a configuration could not be read: it may belong to any guest. `what`: the fact that is unknown
 * because of this.
 */
export function refuseUnread(problems: readonly { readonly message: string }[], what: string): void {
  if (problems.length === 0) return;
  throw new RefusedError(`bofh cannot check ${what}: ${problems.map(({ message }) => message).join('; ')}`, {
    remedy: 'correct that file, or move it out of the directory',
  });
}

/** Throws unless the kernel reports a network interface of this name that is a bridge. */
async function checkBridge(host: ReadHost, bridge: string): Promise<void> {
  // IFNAMSIZ of linux/if.h is 16, with the ending NUL.
  if (!/^[^\s/:]{1,15}$/.test(bridge) || bridge === '.' || bridge === '..')
    throw new UsageError(`"${bridge}" cannot be the name of a network interface`);
  if ((await host.stat(`/sys/class/net/${bridge}/bridge`))?.kind === 'directory') return;
  const there = (await host.stat(`/sys/class/net/${bridge}`)) !== undefined;
  throw new RefusedError(
    there ? `${bridge} is a network interface, but not a bridge` : `there is no bridge ${bridge}`,
    { remedy: 'name an existing bridge: bofh network list' },
  );
}

/**
 * Checks that the bridge of a network interface exists. Does not check an interface whose script is not one
 * of Xen.
 */
export async function checkVif(host: ReadHost, vif: Vif): Promise<void> {
  const found = await bridgeOf(host, vif);
  if (found?.kind === 'linux') {
    await checkBridge(host, found.bridge);
    return;
  }
  // The specification of an interface has commas.
  if (/[\s,'"\\]/.test(vif.bridge ?? ''))
    throw new UsageError(`"${vif.bridge ?? ''}" cannot be the name of a bridge`);
  const missing = await missingBridge(host, vif);
  if (missing !== undefined)
    throw new RefusedError(missing, {
      code: 'not-found',
      remedy: 'name an existing bridge: ovs-vsctl list-br',
    });
}

/**
 * Checks that there is enough memory for one more guest, as libxl counts it.
 *
 * @param otherwise - The remedy besides the shutdown of another guest (default: the option for its memory).
 */
export async function checkFreeMemory(
  host: ReadHost,
  guest: Pick<GuestConfig, 'name' | 'memoryMiB' | 'maxMemoryMiB' | 'vcpus' | 'maxVcpus' | 'type'>,
  otherwise = `give it less memory (${option('--memory', 'memory')})`,
): Promise<void> {
  const refusal = await memoryRefusal(host, guest);
  if (refusal !== undefined)
    throw new RefusedError(refusal, {
      remedy: `${otherwise}, or shut down another guest; see the guests: bofh vm list`,
    });
}

/** The kind of the file at a path; follows links. */
async function kindOf(host: ReadHost, path: string): Promise<FileStat['kind'] | undefined> {
  const real = await orMissing(realPath(host, path));
  return real === undefined ? undefined : (await host.stat(real))?.kind;
}

/** Kernel and ramdisk of a configuration that this host does not have. */
export async function missingBoot(
  host: ReadHost,
  { kernel, ramdisk }: { readonly kernel?: string; readonly ramdisk?: string },
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const each of [kernel, ramdisk])
    if (each !== undefined && (await followed(host, each)) === undefined) missing.push(each);
  return missing;
}

/** The path of the regular file to which links lead. Throws RefusedError for a circle of links. */
export async function followed(host: ReadHost, path: string): Promise<string | undefined> {
  const { path: at, stat } = await follow(host, path);
  return stat?.kind === 'file' ? at : undefined;
}
