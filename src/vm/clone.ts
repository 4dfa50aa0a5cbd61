import { randomUuid } from '../core/random.ts';
import type { ReadHost } from '../command/index.ts';
import { fillOptions, readRoot, type RootContent, type UnpackedFile } from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import { refusals } from '../core/refusals.ts';
import { textFile } from '../file/index.ts';
import { realPath } from '../mount/index.ts';
import { checkUuidChange } from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { domainOfGuest, guestIn } from './configured.ts';
import {
  type ConfigFile,
  type GuestConfig,
  offRemedy,
  stateWords,
  withItems,
  withSettings,
} from '../xen/index.ts';
import { grubConfig } from './boot.ts';
import { checkClashes, checkConfigPath, checkFreeMemory, checkVif, missingBoot } from './checks.ts';
import { exclusiveSettings, withSockets, withVifNames } from './channels.ts';
import { type ClonedVolume, clonedVolumes } from './clone-volumes.ts';
import { keysOf, sshOf } from './create.ts';
import {
  checkHostname,
  checkNetwork,
  type GuestNetwork,
  identityDirectories,
  identityFiles,
  type IdentityFiles,
  refuseWithoutServer,
} from './identity.ts';
import { randomMac, withMacs } from './mac.ts';
import { checkGuestName, configPath } from './names.ts';
import { disksOf } from './remove.ts';
import { newTarget, pathsOf } from './rename.ts';
import type { CheckedClone } from './request.ts';

/** Files of a root that name filesystems by their UUIDs. */
const withUuid: readonly string[] = ['etc/fstab', grubConfig];

/** Files of the root that are replaced by their changed content. */
const copied = new Set([...withUuid, 'etc/hosts']);

/** How a guest will be cloned. */
export interface ClonePlan {
  readonly name: string;
  readonly to: string;
  readonly volumes: readonly ClonedVolume[];
  readonly config: { readonly path: string; readonly content: string; readonly mode: number };
  readonly inside: IdentityFiles;
  /** The content of files of the root that contain UUIDs of filesystems; the keys are their paths. */
  readonly texts: ReadonlyMap<string, string>;
  readonly start: boolean;
  readonly ssh: string | undefined;
  /** Settings with devices or ports that only one of the two guests can use at a time. */
  readonly shared: readonly string[];
}

/** A guest that was cloned. */
export interface ClonedVm {
  readonly name: string;
  readonly config: string;
  readonly volumes: readonly { readonly was: string; readonly volume: string }[];
  readonly domid: number | undefined;
  /** How root logs in by SSH: `root@192.0.2.10`; undefined without a new key or a static address. */
  readonly ssh: string | undefined;
  /** Fingerprint of its SSH host key; undefined if its root has no OpenSSH server. */
  readonly hostKey: string | undefined;
  /**
   * Settings with devices or ports of this host that the original has too, for example `pci`: both
   * cannot run at once.
   */
  readonly shared: readonly string[];
}

/** Makes all checks before anything is done; lists every refusal at once. */
export async function planClone(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly to: string;
  readonly request: CheckedClone;
}): Promise<ClonePlan> {
  const { host, site, name, to, request } = options;
  checkGuestName(to);
  if (to === name) throw new UsageError(`${name} cannot be its own clone`, { remedy: 'choose another name' });
  const { guest, guests, problems } = await guestIn(host, { name, site });
  await refuseRunning(host, guest, to);
  const found = refusals();
  await found.try(() => checkClashes({ host, site, name: to, mac: undefined }));
  const path = await found.try(() => checkConfigPath(host, configPath(site, to)));
  const volumes = await found.try(async () =>
    clonedVolumes(host, { ...options, guest, ...(await disksOf(host, { guest, guests, problems })) }),
  );
  const macs = guest.vifs.map(({ mac }) => (mac === undefined ? undefined : randomMac()));
  const network = await found.try(() => networkOf({ guest, mac: macs[0], request, site }));
  if (request.hostname !== undefined) await found.try(() => checkHostname(request.hostname ?? ''));
  const sshKeys = await found.try(() => keysOf(host, request.sshKeys ?? []));
  for (const vif of guest.vifs) await found.try(() => checkVif(host, vif));
  if (request.start) await found.try(() => checkStart(host, { guest, request, to }));
  const root = volumes?.find(({ is }) => is === 'root');
  const content =
    root === undefined
      ? undefined
      : await found.try(async () => {
          const device = pathsOf(root, root.name)[0];
          await checkUuidChange(host, { device, type: 'ext4', seed: seedOf(guest) });
          return readRoot(host, {
            ...{ device, directories: [...identityDirectories, 'boot/grub'] },
            files: [...withUuid, 'etc/hosts', 'etc/hostname'],
          });
        });
  const inside = await found.try(() => {
    if (content === undefined) return undefined;
    if (request.sshKeys !== undefined) refuseWithoutServer(content.paths);
    return insideOf(content, { hostname: request.hostname ?? to, sshKeys: sshKeys ?? [], network });
  });
  const text = await found.try(async () => {
    const { content: old, mode } = await textFile(host, await realPath(host, guest.file));
    return { mode, content: configText(old, { guest, to, request, volumes: volumes ?? [], macs }) };
  });
  found.throwAll();
  if (path === undefined || volumes === undefined || inside === undefined || text === undefined)
    throw new TypeError('a refusal was not reported');
  const texts = new Map([...(content?.texts ?? [])].filter(([file]) => withUuid.includes(file)));
  const ssh = sshOf(sshKeys ?? [], network);
  const config = { path, ...text };
  const shared = exclusiveSettings({ text: Buffer.from(text.content), file: guest.file });
  return { name, to, volumes, config, inside, texts, start: request.start, ssh, shared };
}

