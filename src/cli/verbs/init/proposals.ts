import { posix } from 'node:path';
import type { ReadHost } from '../../../command/index.ts';
import { CommandError, ToolError, UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { usableVg, type VolumeGroup, vgs } from '../../../lvm/index.ts';
import { type Interface, interfaces } from '../../../network/index.ts';
import { defaultSite, parseSite, type SiteSettings } from '../../../site.ts';
import { ramdiskNames } from '../../../vm/boot.ts';
import { checkKernel, checkVif, followed } from '../../../vm/checks.ts';
import { domains, guestConfigs } from '../../../xen/index.ts';

type Setting = 'volumeGroup' | 'guestConfigDirs' | 'guestKernel' | 'guestRamdisk' | 'bridge';

/** A value for a setting, from the state of the host. */
export interface Proposal {
  /** The setting, and one that follows from it. */
  readonly settings: readonly [Setting, ...Setting[]];
  /** The reason: the state of the host. */
  readonly why: string;
  /** Undefined if the host gives no value, or if the default is right. */
  readonly value: string | undefined;
  /** Checks a value on the host. Throws UsageError or RefusedError. */
  readonly read: (value: string) => Promise<SiteSettings>;
}

/**
 * Reads the proposals from the host. A missing program becomes the reason of its proposal; throws other
 * failures.
 */
export async function proposals(host: ReadHost): Promise<readonly Proposal[]> {
  return [await group(host), await configDirs(host), await kernel(host), await bridge(host)];
}

async function group(host: ReadHost): Promise<Proposal> {
  const read = async (name: string) => ({ volumeGroup: (await usableVg(host, name)).name });
  const all = await ifInstalled(vgs(host));
  const of = (why: string, value?: string): Proposal => ({ settings: ['volumeGroup'], why, value, read });
  if (typeof all === 'string') return of(all);
  const usable = all.filter(({ exported, partial, writable }) => !exported && !partial && writable);
  const [only, ...more] = usable;
  if (only === undefined)
    return of(
      all.length === 0
        ? 'there is no volume group'
        : `no volume group can be used; see the state of ${namesOf(all)}: bofh lvm vg list`,
    );
  if (more.length > 0) return of(`several volume groups can be used: ${usable.map(room).join(', ')}`);
  return of(`the only volume group that can be used: ${room(only)}`, only.name);
}

function room({ name, free, size }: VolumeGroup): string {
  return `${name} (${formatSize(free)} of ${formatSize(size)} free)`;
}

async function configDirs(host: ReadHost): Promise<Proposal> {
  const read = async (value: string): Promise<SiteSettings> => {
    const guestConfigDirs = value.split(',').map((each) => each.trim());
    parseSite({ guestConfigDirs }, value);
    for (const each of guestConfigDirs)
      if ((await host.stat(each))?.kind !== 'directory')
        throw new UsageError(`there is no directory ${each}`, { code: 'not-found' });
    return { guestConfigDirs };
  };
  const of = (why: string, value?: string): Proposal => ({ settings: ['guestConfigDirs'], why, value, read });
  const xl = await ifInstalled(domains(host)).catch((error: unknown) => {
    if (error instanceof CommandError) return [];
    throw error;
  });
  if (typeof xl === 'string') return of(xl);
  const [main = ''] = defaultSite.guestConfigDirs;
  if ((await host.stat(main)) === undefined) return of(`there is no directory ${main}`);
  let dirs = [main];
  let found = await guestConfigs(host, dirs);
  for (const name of await host.readDir(main)) {
    const dir = posix.join(main, name);
    if ((await host.stat(dir))?.kind !== 'directory') continue;
    // /etc/xen/auto contains only links to guests that are already known.
    const wider = await guestConfigs(host, [...dirs, dir]);
    if (wider.guests.length > found.guests.length) [dirs, found] = [[...dirs, dir], wider];
  }
  const unread = found.problems.length;
  return of(
    `${counted(found.guests.length, 'guest')} configured there${unread === 0 ? '' : `, and ${counted(unread, 'file')} that bofh cannot read; see them: bofh xen list`}`,
    dirs.join(','),
  );
}

async function kernel(host: ReadHost): Promise<Proposal> {
  const ramdiskOf = async (path: string): Promise<string | undefined> => {
    const version = posix.basename(path).replace(/^vmlinu[xz]-/, '');
    for (const name of ramdiskNames(version)) {
      const ramdisk = posix.join(posix.dirname(path), name);
      if ((await followed(host, ramdisk)) !== undefined) return ramdisk;
    }
    return undefined;
  };
  const read = async (guestKernel: string): Promise<SiteSettings> => {
    parseSite({ guestKernel }, guestKernel);
    const guestRamdisk = await ramdiskOf(guestKernel);
    if (guestRamdisk === undefined)
      throw new UsageError(`${guestKernel} has no ramdisk in its directory (initrd.img-VERSION)`);
    await checkKernel({ host, site: defaultSite, kernel: guestKernel, ramdisk: guestRamdisk });
    return { guestKernel, guestRamdisk };
  };
  const of = (why: string, value?: string): Proposal => ({
    settings: ['guestKernel', 'guestRamdisk'],
    ...{ why, value, read },
  });
  const names = (await host.stat('/boot')) === undefined ? [] : await host.readDir('/boot');
  const paths = names.filter((name) => /^vmlinu[xz]-[\w.+~-]+$/.test(name)).map((name) => `/boot/${name}`);
  const complete: string[] = [];
  for (const path of paths) if ((await ramdiskOf(path)) !== undefined) complete.push(path);
  const newest = complete.toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  try {
    const running = await checkKernel({ host, site: defaultSite });
    const others = newest.filter((path) => path !== running.kernel);
    const also = others.length === 0 ? '' : `; there are also ${others.join(', ')}`;
    return of(`without it a guest boots ${running.kernel}, which this host runs${also}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [best] = newest;
    return best === undefined
      ? of(`${error.message}, and no other kernel with its ramdisk in /boot`)
      : of(`${error.message}; the newest kernel with its ramdisk: ${best}`, best);
  }
}

/** The bridges that Docker, podman and CNI create for their containers. */
const ofContainers = /^(?:docker\d+|br-[0-9a-f]{12}|podman\d+|cni(?:-podman)?\d+)$/;

async function bridge(host: ReadHost): Promise<Proposal> {
  const read = async (name: string): Promise<SiteSettings> => {
    await checkVif(host, { bridge: name });
    return { bridge: name };
  };
  const of = (why: string, value?: string): Proposal => ({ settings: ['bridge'], why, value, read });
  const all = await ifInstalled(interfaces(host));
  if (typeof all === 'string') return of(all);
  const every = all.filter(({ kind }) => kind === 'bridge');
  const bridges = every.filter(({ name }) => !ofContainers.test(name));
  const [only, ...more] = bridges;
  if (only === undefined)
    return of(
      all.some(({ kind }) => kind === 'openvswitch')
        ? 'there are only bridges of Open vSwitch; xl uses them with vif.default.script="vif-openvswitch" in /etc/xen/xl.conf'
        : every.length === 0
          ? 'there is no bridge'
          : `there are only bridges of containers: ${every.map(({ name }) => name).join(', ')}`,
    );
  if (more.length === 0) return of(`the only bridge: ${withPorts(only)}`, only.name);
  const outside = bridges.filter(({ name }) => all.some((each) => each.master === name && leadsOut(each)));
  const [outer, ...others] = outside;
  const there = `there are several bridges: ${bridges.map(withPorts).join(', ')}`;
  if (outer === undefined || others.length > 0) return of(there);
  return of(`${there}; only ${outer.name} has a port that leads out of the host`, outer.name);
}

/**
 * Whether an interface leads to the network: a network card, alone or in a bond or VLAN. Guests and
 * containers have other kinds of ports.
 */
function leadsOut({ kind }: Interface): boolean {
  return ['hardware', 'bond', 'vlan'].includes(kind);
}

function withPorts({ name, ports }: Interface): string {
  return `${name} (${ports.length === 0 ? 'no port' : ports.join(', ')})`;
}

const directories = ['/srv', '/srv/images', '/var/lib/images', '/var/lib/libvirt/images'];

/** Archives and images for new guests, in the form for `bofh vm create --source`. */
export async function sources(host: ReadHost): Promise<readonly string[]> {
  const found: string[] = [];
  for (const dir of directories) {
    if ((await host.stat(dir))?.kind !== 'directory') continue;
    for (const name of await host.readDir(dir)) {
      const type = /^[\w.+-]+\.(?:(?<tar>tar|tar\.\w+|tgz)|raw|img|qcow2)$/.exec(name);
      if (type === null || (await followed(host, posix.join(dir, name))) === undefined) continue;
      found.push(`${type.groups?.tar === undefined ? 'image' : 'tar'}:${posix.join(dir, name)}`);
    }
  }
  return found;
}

/** The result of a read, or the message that its program is missing. */
async function ifInstalled<T>(reading: Promise<T>): Promise<T | string> {
  return await reading.catch((error: unknown) => {
    if (error instanceof ToolError) return `${error.message.replace(/ \(.*/, '')}: ${error.remedy ?? ''}`;
    throw error;
  });
}

function namesOf(all: readonly { readonly name: string }[]): string {
  return all.map(({ name }) => name).join(', ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
