import { present } from '../../../core/present.ts';
import { type GuestConfig } from '../../../xen/config/index.ts';
import { deviceByNumber } from '../../world/devices.ts';
import { resolve } from '../../world/resolve.ts';
import type { Domain, DomainDisk } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { freeMemoryMiB } from './xl-list.ts';

/**
 * Returns the last messages of libxl for a domain that it could not create. The id of the domain is
 * not used again.
 */
export function giveUp(world: World): string {
  const domid = world.nextDomid;
  world.nextDomid += 1;
  return [
    `libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain ${domid}:Non-existant domain`,
    `libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain ${domid}:Unable to destroy guest`,
    `libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain ${domid}:Destruction of domain failed`,
  ].join('\n');
}

/**
 * Returns why libxl 4.17 would not create this domain, in its words (fixtures in test/fixtures/xl).
 * Adds the disks that it opens to `disks`.
 */
export function complaintOf(world: World, guest: GuestConfig, disks: DomainDisk[]): string | undefined {
  const domid = world.nextDomid;
  if (world.domains.some(({ name }) => name === guest.name))
    return `libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain ${domid}:Domain with name "${guest.name}" already exists.\nlibxl: error: libxl_create.c:1296:initiate_domain_create: Domain ${domid}:cannot make domain: -6`;
  for (const { vdev, path, access: mode } of guest.disks) {
    const device = path === undefined ? undefined : deviceAt(world, path);
    if (path !== undefined && device === undefined && !resolve(world, path, 'follow').found)
      return `libxl: error: libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=${vdev} failed to stat: ${path}: No such file or directory\nlibxl: error: libxl_create.c:1318:initiate_domain_create: Domain ${domid}:Unable to set disk defaults for disk ${disks.length}`;
    if (path !== undefined && device !== undefined) disks.push({ vdev, path, number: device.number, mode });
  }
  for (const file of [guest.kernel, guest.ramdisk])
    if (file !== undefined && !resolve(world, file, 'follow').found)
      return `xc: error: panic: xg_dom_core.c:205: failed to open file '${file}': No such file or directory: Internal error\nlibxl: error: libxl_dom.c:646:libxl__build_pv: xc_dom_kernel_file failed: No such file or directory`;
  if (guest.memoryMiB > freeMemoryMiB(world))
    return "xc: error: panic: xg_dom_boot.c:119: xc_dom_boot_mem_init: can't allocate low memory for domain: Out of memory\nlibxl: error: libxl_dom.c:586:libxl__build_dom: xc_dom_boot_mem_init failed: Cannot allocate memory";
  for (const { number } of disks) {
    const refusal = refusalOfScript(world, number);
    if (refusal !== undefined)
      return `${refusal}\nlibxl: error: libxl_create.c:1672:domcreate_launch_dm: Domain ${domid}:unable to add disk devices`;
  }
  for (const { bridge } of guest.vifs) {
    const refusal = refusalOfVifScript(world, bridge);
    if (refusal !== undefined)
      return `${refusal}\nlibxl: error: libxl_create.c:1921:domcreate_attach_devices: Domain ${domid}:unable to add vif devices`;
  }
  return undefined;
}

/**
 * Returns the message of the hotplug script for a device that is mounted, or that a guest has. It
 * sees no other holder, for example neither an open LUKS device nor swap space (check_sharing of
 * tools/hotplug/Linux/block).
 */
export function refusalOfScript(world: World, number: string): string | undefined {
  const isMounted = world.mounts.some(({ device }) => device === number);
  const isGiven = world.domains.some(({ disks }) => disks.some((disk) => disk.number === number));
  if (!isMounted && !isGiven) return undefined;
  const node = `/dev/${deviceByNumber(world, number)?.name ?? number}`;
  const where = isMounted
    ? 'the privileged domain,\nand so cannot be mounted by a guest.'
    : 'a guest domain,\nand so cannot be mounted now.';
  return `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [892] exited with error status 1\nlibxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: Device ${node} is mounted in ${where}`;
}

/** Returns the message of vif-bridge for a missing bridge. */
export function refusalOfVifScript(world: World, bridge: string | undefined): string | undefined {
  if (bridge === undefined || resolve(world, `/sys/class/net/${bridge}`, 'follow').found) return undefined;
  return `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/vif-bridge online [1176] exited with error status 1\nlibxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: Could not find bridge device ${bridge}`;
}

/**
 * Adds a domain as xl create leaves it in the hypervisor. Ids are not used again until the next
 * boot.
 */
export function addDomain(
  world: World,
  make: Pick<Domain, 'name' | 'uuid' | 'memoryMiB' | 'vcpus' | 'disks' | 'state'> &
    Partial<Pick<Domain, 'built' | 'most' | 'weight' | 'nics' | 'agent'>>,
): Domain {
  const { name, uuid, memoryMiB, vcpus, disks, state, built = 'whole', weight = 256, nics = [] } = make;
  const { most = { memoryMiB, vcpus } } = make;
  const domid = world.nextDomid;
  const domain: Domain = {
    domid,
    name,
    uuid,
    memoryMiB,
    vcpus,
    disks,
    nics,
    state,
    built,
    most,
    weight,
    pauses: state === 'paused' ? 1 : 0,
    ...present({ agent: make.agent }),
  };
  world.nextDomid += 1;
  world.domains = [...world.domains, domain];
  return domain;
}
