import * as z from 'zod/mini';
import { holders, refuseHeld } from '../blockdevice/index.ts';
import { follow, inShell, kindInWords, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import { parsed, sizeOption, text } from '../core/request.ts';
import type { Bytes } from '../core/units.ts';
import { resources } from '../drbd/index.ts';
import { sha256 } from '../file/index.ts';
import { checkLvName, lvs } from '../lvm/index.ts';
import { refuseRemoval } from '../lvm/operations/remove-lv.ts';
import { realPath } from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import {
  type ConfigFile,
  describe,
  type Disk,
  type Domain,
  guestConfig,
  guestsWithDisk,
  type GuestConfig,
  parseConfig,
  domainRemedy,
  offRemedy,
  withItem,
  withoutItem,
  xlDisks,
} from '../xen/index.ts';
import { configured } from './configured.ts';
import { checkDisks, type DataDisk } from './data-disks.ts';
import { diskLuks, makeLuks, planLuks } from './disk-luks.ts';
import {
  addToFstab,
  type FstabPlan,
  type FstabRemoval,
  planFstab,
  planFstabRemoval,
  removeFromFstab,
} from './guest-fstab.ts';
import { createDisk, type DiskPlan, planVolumes } from './disks.ts';
import { diskNamed, resourceNameOf, rootOf, wordsOf } from './guest-file.ts';
import { disksOf, type RemovePlan, volumeOf } from './remove.ts';
import { isReplicated } from './replicas.ts';
import { refuseSnapshots, refuseThose } from './snapshot-files.ts';
import { snapshotsIn } from './snapshots.ts';
import { minorAt, resourceAt } from './start.ts';

const diskSchema = z.strictObject({
  /** Its size, in bytes or as text: `20g`. */
  size: sizeOption,
  /** Its filesystem (default: ext4). */
  fs: z._default(z.enum(['ext4', 'xfs', 'btrfs']), 'ext4'),
  /**
   * The directory on which the guest mounts the disk, as a line in its /etc/fstab: the guest must be off, and its root an
   * ext2, ext3 or ext4. Missing: the guest does not mount it.
   */
  mount: z.exactOptional(text),
  /** The volume group (default: `volumeGroup` of the site file). */
  vg: z.exactOptional(text),
  /** The thin pool for the volume (default: a linear volume). */
  thin: z.exactOptional(text),
  /** Encrypts it with LUKS2; with `mount` the guest opens it, by a line in its /etc/crypttab (default: not encrypted). */
  luks: z.exactOptional(diskLuks),
});

/** A new disk for a guest. */
export type GuestDiskRequest = z.input<typeof diskSchema>;

/** A checked request for a new disk. */
export type CheckedGuestDisk = z.output<typeof diskSchema>;

/** Checks a request for a new disk. Throws UsageError. */
export function checkGuestDisk(request: unknown): CheckedGuestDisk {
  return parsed('vm.createDisk', diskSchema, request);
}

/** A changed disk of a guest. */
export interface GuestDiskChange {
  readonly name: string;
  readonly config: string;
  /** The name of the disk in the guest: `xvdc`. */
  readonly disk: string;
  /** Its device on this host, or the argument of its script: `/dev/vg0/web1-data`. */
  readonly device: string;
  /** Domain ID; undefined if the guest is off. */
  readonly domid: number | undefined;
  /** When the guest sees the change: now, or at its next start, also if it is off. */
  readonly effective: 'now' | 'next start';
}

/** The plan to change the disks of a guest. */
export interface GuestDiskPlan extends GuestDiskChange {
  /** Checksum of the checked config file, and its new content with one character per byte. */
  readonly file: { readonly sha256: string; readonly content: string };
  /** The change in the running guest; undefined if there is none. */
  readonly live: { readonly uuid: string; readonly device: string | null } | undefined;
}

/** A new disk, with its filesystem. */
export interface NewGuestDiskPlan extends GuestDiskPlan {
  readonly vg: string;
  readonly volume: DiskPlan;
  readonly fs: DataDisk['fs'];
  /** Its name, which is that of its mapping in the guest. */
  readonly label: string;
  /** Undefined: it is not encrypted. */
  readonly luks: DataDisk['luks'];
  /** Undefined: the guest does not mount it. */
  readonly fstab: FstabPlan | undefined;
}

/** A disk that is removed with its volume. */
export interface GuestDiskRemoval extends GuestDiskPlan {
  readonly volume: RemovePlan['volumes'][number] & { readonly size: Bytes };
  readonly fstab: FstabRemoval;
}

interface Wanted {
  readonly site: Site;
  readonly name: string;
  readonly disk: string;
}

/** Makes all checks for a new disk before anything is done. */
export async function planGuestDisk(
  host: ReadHost,
  { site, name, disk, request }: Wanted & { readonly request: CheckedGuestDisk },
): Promise<NewGuestDiskPlan> {
  const { guest, domain } = await configured(host, { name, site });
  const { size, fs, mount, luks } = request;
  const [checked] = await planLuks(
    host,
    checkDisks({ [disk]: { size, fs, ...present({ mount, luks }) } }, 'the disk'),
    guest.memoryMiB * 1024 ** 2,
  );
  if (checked === undefined) throw new TypeError('a checked disk is missing');
  if (mount !== undefined && domain !== undefined)
    throw new RefusedError(
      `${name} exists as domain ${domain.id}, and bofh changes the /etc/fstab of a guest only while it is off`,
      {
        code: 'in-use',
        remedy: `${offRemedy(domain, name)}; or create the disk without ${option('--mount', 'mount')}, and add the line in the guest`,
      },
    );
  const vg = request.vg ?? site.volumeGroup;
  const volume = `${name}-${disk}`;
  if (guest.disks.some((each) => isReplicated(wordsOf(each))))
    throw new RefusedError(
      `the disks of ${name} are replicated; with a disk that is not, the guest could no longer be moved to the other host`,
      {
        remedy: `create a replicated one: bofh drbd create ${volume} --on HOST,HOST --size SIZE; then: bofh vm disk attach ${name} /dev/drbdN`,
      },
    );
  if (vg !== undefined) checkLvName(vg, volume);
  const wanted: readonly { name: string; size: Bytes; zeros: boolean }[] = [
    { name: volume, size: checked.size, zeros: true },
  ];
  const fstab = await planFstab(host, { site, name, disk: checked });
  const [made] = await planVolumes({ host, vg, wanted, pool: request.thin });
  if (made === undefined || vg === undefined) throw new TypeError('a planned volume is missing');
  const plan = await withDisk(host, { guest, domain, device: made.path });
  return { ...plan, vg, volume: made, fs, label: disk, luks: checked.luks, fstab };
}

/** Makes all checks to attach an existing device. */
export async function planDiskAttach(
  host: ReadHost,
  { site, name, device }: Omit<Wanted, 'disk'> & { readonly device: string },
): Promise<GuestDiskPlan> {
  if (!device.startsWith('/'))
    throw new UsageError(`${device} is not an absolute path`, {
      remedy: 'name the device by its path, such as /dev/vg0/data',
    });
  const { guest, guests, domain } = await configured(host, { name, site });
  const { path, stat } = await follow(host, device);
  if (stat?.kind !== 'block')
    throw new RefusedError(
      stat === undefined
        ? `there is no device ${device}`
        : `${device} is ${kindInWords(stat)}, not a block device`,
      stat?.kind === 'file'
        ? { remedy: `attach a loop device to it first: bofh block loop attach ${inShell(path)}` }
        : { code: 'not-found', remedy: 'see the devices: bofh block tree' },
    );
  const [taken = await guestWithResource(host, guests, device)] = await guestsWithDisk(
    host,
    site.guestConfigDirs,
    [device],
  );
  if (taken !== undefined)
    throw new RefusedError(
      `${device} is a disk of ${taken.guest === taken.file ? '' : `the guest ${taken.guest} already, in `}${taken.file}`,
      { code: 'in-use', remedy: 'name another device; to see all of them: bofh block tree' },
    );
  // xl would refuse to start the guest later, or not notice the holder at all.
  await refuseHeld(host, device, await holders(host, device));
  return withDisk(host, { guest, domain, device });
}

/** The guest whose configuration names the DRBD resource of this device as a disk: `drbd:web1`. */
async function guestWithResource(
  host: ReadHost,
  guests: readonly GuestConfig[],
  device: string,
): Promise<{ readonly guest: string; readonly file: string } | undefined> {
  if ((await minorAt(host, device)) === undefined) return undefined;
  const resource = await resourceAt(host, await resources(host), device);
  const found = guests.find(({ disks }) => disks.some((disk) => resourceNameOf(disk) === resource?.name));
  return resource === undefined || found === undefined ? undefined : { guest: found.name, file: found.file };
}

/** Makes all checks to detach a disk; its device stays. `now`: also while the guest runs. */
export async function planDiskDetach(
  host: ReadHost,
  { site, name, disk, now = false }: Wanted & { readonly now?: boolean },
): Promise<GuestDiskPlan> {
  const { guest, domain } = await configured(host, { name, site });
  const edit = await withoutDisk(host, { guest, disk });
  if (now && domain !== undefined && diskNamed(guest, disk).devtype === 'cdrom')
    throw new RefusedError(`${edit.disk} of ${name} is a CD-ROM drive, which cannot be detached now`, {
      remedy: `eject its disc: xl cd-eject ${name} ${edit.disk}; or, from the next start on: bofh vm disk detach ${name} ${disk}`,
    });
  if (domain === undefined || !now)
    return { ...edit, domid: domain?.id, effective: 'next start', live: undefined };
  const running = runningOf(guest, domain);
  if (running === undefined)
    throw new RefusedError(`${name} is ${describe(domain)}, so no disk can be detached from it now`, {
      code: 'in-use',
      remedy: `${domainRemedy(domain)}; or without --now: bofh vm disk detach ${name} ${disk}`,
    });
  const given = (await host.run(xlDisks())).get(running.id) ?? [];
  const had = given.find(({ vdev }) => vdev === edit.disk);
  const { path, target } = diskNamed(guest, disk);
  if (had !== undefined && ![path, target].includes(had.pdev_path ?? ''))
    throw new RefusedError(
      `${edit.disk} of ${name} is ${edit.device} in ${guest.file}, but the running guest has ${had.pdev_path ?? 'another disk'} there`,
      {
        code: 'differs',
        remedy: `to change only the configuration: bofh vm disk detach ${name} ${disk}; to see what the guest has: xl block-list ${running.id}`,
      },
    );
  return {
    ...edit,
    domid: running.id,
    effective: 'now',
    live: had === undefined ? undefined : { uuid: running.uuid, device: null },
  };
}

/** The domain of the guest if it runs, and its disks can be changed. */
export function runningOf(guest: GuestConfig, domain: Domain | undefined): Domain | undefined {
  const isIt = domain?.name === guest.name && (guest.uuid ?? domain.uuid) === domain.uuid;
  return isIt && domain.state === 'running' ? domain : undefined;
}

/** Makes all checks to remove a disk with its volume. */
export async function planDiskRemoval(
  host: ReadHost,
  { site, name, disk, uuid }: Wanted & { readonly uuid?: string },
): Promise<GuestDiskRemoval> {
  const { guest, guests, problems, domain } = await configured(host, { name, site });
  const plan = await withoutDisk(host, { guest, disk });
  if (domain !== undefined)
    throw new RefusedError(`${name} exists as domain ${domain.id}, and its disk ${plan.disk} is in use`, {
      code: 'in-use',
      remedy: `${offRemedy(domain, name)}; then run the command again`,
    });
  const staying = guest.disks.filter(({ vdev }) => vdev !== plan.disk);
  const only = { ...guest, disks: guest.disks.filter((each) => !staying.includes(each)) };
  const { found, volumes } = await disksOf(host, { guest: only, staying, guests, problems });
  for (const each of found) await refuseRemoval(host, each, undefined);
  const [volume] = volumes;
  const [{ lv } = {}] = found;
  if (volume === undefined || lv === undefined)
    throw new RefusedError(
      `the disk ${plan.disk} of ${name} is ${plan.device}, which is not a logical volume`,
      {
        remedy: `remove it only from the configuration: bofh vm disk detach ${name} ${disk}; its data stays`,
      },
    );
  if (uuid !== undefined && uuid !== volume.uuid)
    throw new RefusedError(
      `the disk ${disk} of ${name} is another volume now: its uuid is ${volume.uuid}, not ${uuid}`,
      {
        remedy: `see its disks: bofh vm show ${name}; then run the command again with the right disk`,
      },
    );
  return {
    ...plan,
    domid: undefined,
    effective: 'next start',
    live: undefined,
    volume: { ...volume, size: lv.size },
    fstab: await planFstabRemoval(host, { guest, disk: plan.disk }),
  };
}

/** Creates a disk. The configuration is last, because a guest cannot start with a missing disk. */
export async function createGuestDisk(
  tx: Tx,
  host: ReadHost,
  plan: NewGuestDiskPlan,
): Promise<{ readonly uuid: string; readonly luks: string | undefined }> {
  const { vg, volume, fs, label, fstab } = plan;
  const device = await createDisk(tx, { vg, disk: volume, hosts: undefined });
  const open = plan.luks === undefined ? undefined : await makeLuks(tx, { device, luks: plan.luks });
  const { uuid } = await tx.filesystem.create({ device: open?.path ?? device, type: fs });
  if (open !== undefined) await tx.crypt.close({ name: open.name, key: open.key });
  const luks = open === undefined ? undefined : { name: label, uuid: open.uuid };
  if (fstab !== undefined) await addToFstab(tx, host, { ...fstab, uuid, fs, luks });
  await changeDisks(tx, plan);
  return { uuid, luks: luks?.uuid };
}

/** Removes a disk. The configuration is first; the volume is removed after the commit. */
export async function removeGuestDisk(tx: Tx, host: ReadHost, plan: GuestDiskRemoval): Promise<void> {
  await changeDisks(tx, plan);
  await removeFromFstab(tx, host, plan.fstab);
  const { size: _, ...volume } = plan.volume;
  await tx.lvm.removeLv(volume);
}

/** Attaches or detaches a device. The file is first, because the step in the guest can still fail. */
export async function changeDisks(tx: Tx, { name, config, file, disk, live }: GuestDiskPlan): Promise<void> {
  await tx.file.change({ path: config, ...file, encoding: 'latin1' });
  if (live !== undefined) await tx.xen.setDisk({ name, ...live, vdev: disk });
}

type Edited = Omit<GuestDiskPlan, 'domid' | 'effective' | 'live'>;

async function withDisk(
  host: ReadHost,
  {
    guest,
    domain,
    device,
  }: { readonly guest: GuestConfig; readonly domain: Domain | undefined; readonly device: string },
): Promise<GuestDiskPlan> {
  const running = runningOf(guest, domain);
  const given = running === undefined ? [] : ((await host.run(xlDisks())).get(running.id) ?? []);
  const vdev = freeName(guest.name, [...guest.disks, ...given]);
  const edit = (read: ConfigFile): Buffer => withItem(read, 'disk', `phy:${device},${vdev},w`);
  const isGood = ({ disks }: GuestConfig): boolean =>
    same(disks.slice(0, -1), guest.disks) && disks.at(-1)?.path === device && disks.at(-1)?.vdev === vdev;
  return {
    disk: vdev,
    device,
    ...(await edited(host, { guest, key: 'disk', edit, isGood })),
    domid: domain?.id,
    effective: running === undefined ? 'next start' : 'now',
    live: running === undefined ? undefined : { uuid: running.uuid, device },
  };
}

/** RefusedError for a disk in a snapshot of the guest. If a snapshot cannot be read, for every disk. */
async function refuseSnapshotsWith(host: ReadHost, name: string, disk: Disk): Promise<void> {
  const { snapshots, problems } = await snapshotsIn(host, name);
  if (problems.length > 0) return refuseSnapshots(host, name);
  const lv = disk.path === undefined ? undefined : await volumeOf(host, await lvs(host), disk.path);
  const having = snapshots.filter(({ disks }) => disks.some(({ uuid }) => uuid === lv?.uuid));
  refuseThose(
    name,
    having.map(({ label }) => label),
    `snapshots with the disk ${disk.vdev}`,
  );
}

async function withoutDisk(
  host: ReadHost,
  { guest, disk: asked }: { readonly guest: GuestConfig; readonly disk: string },
): Promise<Edited> {
  const disk = diskNamed(guest, asked);
  if (disk === rootOf(guest))
    throw new RefusedError(`${disk.vdev} is the root of ${guest.name}, which cannot start without it`, {
      remedy: `name another disk; to remove the whole guest: bofh vm remove ${guest.name}`,
    });
  await refuseSnapshotsWith(host, guest.name, disk);
  const at = guest.disks.indexOf(disk);
  const edit = (read: ConfigFile): Buffer => withoutItem(read, 'disk', at);
  const isGood = ({ disks }: GuestConfig): boolean => same(disks, guest.disks.toSpliced(at, 1));
  return {
    disk: disk.vdev,
    device: wordsOf(disk),
    ...(await edited(host, { guest, key: 'disk', edit, isGood })),
  };
}

function same(a: readonly Disk[], b: readonly Disk[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** An edited config file. */
export type EditedConfig = Pick<GuestDiskPlan, 'name' | 'config' | 'file'>;

/**
 * The config file with an edit of the list `key`. Throws if the parsed result differs from the requested
 * list.
 */
export async function edited(
  host: ReadHost,
  {
    guest,
    key,
    edit,
    isGood,
  }: {
    readonly guest: GuestConfig;
    readonly key: 'disk' | 'vif';
    readonly edit: (read: ConfigFile) => Buffer;
    readonly isGood: (changed: GuestConfig) => boolean;
  },
): Promise<EditedConfig> {
  const config = await realPath(host, guest.file);
  const content = await host.readFile(config);
  const changed = edit({ text: content, file: config });
  if (!isGood(guestConfig(parseConfig({ text: changed, file: config }))))
    throw new RefusedError(`the list ${key} in ${config} could not be changed exactly: nothing was changed`, {
      remedy: `put everything into one list, ${key} = [ … ], in ${config}; then run the command again`,
    });
  return { name: guest.name, config, file: { sha256: sha256(content), content: changed.toString('latin1') } };
}

/** The first of xvda to xvdz that neither a disk nor a partition of the guest uses. */
function freeName(name: string, disks: readonly { readonly vdev: string }[]): string {
  const taken = new Set(disks.map(({ vdev }) => vdev.replace(/^(?:hd|sd)(?=[a-z])/, 'xvd').slice(0, 4)));
  const free = 'abcdefghijklmnopqrstuvwxyz'
    .split('')
    .map((each) => `xvd${each}`)
    .find((each) => !taken.has(each));
  if (free !== undefined) return free;
  throw new RefusedError(`${name} has a disk for every name from xvda to xvdz`, {
    remedy: `see its disks: bofh vm show ${name}; then detach one: bofh vm disk detach ${name} DISK`,
  });
}
