import type { Engine } from '../atomic/engine.ts';
import { follow, type ReadHost } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { randomUuid } from '../core/random.ts';
import { checkRoom } from '../filesystem/index.ts';
import { checkLvName } from '../lvm/index.ts';
import type { Tx } from '../operations.ts';
import type { Members, Reachable } from '../replica/hosts.ts';
import type { Site } from '../site.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { publicKeys } from '../core/public-key.ts';
import { checkHostname, checkNetwork, type GuestNetwork } from './identity.ts';
import { fillRoot, measureSource, planSource, type RootSource } from './root-source.ts';
import { guestConfig, parseConfig, writeConfig } from '../xen/index.ts';
import { refusals } from '../core/refusals.ts';
import type { CheckedCreate } from './create-request.ts';
import { withBase } from './bases.ts';
import { bootSettings } from './boot.ts';
import { refuseUnsafeScript } from '../copy/index.ts';
import {
  checkClashes,
  checkConfigPath,
  checkFreeMemory,
  checkMac,
  checkVif,
  followed,
  refuseSameName,
} from './checks.ts';
import { type DataDisk, makeFilesystems } from './data-disks.ts';
import { planLuks } from './disk-luks.ts';
import { createDisk, type DiskPlan, planReplicas, planVolumes } from './disks.ts';
import { downloadImage } from './images.ts';
import { type Roles, roleScripts } from './roles.ts';
import { autostartPath } from './autostart.ts';
import { randomMac } from './mac.ts';
import { checkGuestName, configPath, diskNames } from './names.ts';

/** A request with the size of its root. */
type SizedCreate = CheckedCreate & { readonly size: Bytes };

/** A checked request, with defaults filled in. */
export interface CreatePlan {
  readonly name: string;
  /** Undefined: its disk is blank. */
  readonly source: RootSource | undefined;
  readonly vg: string;
  readonly root: DiskPlan;
  readonly swap: DiskPlan | undefined;
  readonly data: readonly (DataDisk & { readonly disk: DiskPlan })[];
  /** The other host of its replicated disks. */
  readonly peer: string | undefined;
  readonly config: { readonly path: string; readonly content: string };
  /** The link that starts it at boot; undefined: it does not start at boot. */
  readonly autostart: string | undefined;
  readonly roles: Roles;
  readonly start: boolean;
  /** How root logs in by SSH, `root@192.0.2.10`; undefined without a key or a static address. */
  readonly ssh: string | undefined;
}

/** A guest that was created. */
export interface CreatedVm {
  readonly name: string;
  readonly config: string;
  readonly root: string;
  readonly swap: string | undefined;
  /** Its data disks. */
  readonly disks: readonly (Omit<DataDisk, 'size' | 'luks'> & {
    readonly device: string;
    /** UUID of its LUKS header; undefined: it is not encrypted. */
    readonly luks: string | undefined;
  })[];
  /** Whether its root can open encrypted disks at boot; undefined if it has none, or if its disk is blank. */
  readonly opensLuks: boolean | undefined;
  /** The other host of its replicated disks, by its `uname -n`. */
  readonly peer: string | undefined;
  readonly domid: number | undefined;
  /** How root logs in by SSH: `root@192.0.2.10`; undefined without a key or a static address. */
  readonly ssh: string | undefined;
  /** Fingerprint of its SSH host key; undefined if its root has no OpenSSH server. */
  readonly hostKey: string | undefined;
  /** The archive or image from which its root was filled; undefined if its disk is blank, or if the guest already existed. */
  readonly source: string | undefined;
  /** Number of the partition of the image from which it was filled; undefined for the whole image. */
  readonly partition: number | undefined;
  /** Mount points of the EFI system partition of the image, which the guest does not have. */
  readonly dropped: readonly string[];
  /** Mount points of other partitions of the image, whose files are in the root of the guest. */
  readonly merged: readonly string[];
}

/**
 * Makes all checks before anything is done, and fills in defaults. Throws one error that lists
 * every refusal.
 */