/** Clones a guest. The undo removes the new volumes with everything in them. */
export async function cloneVm(tx: Tx, host: ReadHost, plan: ClonePlan): Promise<ClonedVm> {
  const { name, to, config, inside } = plan;
  const uuids = new Map<string, string>();
  let root: { readonly device: string; readonly uuid: string } | undefined;
  for (const volume of plan.volumes) {
    const { toVg: vg, to: lv, size, pool, is } = volume;
    const { path: device } = await tx.lvm.createLv({ vg, name: lv, size, ...present({ pool }) });
    const uuid = await fill(tx, volume, device);
    if (uuid !== undefined && volume.uuid !== undefined) uuids.set(volume.uuid, uuid);
    if (is === 'root' && uuid !== undefined) root = { device, uuid };
  }
  if (root === undefined) throw new TypeError(`the guest ${name} was planned without a root`);
  const { device, uuid: filesystem } = root;
  const mounted = await tx.temporary.mount.mount({ device, type: 'ext4', mode: 'rw', options: fillOptions });
  const texts = [...plan.texts].map(([path, text]) => ({
    ...{ path, content: withUuids(text, uuids), encoding: 'latin1' as const },
    mode: path === grubConfig ? 0o600 : 0o644,
  }));
  const files: UnpackedFile[] = [];
  // Keeps the mode of each old file: the fstab of a guest may contain a password.
  for (const file of [...inside.files, ...texts]) {
    const there = copied.has(file.path) ? await host.stat(`${mounted.path}/${file.path}`) : undefined;
    files.push({ ...file, ...(there?.kind === 'file' ? { mode: there.mode & 0o777 } : {}) });
  }
  await tx.copy.files({ root: mounted.path, device, filesystem, files, remove: inside.remove });
  await mounted.release();
  // The configuration may name the root to the kernel by its old UUID: root=UUID=….
  await tx.file.create({ ...config, content: withUuids(config.content, uuids) });
  const domain = plan.start ? await tx.xen.create({ config: config.path, name: to }) : undefined;
  return {
    ...{ name: to, config: config.path, domid: domain?.domid, ssh: plan.ssh, hostKey: inside.hostKey },
    shared: plan.shared,
    volumes: plan.volumes.map((volume) => ({
      was: `${volume.vg}/${volume.name}`,
      volume: `${volume.toVg}/${volume.to}`,
    })),
  };
}

/** Fills a new volume; returns the new UUID of its content, if it has one. */
async function fill(tx: Tx, volume: ClonedVolume, device: string): Promise<string | undefined> {
  if (volume.is === 'swap') return (await tx.filesystem.create({ device, type: 'swap' })).uuid;
  const [source] = pathsOf(volume, volume.name);
  await tx.copy.image({ source, format: 'raw', device });
  // An earlier check refused a guest with its own bootloader if a new UUID needs metadata_csum_seed.
  if (volume.is === 'root') return (await tx.filesystem.uuid({ device, seed: 'may be added' })).uuid;
  return undefined;
}

async function refuseRunning(host: ReadHost, guest: GuestConfig, to: string): Promise<void> {
  const { name } = guest;
  const running = await domainOfGuest(host, guest);
  if (running === undefined) return;
  throw new RefusedError(
    `${name} exists as domain ${running.id} (${stateWords[running.state]}): its disks would change during the copy`,
    {
      remedy: `${offRemedy(running, name)}; then bofh vm clone ${name} ${to}`,
    },
  );
}

/** Whether metadata_csum_seed may be added: the own bootloader of a guest may be too old for it. */
function seedOf({ kernel }: GuestConfig): 'may be added' | 'as it is' {
  return kernel === undefined ? 'as it is' : 'may be added';
}

