import { deviceGraph, type GraphDevice, graphName } from '../blockdevice/graph.ts';
import { deviceNode, oneLook, probeTogether } from '../blockdevice/index.ts';
import type { LayerAt } from '../blockdevice/layer.ts';
import { listedGuest } from '../blockdevice/holders/commands.ts';
import type { ReadHost } from '../command/index.ts';
import { BofhError, RefusedError } from '../core/errors.ts';
import { turns } from '../host/turns.ts';
import { allLayers, layerFor } from '../layers.ts';
import { inactiveVolumes, layoutOf } from '../lvm/layer.ts';
import { guestConfigs } from '../xen/index.ts';
import { whyUnreadable } from '../blockdevice/unreadable.ts';
import { contentOf, named, probed, layerFacts } from './content.ts';
import type { StackDevice, StackTree, StackUse } from './schema.ts';

/** The request. */
export interface TreeRequest {
  readonly host: ReadHost;
  /** Only the layers below and above this device; missing: all devices of the host. */
  readonly device?: string;
  /** The directories with guest configurations. */
  readonly configDirs?: readonly string[];
}

/** The number of devices that are examined concurrently: each needs one or two programs. */
const atOnce = 8;

/**
 * Shows all block devices with their layers, from the disks up, as they are now. It opens,
 * activates and changes nothing.
 */
export async function tree({ device, configDirs = [], ...on }: TreeRequest): Promise<StackTree> {
  const host = oneLook(on.host);
  const graph = await deviceGraph(host);
  const asked = device === undefined ? undefined : await graphName(host, device);
  if (asked !== undefined && !graph.has(asked))
    throw new RefusedError(`${device ?? ''} has no size: no file is attached to it, or it has no medium`, {
      remedy: 'see what is there: bofh block tree',
    });
  const shown = asked === undefined ? graph : around(graph, asked);
  const unknown: string[] = [];
  const once = memory();
  const look: Look = { host, graph, shown, once, configured: await configured(host, configDirs, unknown) };
  await probeTogether(
    host,
    [...shown.values()].flatMap(({ kind, size, path }) =>
      kind === 'volume-part' || size === 0 ? [] : [path],
    ),
  );
  const { take } = turns(atOnce);
  const devices = await Promise.all([...shown.values()].map((each) => take(() => describe(look, each))));
  const idle = await inactive(look, devices, unknown, asked);
  const all = inOrder([...devices.map((one) => withInactive(one, idle)), ...idle]);
  return {
    roots: rootsOf(all),
    asked: asked ?? null,
    devices: all,
    unknown,
  };
}

function rootsOf(devices: readonly StackDevice[]): readonly string[] {
  return devices.filter(({ below }) => below.length === 0).map(({ id }) => id);
}

/** Sorts devices for drawing: each after the first device below it. */
function inOrder(devices: readonly StackDevice[]): readonly StackDevice[] {
  const byId = new Map(devices.map((one) => [one.id, one]));
  const found = new Set<StackDevice>();
  const walk = (id: string): void => {
    const one = byId.get(id);
    if (one === undefined || found.has(one)) return;
    found.add(one);
    one.above.forEach(walk);
  };
  rootsOf(devices).forEach(walk);
  return [...found];
}

interface Look {
  readonly host: ReadHost;
  readonly graph: ReadonlyMap<string, GraphDevice>;
  readonly shown: ReadonlyMap<string, GraphDevice>;
  readonly once: LayerAt['once'];
  readonly configured: ReadonlyMap<string, readonly StackUse[]>;
}

/** A cache of answers, including failures. */
export function memory(): LayerAt['once'] {
  const answers = new Map<string, Promise<unknown>>();
  return <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    const answer = answers.get(what) ?? ask();
    answers.set(what, answer);
    return answer as Promise<T>;
  };
}

/** A device, with all devices below and above it. */
export function around(
  graph: ReadonlyMap<string, GraphDevice>,
  name: string,
): ReadonlyMap<string, GraphDevice> {
  const found = new Set<string>([name]);
  const walk = (from: string, way: 'above' | 'below'): void => {
    for (const next of graph.get(from)?.[way] ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      walk(next, way);
    }
  };
  walk(name, 'below');
  walk(name, 'above');
  return new Map([...graph].filter(([each]) => found.has(each)));
}

async function describe(look: Look, device: GraphDevice): Promise<StackDevice> {
  const { host, graph, shown, once } = look;
  const layers = await allLayers();
  const found = await probed(host, device);
  const content = found.state === 'probed' ? found.content : undefined;
  const above = device.above.flatMap((name) => graph.get(name) ?? []);
  const at: LayerAt = { host, device, content, above, once };
  const layer = layerFor(layers, 'device', at);
  const own = await layerFacts(layer, at);
  const { content: on, unknown } = await contentOf(layers, at, found);
  return {
    id: device.name,
    key: device.key,
    name: nameOf(device),
    kind: device.kind,
    title: layer === undefined ? device.kind : (layer.title?.(at) ?? layer.name),
    path: device.path,
    // The kernel keeps the size of the last medium.
    size: found.state === 'no medium' ? 0 : device.size,
    readOnly: device.readOnly,
    facts: named(own.facts ?? []),
    content: on,
    uses: await usesOf(look, device),
    below: device.below.filter((name) => shown.has(name)),
    above: device.above.filter((name) => shown.has(name)),
    unknown: [...device.unknown, ...(own.unknown ?? []), ...unknown],
  };
}

