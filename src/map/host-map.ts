import type { StackDevice, StackTree, StackUse } from '../stack/index.ts';
import type { LogicalVolume, VolumeGroup } from '../lvm/index.ts';
import { present } from '../core/present.ts';
import type { HostMap, MapDevice } from './schema.ts';

/** The data for a map, all read at one time. */
export interface MapParts {
  readonly host: string;
  readonly at: Date;
  readonly tree: StackTree;
  readonly groups: readonly VolumeGroup[];
  readonly volumes: readonly LogicalVolume[];
  readonly guests: HostMap['guests'];
  readonly unknown: readonly string[];
}

/** The host at a glance: each volume, and each other device, with everything on it in one row. */
export function hostMapOf({ host, at, tree, groups, volumes, guests, unknown }: MapParts): HostMap {
  const byId = new Map(tree.devices.map((device) => [device.id, device]));
  const inGroups = tree.devices.filter(({ kind }) => kind === 'volume');
  return {
    host,
    at: at.toISOString(),
    groups: groups.map(({ name, size, free }) => ({
      ...{ name, size, free },
      on: tree.devices.filter((device) => groupOf(device) === name).map((device) => device.name),
      devices: inGroups
        .filter((device) => device.name.startsWith(`${name}/`))
        .map((device) => rowOf(device, { byId, volumes }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    })),
    others: tree.devices
      .filter((device) => isOther(device, byId))
      .map((device) => rowOf(device, { byId, volumes })),
    guests: [...guests],
    unknown: [...tree.unknown, ...unknown],
  };
}

type Devices = ReadonlyMap<string, StackDevice>;

/** The volume group of a physical volume. */
function groupOf({ content }: StackDevice): string | undefined {
  return content.type === 'LVM2_member'
    ? content.facts.find(({ name }) => name === 'group')?.value
    : undefined;
}

/** Whether a device is outside the groups: at the bottom of the stack, or a partition, and without partitions. */
function isOther(device: StackDevice, byId: Devices): boolean {
  if (device.content.type === 'LVM2_member' || device.kind === 'volume' || device.kind === 'volume-part')
    return false;
  const above = device.above.flatMap((id) => byId.get(id) ?? []);
  if (above.some(({ kind }) => kind === 'partition')) return false;
  return device.kind === 'partition' || device.below.length === 0;
}

function rowOf(
  device: StackDevice,
  { byId, volumes }: { readonly byId: Devices; readonly volumes: readonly LogicalVolume[] },
): MapDevice {
  const all = stackOn(device, byId);
  const volume = volumes.find(({ fullName }) => fullName === device.name);
  const isPool = volume?.layout.includes('pool') === true;
  const guests = all.flatMap(({ uses }) =>
    uses.flatMap((use) =>
      use.kind === 'configured-guest'
        ? [use.name]
        : use.kind === 'guest'
          ? [use.name ?? `domain ${String(use.domid)}`]
          : [],
    ),
  );
  return {
    name: volume?.name ?? device.name,
    size: device.size,
    layers: [...ofVolume(volume), ...(isPool ? [] : all.flatMap(layersOf))],
    ...present({ used: volume?.data }),
    mounts: all.flatMap(({ uses }) => uses.flatMap(useOf)),
    guests: [...new Set(guests)],
    active: device.path !== null,
  };
}

/** The use of a device by this host; none for a guest. */
function useOf(use: StackUse): readonly string[] {
  if (use.kind === 'mount') return [use.path];
  if (use.kind === 'swap') return ['swap'];
  return use.kind === 'target' ? [`target ${use.name}`] : [];
}

/** The device and everything on it, up to the next volume group. */
function stackOn(device: StackDevice, byId: Devices): readonly StackDevice[] {
  const found = new Set<StackDevice>();
  const walk = (one: StackDevice): void => {
    if (found.has(one)) return;
    found.add(one);
    for (const id of one.above) {
      const upper = byId.get(id);
      if (upper !== undefined && upper.kind !== 'volume' && upper.kind !== 'volume-part') walk(upper);
    }
  };
  walk(device);
  return [...found];
}

function ofVolume(volume: LogicalVolume | undefined): readonly string[] {
  if (volume === undefined) return [];
  const { layout, role, pool, origin } = volume;
  if (layout.includes('pool')) return ['thin pool'];
  return [
    ...(pool === undefined ? [] : [`thin in ${pool.name}`]),
    ...(origin === undefined || !role.includes('snapshot') ? [] : [`snapshot of ${origin.name}`]),
    ...layout.filter((word) => /^(?:raid|mirror|striped|cache)/.test(word)),
  ];
}

function layersOf(device: StackDevice): readonly string[] {
  const { content, kind } = device;
  const own = kind === 'drbd' ? [replicaOf(device)] : [];
  if (content.state === 'part' || content.title === '') return own;
  const label = content.label === undefined ? '' : ` "${content.label}"`;
  return [...own, `${content.title}${label}`];
}

/** `DRBD r0/0 Primary, to host2 Connected`. */
function replicaOf({ facts }: StackDevice): string {
  const own = facts.filter(({ name }) => name === 'resource' || name === 'role').map(({ value }) => value);
  const peers = facts
    .filter(({ name }) => name.startsWith('to '))
    .map(({ name, value }) => `${name} ${value}`);
  return [['DRBD', ...own].join(' '), ...peers].join(', ');
}