function networkOf(of: {
  readonly guest: GuestConfig;
  readonly mac: string | undefined;
  readonly request: CheckedClone;
  readonly site: Site;
}): GuestNetwork | undefined {
  const { guest, mac, request, site } = of;
  const { ip } = request;
  if (ip !== undefined && mac === undefined)
    throw new UsageError(
      `${option('--ip', 'ip')} needs a network interface with a MAC address, and ${guest.name} has none`,
      { remedy: `write one into ${guest.file}: vif = ["mac=${randomMac()},bridge=…"]` },
    );
  const isStatic = ip !== undefined && [ip].flat().join() !== 'dhcp';
  return checkNetwork({
    ...{ ip, mac: mac ?? '', bridge: 'the one of the guest' },
    gateway: [request.gateway ?? (isStatic ? site.guestGateway : [])].flat(),
    dns: [request.dns ?? (isStatic ? site.guestDns : [])].flat(),
  });
}

async function checkStart(
  host: ReadHost,
  {
    guest,
    request,
    to,
  }: { readonly guest: GuestConfig; readonly request: CheckedClone; readonly to: string },
): Promise<void> {
  const missing = await missingBoot(host, guest);
  if (missing.length > 0)
    throw new RefusedError(`this host has no ${missing.join(' and no ')}, which ${guest.file} names`, {
      code: 'not-found',
      remedy: `correct kernel and ramdisk in ${guest.file}, or leave out ${option('--start', 'start')}`,
    });
  const { memory = guest.memoryMiB, vcpus = guest.vcpus } = request;
  const maxMemoryMiB = Math.max(memory, guest.maxMemoryMiB ?? memory);
  const maxVcpus = Math.max(vcpus, guest.maxVcpus ?? vcpus);
  const { type } = guest;
  await checkFreeMemory(host, { name: to, memoryMiB: memory, maxMemoryMiB, vcpus, maxVcpus, type });
}

function insideOf(
  { paths, texts }: RootContent,
  of: {
    readonly hostname: string;
    readonly sshKeys: readonly string[];
    readonly network: GuestNetwork | undefined;
  },
): IdentityFiles {
  const all = identityFiles({ ...of, timezone: undefined }, paths);
  const [hosts, old] = [texts.get('etc/hosts'), texts.get('etc/hostname')?.trim() ?? ''];
  if (hosts === undefined || old === '' || old === 'localhost') return all;
  const content = hosts.replaceAll(/[^\s#]+/g, (word) => (word === old ? of.hostname : word));
  const file = { path: 'etc/hosts', content, encoding: 'latin1', mode: 0o644 } as const;
  return { ...all, files: [...all.files, file] };
}

function withUuids(old: string, uuids: ReadonlyMap<string, string>): string {
  return [...uuids].reduce((text, [from, to]) => text.replaceAll(from, to), old);
}

function configText(
  text: string,
  of: {
    readonly guest: GuestConfig;
    readonly to: string;
    readonly request: CheckedClone;
    readonly volumes: readonly ClonedVolume[];
    readonly macs: readonly (string | undefined)[];
  },
): string {
  const { guest, to, request, volumes, macs } = of;
  const { file } = guest;
  const { memory, vcpus } = request;
  const settings = {
    ...{ name: to, uuid: randomUuid() },
    ...present({ memory, vcpus }),
    ...(memory !== undefined && memory > (guest.maxMemoryMiB ?? memory) ? { maxmem: memory } : {}),
    ...(vcpus !== undefined && vcpus > (guest.maxVcpus ?? vcpus) ? { maxvcpus: vcpus } : {}),
  };
  const named = withSettings({ text: Buffer.from(text), file }, settings);
  const apart = withSockets({ text: named, file }, { from: guest.name, to });
  const alone = withVifNames({ text: apart, file }, { from: guest.name, to });
  const moved = withItems({ text: alone, file }, 'disk', (item) => newTarget(item, volumes));
  const content = withAddress({ text: withMacs({ text: moved, file }, macs), file }, request.ip);
  const paths = guest.disks.map(({ path }) => path);
  const odd = volumes.find((volume) => !pathsOf(volume, volume.name).some((path) => paths.includes(path)));
  // A link such as /dev/disk/by-id/dm-name-… would still lead to the disk of the old guest.
  if (odd !== undefined)
    throw new RefusedError(`${file} names the volume ${odd.vg}/${odd.name} by another path`, {
      remedy: `write ${pathsOf(odd, odd.name)[0]} into ${file} instead; then run the command again`,
    });
  return content.toString('utf8');
}

/**
 * The vif-bridge script lets only the `ip` of an interface through: the first interface gets the new
 * addresses, or none with dhcp.
 */
function withAddress(config: ConfigFile, ip: CheckedClone['ip']): Buffer {
  const left = ip === undefined ? [] : [[ip].flat().map((each) => each.split('/')[0] ?? '')];
  return withItems(config, 'vif', (item) => {
    const own = left.shift()?.join(' ');
    const from = /(?<![^,\s])ip=[^,]*,|,\s*ip=[^,]*$/.exec(item)?.[0];
    if (own === undefined || from === undefined) return undefined;
    return { from, to: own === 'dhcp' ? '' : from.replace(/ip=[^,]*/, `ip=${own}`) };
  });
}