export async function planCreate(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly request: CheckedCreate;
  /** The hosts of replicated disks, if any. */
  readonly disksOn?: Members | undefined;
  readonly onProgress?: Engine['onProgress'];
  /** Aborts a download. */
  readonly signal?: AbortSignal | undefined;
}): Promise<CreatePlan> {
  const { host, site, disksOn } = options;
  const { name } = options.request;
  // With an invalid name no other check makes sense.
  checkGuestName(name);
  const { source: asked } = options.request;
  if (asked.type === 'https') {
    await checkClashes({ host, site, name, mac: undefined });
    await downloadImage(host, asked, options);
  }
  const from = await withBase(host, options.request);
  const { size, copies } = await measureSource(host, from);
  const request = { ...from, size };
  const names = diskNames(site, name);
  const vg = request.vg ?? site.volumeGroup;
  const mac = request.mac?.toLowerCase() ?? randomMac();
  const bridge = request.bridge ?? site.bridge;
  const found = refusals();
  const network = await found.try(() => networkOf({ request, site, mac, bridge }));
  if (request.hostname !== undefined) await found.try(() => checkHostname(request.hostname ?? ''));
  const sshKeys = await found.try(() => keysOf(host, request.sshKeys ?? site.guestSshKeys));
  const boot = await found.try(() => bootSettings(host, { site, request }));
  const dataDisks = await found.try(() => planLuks(host, request.disks ?? [], request.memory));
  const { cdrom } = request;
  if (cdrom !== undefined) await found.try(() => checkCdrom(host, cdrom));
  await found.try(() => checkNumbers(request));
  await found.try(() => checkMac(mac, request.mac !== undefined && bridge === undefined));
  const wanted = lvs(names, request);
  for (const each of [...wanted, ...copies])
    if (vg !== undefined) await found.try(() => checkLvName(vg, each.name));
  // The site's patterns for root and swap may give the same name.
  await found.try(() => refuseSameName([...wanted, ...copies], 'choose another name for the data disk'));
  const disks = await found.try(() =>
    disksOn === undefined
      ? planVolumes({ host, vg, wanted, copies, pool: request.thin })
      : planReplicas(disksOn, { site, request, wanted, found }),
  );
  const path = await found.try(() => checkConfigPath(host, configPath(site, name)));
  const autostart = request.autostart === true ? await found.try(() => autostartPath(host, name)) : undefined;
  await found.try(() => checkClashes({ host, site, name, mac: bridge === undefined ? undefined : mac }));
  if (bridge !== undefined) await found.try(() => checkVif(host, { bridge }));
  const { hostname = name, timezone } = request;
  const identity = { hostname, sshKeys: sshKeys ?? [], network, timezone };
  const { source: filled } = request;
  const source =
    filled.type === 'blank'
      ? undefined
      : await found.try(() => planSource(host, { request: { ...request, source: filled }, vg, identity }));
  const roles = await found.try(() => roleScripts(host, { site, roles: request.roles ?? [] }));
  const { provision } = request;
  if (provision !== undefined) await found.try(() => refuseUnsafeScript(host, provision, 'description'));
  if (request.start)
    await found.try(() =>
      checkFreeMemory(host, {
        name,
        memoryMiB: mebibytes(request.memory),
        vcpus: request.vcpus,
        type: request.type,
      }),
    );
  found.throwAll();
  const [root, ...others] = disks ?? [];
  const swap = request.swap > 0 ? others.shift() : undefined;
  const data = (dataDisks ?? []).flatMap((each, at) => {
    const disk = others[at];
    return disk === undefined ? [] : [{ ...each, disk }];
  });
  if (
    root === undefined ||
    vg === undefined ||
    boot === undefined ||
    path === undefined ||
    (source === undefined && filled.type !== 'blank')
  )
    throw new TypeError('a refusal was not reported');
  return {
    name,
    source,
    vg,
    root,
    swap,
    data,
    peer: disksOn?.[1].name,
    config: { path, content: configText({ request, boot, mac, bridge, disks: disks ?? [] }) },
    autostart,
    roles: {
      scripts: roles ?? [],
      description: provision,
      environment: { NAME: name, ADDRESS: addressOf(network) ?? '' },
      seconds: (request.roleTimeoutMs ?? 600_000) / 1000,
    },
    start: request.start,
    ssh: sshOf(sshKeys ?? [], network),
  };
}

