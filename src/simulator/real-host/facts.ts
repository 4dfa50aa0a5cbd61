import { attachedLoops } from '../../blockdevice/loop/commands.ts';
import { diskSequence } from '../../blockdevice/loop/reads.ts';
import { type MountEntry, unescapeOctal, parseMountinfo } from '../../blockdevice/mountinfo.ts';
import { follow, type ReadHost } from '../../command/index.ts';
import { CommandError, ParseError, ToolError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { mappings } from '../../crypt/reads.ts';
import { isThinPool } from '../../lvm/filling.ts';
import { type LaidOutGroup, layout } from '../../lvm/layout.ts';
import { pvStarts } from '../../lvm/pv-commands.ts';
import type { LogicalVolume as RealVolume, PvSegment } from '../../lvm/objects.ts';
import { lvs, pvs, pvSegments, vgs } from '../../lvm/report-commands.ts';
import { spreadAmong, spreadType } from '../../lvm/spread.ts';
import { xlDisks, xlInfo, xlInterfaces, xlList, xlResources } from '../../xen/commands.ts';
import type { DomainDisk } from '../../xen/schema.ts';
import { vdevNumber } from '../world/virtual.ts';
import { luksOffset } from '../tools/crypt/luks.ts';
import type {
  CryptMapping,
  Domain,
  ExtentRun,
  Loop,
  Mount,
  PhysicalVolume,
  VolumeGroup,
} from '../world/parts.ts';
import { ownExtents } from '../world/devices.ts';
import { type Overlay } from '../world/world.ts';

/** Reads the major number of device-mapper, and the minor numbers in use. */
export async function minors(
  real: ReadHost,
): Promise<{ readonly dmMajor: number; readonly takenMinors: ReadonlySet<number> }> {
  const text = await textOf(real, '/proc/devices');
  const major = Number(/^ *(?<major>\d+) device-mapper$/m.exec(text)?.groups?.major ?? 253);
  const names = (await real.stat('/sys/block')) === undefined ? [] : await real.readDir('/sys/block');
  const taken = names.flatMap((name) => /^dm-(?<minor>\d+)$/.exec(name)?.groups?.minor ?? []);
  return { dmMajor: major, takenMinors: new Set(taken.map(Number)) };
}

interface Lvm {
  readonly groups: readonly VolumeGroup[];
  readonly volumes: Overlay['volumes'];
  /** Physical volumes in no group. */
  readonly free: readonly PhysicalVolume[];
}

export async function lvmOf(real: ReadHost): Promise<Lvm | undefined> {
  const reports = await unlessMissing(async () => ({
    groups: await real.run(vgs()),
    devices: await real.run(pvs()),
    starts: await real.run(pvStarts()),
    logical: await real.run(lvs()),
    segments: await real.run(pvSegments()),
  }));
  if (reports === undefined) return undefined;
  const isSpread = reports.logical.some((lv) => spreadType(lv) !== undefined);
  const laidOut = isSpread ? (await real.run(layout())).groups : [];
  const volumes: Overlay['volumes'] = new Map();
  for (const { uuid, dmPath, vg, name, size, active } of reports.logical) {
    const number = active === true ? await numberOf(real, dmPath) : undefined;
    if (number !== undefined) volumes.set(uuid, { number, vg, name, size });
  }
  const groups: VolumeGroup[] = [];
  for (const group of reports.groups) {
    const pvsOf: PhysicalVolume[] = [];
    for (const { uuid, path, vg, deviceSize, size, tags, allocatable } of reports.devices)
      if (vg?.uuid === group.uuid && path !== undefined)
        pvsOf.push({
          uuid,
          path,
          deviceSize,
          extents: Math.floor(size / group.extentSize),
          number: (await numberOf(real, path)) ?? '0:0',
          tags,
          ...startOf(reports.starts, uuid),
          ...(allocatable ? {} : { allocatable: 'no' as const }),
        });
    const own = reports.logical.filter(
      (lv) => lv.vgUuid === group.uuid && (lv.path !== undefined || isThinPool(lv)),
    );
    const toMember = (lv: (typeof own)[number]) => ({
      ...{ uuid: lv.uuid, name: lv.name, tags: lv.tags, autoactivation: lv.autoactivation },
      ...{ layout: lv.layout.join(','), role: lv.role.join(',') },
      extents: Math.ceil(lv.size / group.extentSize),
      ...present({ origin: lv.origin?.uuid, pool: lv.pool?.uuid }),
      ...(lv.skipped ? { skipped: true } : {}),
      ...present({ data: lv.data, metadata: lv.metadata, synced: lv.synced }),
      ...(lv.metadataSize === undefined
        ? {}
        : { moreExtents: Math.ceil(lv.metadataSize / group.extentSize) }),
      ...present({ health: lv.health }),
      ...areasOf(laidOut, lv),
      runs: runsOf(reports.segments, lv.uuid),
    });
    const members = own.map(toMember);
    const hidden = reports.logical
      .filter((lv) => lv.vgUuid === group.uuid && !own.includes(lv))
      .map(toMember);
    const all = pvsOf.reduce((sum, { extents }) => sum + extents, 0);
    const otherExtents = all - group.freeExtents - members.reduce((sum, lv) => sum + ownExtents(lv), 0);
    const { uuid, name, extentSize, seqno, tags } = group;
    groups.push({ uuid, name, extentSize, seqno, tags, pvs: pvsOf, lvs: members, otherExtents, hidden });
  }
  const free: PhysicalVolume[] = [];
  for (const { uuid, path, vg, deviceSize } of reports.devices) {
    const number = vg === undefined && path !== undefined ? await numberOf(real, path) : undefined;
    if (number !== undefined && path !== undefined) free.push({ uuid, path, deviceSize, extents: 0, number });
  }
  return { groups, volumes, free };
}

function areasOf(groups: readonly LaidOutGroup[], lv: RealVolume): { readonly areas?: number } {
  const spread = groups.flatMap((group) =>
    group.uuid === lv.vgUuid ? (spreadAmong(group, lv) ?? []) : [],
  )[0];
  return present({ areas: spread?.areas });
}

function startOf(starts: ReadonlyMap<string, number>, uuid: string): Pick<PhysicalVolume, 'start'> {
  const start = starts.get(uuid);
  return present({ start });
}

/** Returns the extents of a volume, in its own order. */
function runsOf(segments: readonly PvSegment[], lvUuid: string): readonly ExtentRun[] {
  return segments
    .flatMap(({ of, ...run }) => (of?.lvUuid === lvUuid ? [{ ...run, lvStart: of.lvStart }] : []))
    .toSorted((a, b) => a.lvStart - b.lvStart)
    .map(({ pvUuid, start, extents }) => ({ pv: pvUuid, start, count: extents }));
}

/** Returns `none` if the listing fails, as it does if a single guest fails (4.17). */
async function orNone<T>(list: () => Promise<T>, none: T): Promise<T> {
  try {
    return await list();
  } catch (error) {
    if (error instanceof CommandError || error instanceof ParseError) return none;
    throw error;
  }
}

export async function xenOf(
  real: ReadHost,
): Promise<{ readonly domains: readonly Domain[]; readonly freeMiB: number } | undefined> {
  const listed = await unlessMissing(async () => ({
    rows: await real.run(xlList()),
    info: await real.run(xlInfo()),
  }));
  if (listed === undefined) return undefined;
  const isAlone = listed.rows.length <= 1;
  const given = isAlone ? [] : await orNone(() => real.run(xlResources()), []);
  const named = isAlone ? new Map<number, never[]>() : await orNone(() => real.run(xlDisks()), new Map());
  const interfaces = isAlone
    ? new Map<number, never[]>()
    : await orNone(() => real.run(xlInterfaces()), new Map());
  const domains: Domain[] = [];
  for (const { id, name = '', uuid, memoryMiB, vcpus, flags } of listed.rows) {
    if (id === 0) continue;
    const disks = await disksOf(real, id, named.get(id) ?? []);
    const nics = (interfaces.get(id) ?? []).map(({ mac, bridge = '' }) => ({ mac, bridge }));
    const its = given.find(({ domid }) => domid === id);
    domains.push({
      domid: id,
      name,
      uuid,
      memoryMiB: (its?.memoryKiB ?? 0) / 1024 || memoryMiB,
      vcpus: its?.vcpus ?? vcpus,
      state: stateOf(flags),
      disks,
      nics,
      built: name === '' ? 'half-built' : 'whole',
      most: { memoryMiB: (its?.maxMemoryKiB ?? 0) / 1024 || memoryMiB, vcpus: its?.maxVcpus ?? vcpus },
      weight: its?.weight ?? 256,
      pauses: 0,
    });
  }
  return { domains, freeMiB: listed.info.freeMemoryMiB };
}

/** Reads the mappings that cryptsetup has opened. */
export async function mappingsOf(real: ReadHost): Promise<readonly CryptMapping[]> {
  const found: CryptMapping[] = [];
  for (const { name, number, dmUuid, size, mode, beneath } of await mappings(real)) {
    const [lower] = beneath;
    const at =
      lower === undefined
        ? ''
        : await textOf(real, `/sys/block/dm-${number.split(':')[1] ?? ''}/slaves/${lower}/dev`);
    const offset = luksOffset[dmUuid.startsWith('CRYPT-LUKS1-') ? 1 : 2];
    const storage = `real:${number}`;
    found.push({ name, number, dmUuid, size, mode, lower: at.trim(), offset, storage });
  }
  return found;
}

export async function backendsOf(real: ReadHost): Promise<ReadonlyMap<string, number>> {
  const top = '/sys/bus/xen-backend/devices';
  if ((await real.stat(top)) === undefined) return new Map();
  const names = await real.readDir(top);
  return new Map(names.map((name) => [`${top}/${name}`, Number(name.split('-')[1])]));
}

/** Reads the devices that a guest has open, from the kernel's back ends. */
async function disksOf(
  real: ReadHost,
  domid: number,
  named: readonly DomainDisk[],
): Promise<Domain['disks']> {
  const top = '/sys/bus/xen-backend/devices';
  if ((await real.stat(top)) === undefined) return [];
  const disks: Domain['disks'][number][] = [];
  for (const name of await real.readDir(top)) {
    if (!name.startsWith(`vbd-${domid}-`)) continue;
    const path = `${top}/${name}/physical_device`;
    if ((await real.stat(path)) === undefined) continue;
    const number = (await textOf(real, path))
      .trim()
      .split(':')
      .map((part) => Number.parseInt(part, 16))
      .join(':');
    const mode = `${top}/${name}/mode`;
    const isReadOnly = (await real.stat(mode)) !== undefined && (await textOf(real, mode)).trim() === 'r';
    const backend = name.split('-')[2] ?? '';
    const known = named.find(
      ({ vdev }) => /^xvd[a-p]\d*$/.test(vdev) && String(vdevNumber(vdev)) === backend,
    );
    disks.push({
      ...{ vdev: known?.vdev ?? backend, path: known?.pdev_path ?? `device ${number}`, number },
      mode: isReadOnly ? 'ro' : 'rw',
    });
  }
  return disks;
}

function stateOf(flags: string): Domain['state'] {
  if (flags[5] === 'd') return 'dying';
  if (flags[3] === 's') return flags[4] === 'c' ? 'crashed' : 'shutdown';
  if (flags[2] === 'p') return 'paused';
  return flags[0] === 'r' ? 'running' : 'blocked';
}

export async function mountsOf(real: ReadHost): Promise<readonly Mount[]> {
  const seen = parseMountinfo(await textOf(real, '/proc/self/mountinfo'));
  const entries = seen.some(({ path }) => path === '/') ? seen : [await unseenRoot(real, seen), ...seen];
  return entries.map((entry) => ({
    ...entry,
    optional: '',
    userOptions: [],
    // The whole tree of the real host is one storage: the host is asked by path about what is
    // mounted in it.
    storage: entry.path === '/' ? 'overlay' : undefined,
  }));
}

/**
 * Finds the mount of the root. After chroot(2) to a directory that is not a mount point, mountinfo has
 * no line for the root (proc(5)): then it is the mount that contains the others.
 */
async function unseenRoot(real: ReadHost, seen: readonly MountEntry[]): Promise<MountEntry> {
  const device = (await real.stat('/'))?.device;
  if (device === undefined) throw new ParseError('cannot read the root directory /');
  const id = seen.find((entry) => !seen.some((other) => other.id === entry.parent))?.parent ?? 1;
  return {
    ...{ id, parent: id, device, root: '/', path: '/' },
    ...{ options: 'rw,relatime', type: 'none', source: 'none', superOptions: 'rw' },
  };
}

export async function swapsOf(real: ReadHost): Promise<readonly string[]> {
  if ((await real.stat('/proc/swaps')) === undefined) return [];
  const numbers: string[] = [];
  for (const line of (await textOf(real, '/proc/swaps')).split('\n').slice(1)) {
    const path = /^(?<path>[^ \t]+)[ \t]+partition/.exec(line)?.groups?.path;
    const number = path === undefined ? undefined : await numberOf(real, unescapeOctal(path));
    if (number !== undefined) numbers.push(number);
  }
  return numbers;
}

async function numberOf(real: ReadHost, path: string): Promise<string | undefined> {
  return (await follow(real, path)).stat?.node;
}

async function textOf(real: ReadHost, path: string): Promise<string> {
  return new TextDecoder().decode(await real.readFile(path));
}

/** Reads the loop devices, with their files. */
export async function loopsOf(real: ReadHost): Promise<readonly Loop[]> {
  const found: Loop[] = [];
  for (const { number: minor, file: path, device: _, ...how } of await real.run(attachedLoops('left out'))) {
    const sectors = Number(await textOf(real, `/sys/block/loop${minor}/size`));
    const sequence = Number((await diskSequence(real, minor)) ?? 0);
    found.push({
      ...how,
      ...{ minor, path, sequence, size: sectors * 512, storage: `real:7:${minor}`, real: true },
    });
  }
  return found;
}

/**
 * Returns undefined if the programs are missing or fail: a caller that needs them gets the error
 * from the real host.
 */
async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ToolError || error instanceof CommandError) return undefined;
    throw error;
  }
}