/** The usual name of a device. */
export function nameOf({ name, mapping, volume, kind }: GraphDevice): string {
  if (kind === 'volume' && volume !== undefined) return `${volume.vg}/${volume.lv}`;
  return mapping ?? name;
}

async function usesOf({ host, once, configured: byName }: Look, device: GraphDevice): Promise<StackUse[]> {
  const mounts = device.mounts.map(
    (entry): StackUse => ({
      kind: 'mount',
      path: entry.path,
      mountId: entry.id,
      type: entry.type,
      root: entry.root,
      mode: [entry.options, entry.superOptions].some((words) => words.split(',').includes('ro'))
        ? 'ro'
        : 'rw',
    }),
  );
  const guests: StackUse[] = [];
  for (const domid of device.guests) {
    const name = await once(`domain ${domid}`, () => nameOfDomain(host, domid));
    guests.push({ kind: 'guest', domid, name: name ?? null });
  }
  const running = new Set(guests.flatMap((use) => (use.kind === 'guest' ? [use.name] : [])));
  const off = (byName.get(device.name) ?? []).filter(
    (use) => use.kind !== 'configured-guest' || !running.has(use.name),
  );
  const targets = device.targets.map((name): StackUse => ({ kind: 'target', name }));
  return [...mounts, ...(device.swap ? [{ kind: 'swap' } as const] : []), ...guests, ...targets, ...off];
}

async function nameOfDomain(host: ReadHost, domid: number): Promise<string | undefined> {
  try {
    return (await host.run(listedGuest(domid)))?.name;
  } catch (error) {
    if (error instanceof BofhError) return undefined;
    throw error;
  }
}

/** The guests whose configurations name a device; the key is the device to which their path leads. */
async function configured(
  host: ReadHost,
  configDirs: readonly string[],
  unknown: string[],
): Promise<ReadonlyMap<string, readonly StackUse[]>> {
  const found = new Map<string, readonly StackUse[]>();
  const dirs: string[] = [];
  // A host without guests does not have the directory.
  for (const dir of configDirs) if ((await host.stat(dir)) !== undefined) dirs.push(dir);
  const { guests, problems } = await guestConfigs(host, dirs);
  unknown.push(...problems.map(({ message }) => `which disks a guest has: ${message}`));
  for (const { name, file, disks } of guests)
    for (const { path } of disks) {
      const at = path?.startsWith('/dev/') === true ? await whereTo(host, path) : undefined;
      if (at !== undefined)
        found.set(at, [...(found.get(at) ?? []), { kind: 'configured-guest', name, file }]);
    }
  return found;
}

/** The device to which a path leads; undefined if there is none now, as for an inactive volume. */
async function whereTo(host: ReadHost, path: string): Promise<string | undefined> {
  try {
    await deviceNode(host, path);
  } catch (error) {
    if (error instanceof BofhError) return undefined;
    throw error;
  }
  return graphName(host, path);
}

/** Inactive volumes have no device; lvm's data about them is shown on the devices that have their extents. */
async function inactive(
  { host, once }: Look,
  shown: readonly StackDevice[],
  unknown: string[],
  asked: string | undefined,
): Promise<readonly StackDevice[]> {
  const pvs = shown.filter(({ content }) => content.type === 'LVM2_member');
  if (pvs.length === 0) return [];
  try {
    const known = inactiveVolumes(await layoutOf({ host, once }));
    return known.flatMap(({ lv, group, on }) => {
      const uuids = on.length === 0 ? group.devices.map(({ uuid }) => uuid) : on;
      const below = pvs.filter(({ content }) => uuids.includes(content.uuid ?? '')).map(({ id }) => id);
      // For one requested device, the other volumes on the disks below are left out.
      const wanted = below.length > 0 && (asked === undefined || onto(shown, asked, below));
      const facts = [
        { name: 'uuid', value: lv.uuid },
        ...(lv.active === 'unknown' ? [{ name: 'active', value: 'unknown' }] : []),
      ];
      const unknownOfIt = [
        'its content: it is not active',
        ...(on.length === 0 ? [`which devices of ${group.name} it is on`] : []),
      ];
      return wanted ? [idleVolume({ ...lv, below, facts, unknown: unknownOfIt })] : [];
    });
  } catch (error) {
    unknown.push(`volumes that are not active: ${whyUnreadable(error)}`);
    return [];
  }
}

/** Whether one of these devices is on the requested one, or is that device. */
function onto(shown: readonly StackDevice[], asked: string, below: readonly string[]): boolean {
  const byId = new Map(shown.map((one) => [one.id, one]));
  const isOn = (id: string): boolean => id === asked || (byId.get(id)?.below ?? []).some(isOn);
  return below.some(isOn);
}

function idleVolume(of: {
  readonly vg: string;
  readonly name: string;
  readonly size: number;
  readonly below: readonly string[];
  readonly facts: StackDevice['facts'];
  readonly unknown: readonly string[];
}): StackDevice {
  const key = `lv:${of.vg}/${of.name}`;
  return {
    ...{ id: key, key, name: `${of.vg}/${of.name}`, kind: 'volume', title: 'inactive logical volume' },
    ...{ path: null, size: of.size, readOnly: false, facts: of.facts },
    content: { state: 'unreadable', layer: null, title: '', facts: [] },
    ...{ uses: [], below: of.below, above: [], unknown: of.unknown },
  };
}

function withInactive(device: StackDevice, idle: readonly StackDevice[]): StackDevice {
  const more = idle.filter(({ below }) => below.includes(device.id)).map(({ id }) => id);
  return more.length === 0 ? device : { ...device, above: [...device.above, ...more] };
}