/** The guest that a request creates, without a check of the free space of the host. */
export async function describeGuest(
  host: ReadHost,
  { site, request }: { readonly site: Site; readonly request: CheckedCreate },
) {
  checkGuestName(request.name);
  const sized = {
    ...request,
    size: request.size ?? (await measureSource(host, await withBase(host, request))).size,
  };
  const wanted = lvs(diskNames(site, request.name), sized);
  const vg = request.vg ?? site.volumeGroup;
  const mac = request.mac?.toLowerCase() ?? randomMac();
  const bridge = request.bridge ?? site.bridge;
  const boot = await bootSettings(host, { site, request });
  const disks = wanted.map(({ name }) => ({ path: `/dev/${vg ?? ''}/${name}` }));
  const sshKeys = await keysOf(host, request.sshKeys ?? site.guestSshKeys);
  return {
    ...{ vg, wanted, data: request.disks ?? [] },
    text: configText({ request, boot, mac, bridge, disks }),
    ssh: sshOf(sshKeys, networkOf({ request, site, mac, bridge })),
  };
}

function networkOf({
  request,
  site,
  mac,
  bridge,
}: {
  readonly request: CheckedCreate;
  readonly site: Site;
  readonly mac: string;
  readonly bridge: string | undefined;
}): GuestNetwork | undefined {
  const { ip } = request;
  // The gateways and name servers of the site are for a static address.
  const isStatic = ip !== undefined && [ip].flat().join() !== 'dhcp';
  return checkNetwork({
    ip,
    mac,
    bridge,
    gateway: [request.gateway ?? (isStatic ? site.guestGateway : [])].flat(),
    dns: [request.dns ?? (isStatic ? site.guestDns : [])].flat(),
  });
}

/** The lines of `authorized_keys` for these keys; each is a key or a file of keys. */
export async function keysOf(host: ReadHost, keys: readonly string[]): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const [at, key] of keys.entries())
    if (key.startsWith('/')) {
      if ((await follow(host, key)).stat?.kind !== 'file')
        throw new UsageError(`there is no file ${key}`, { code: 'not-found' });
      lines.push(...publicKeys(Buffer.from(await host.readFile(key)).toString('latin1'), key));
    } else lines.push(...publicKeys(key, `${option('--ssh-key', 'sshKeys')} ${String(at + 1)}`));
  return [...new Set(lines)];
}

export function sshOf(keys: readonly string[], network: GuestNetwork | undefined): string | undefined {
  const address = addressOf(network);
  return keys.length === 0 || address === undefined ? undefined : `root@${address}`;
}

function addressOf(network: GuestNetwork | undefined): string | undefined {
  return network === undefined || network.ip === 'dhcp' ? undefined : network.ip[0]?.split('/')[0];
}

/** Creates the guest. If any step fails, all of them are undone, newest first. */
export async function createVm(tx: Tx, plan: CreatePlan, hosts?: Reachable): Promise<CreatedVm> {
  const { vg, name, peer } = plan;
  const root = await createDisk(tx, { vg, disk: plan.root, hosts });
  const swap = plan.swap === undefined ? undefined : await createDisk(tx, { vg, disk: plan.swap, hosts });
  const data: (CreatePlan['data'][number] & { readonly device: string })[] = [];
  for (const each of plan.data)
    data.push({ ...each, device: await createDisk(tx, { vg, disk: each.disk, hosts }) });
  let open: Awaited<ReturnType<typeof makeFilesystems>>['open'] = new Map();
  const filesOf = async (uuid: string | undefined, crypttab = '') => {
    const made = await makeFilesystems(tx, { root: uuid, swap, data, crypttab });
    open = made.open;
    return made;
  };
  const { source, roles } = plan;
  if (source?.type === 'disk')
    await tx.copy.image({ source: source.path, format: source.format, device: root });
  const isWhole = source === undefined || source.type === 'disk';
  if (isWhole) await filesOf(undefined);
  const inside = isWhole ? undefined : await fillRoot(tx, { source, device: root, roles, filesOf });
  // A guest cannot start while its disk is open here.
  for (const { name: mapping, key } of open.values()) await tx.crypt.close({ name: mapping, key });
  const disks = data.map(({ disk: _, size: __, luks: ___, ...each }) => ({
    ...each,
    luks: open.get(each.name)?.uuid,
  }));
  await tx.file.create({ path: plan.config.path, content: plan.config.content, mode: 0o644 });
  if (plan.autostart !== undefined) await tx.file.link({ path: plan.autostart, to: plan.config.path });
  const domain = plan.start ? await tx.xen.create({ config: plan.config.path, name }) : undefined;
  const reached = { domid: domain?.domid, ssh: plan.ssh, hostKey: inside?.hostKey };
  const { path, partition } = { path: undefined, partition: undefined, ...source };
  const { dropped = [], merged = [] } = inside ?? {};
  const from = {
    source: path,
    partition,
    dropped,
    merged,
    opensLuks: open.size === 0 ? undefined : inside?.opensLuks,
  };
  return { name, config: plan.config.path, root, swap, disks, peer, ...reached, ...from };
}

function lvs(names: { readonly root: string; readonly swap: string }, request: SizedCreate) {
  const { name, size, swap, disks = [], source, type } = request;
  return [
    // Nothing else overwrites what a blank volume had before, or the part of it that a smaller image leaves.
    { name: names.root, size, ...(source.type === 'blank' || type === 'hvm' ? { zeros: true } : {}) },
    ...(swap > 0 ? [{ name: names.swap, size: swap }] : []),
    ...disks.map((each) => ({ name: `${name}-${each.name}`, size: each.size, zeros: true })),
  ];
}

function checkNumbers({ vcpus, memory, size, source, type }: SizedCreate): void {
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > 512)
    throw new UsageError(`${option('--vcpus', 'vcpus')} ${vcpus}: a whole number from 1 to 512`);
  if (memory < 16 * 1024 ** 2)
    throw new UsageError(
      `${option('--memory', 'memory')} ${formatSize(memory)}: a guest needs at least 16 MiB`,
    );
  if (source.type !== 'blank' && type !== 'hvm')
    checkRoom(option('--size', 'size'), 'ext4', size, { remedy: 'request a larger size' });
}

function configText(options: {
  readonly request: CheckedCreate;
  readonly boot: Awaited<ReturnType<typeof bootSettings>>;
  readonly mac: string;
  readonly bridge: string | undefined;
  readonly disks: readonly Pick<DiskPlan, 'path'>[];
}): string {
  const { request, boot, mac, bridge, disks } = options;
  const disk = disks.map(({ path }, at) => `phy:${path},${diskName(request.type, at)},w`);
  if (request.cdrom !== undefined)
    disk.push(`format=raw,vdev=hdc,access=ro,devtype=cdrom,target=${request.cdrom}`);
  const written = writeConfig({
    name: request.name,
    uuid: randomUuid(),
    type: request.type,
    ...boot,
    memory: mebibytes(request.memory),
    vcpus: request.vcpus,
    disk,
    ...(bridge === undefined ? {} : { vif: [`mac=${mac},bridge=${bridge}`] }),
  });
  const text = [written, ...(request.extra ?? []).map((line) => `${line}\n`)].join('');
  guestConfig(parseConfig({ text, file: `the configuration of ${request.name}` }));
  return text;
}

/** The name of a disk in its guest: an HVM guest has four IDE disks, of which hdc is its CD-ROM drive. */
function diskName(type: CheckedCreate['type'], at: number): string {
  const letter = String.fromCharCode(97 + (type === 'hvm' && at >= 2 ? at + 1 : at));
  return `${type === 'hvm' && letter < 'e' ? 'hd' : 'xvd'}${letter}`;
}

/** Throws UsageError unless there is a file, which xl can read. */
async function checkCdrom(host: ReadHost, path: string): Promise<void> {
  if ((await followed(host, path)) === undefined)
    throw new UsageError(`${option('--cdrom', 'cdrom')}: there is no file ${path}`, { code: 'not-found' });
}

export function mebibytes(size: Bytes): number {
  return Math.ceil(size / 1024 ** 2);
}
