import { deviceNode } from '../blockdevice/index.ts';
import { orMissing } from '../command/index.ts';
import type { GraphDevice } from '../blockdevice/graph.ts';
import { fixed, type Layer, type LayerAt } from '../blockdevice/layer.ts';
import { type Resource, resources } from './reads.ts';
import { internalMetadata } from './size.ts';
import type { Connection, VolumeState } from './state.ts';
import { isResync } from './wait.ts';

const why = 'its size is that of its backing devices on both hosts (bofh drbd grow RESOURCE SIZE)';

/** A volume of DRBD: its device, which the resource provides while it is up. */
export const drbdDevice: Layer = {
  name: 'drbd',
  of: 'device',
  recognises: ({ device }) => device.kind === 'drbd',
  title: () => 'DRBD device',
  tell: async (at) => {
    const { size } = at.device;
    const found = await resourceAt(at, at.device);
    if (found === undefined) return { size, unknown: ['no DRBD resource that is up has this device'] };
    const { resource, volume } = found;
    return {
      size,
      facts: [
        ['resource', `${resource.name}/${String(volume.volume)}`],
        ['role', resource.state?.role ?? 'down'],
        ['disk', volume.disk],
        ...(resource.state?.connections ?? []).map(({ peer, state }) => [`to ${peer}`, state] as const),
        ...(resource.state?.connections ?? []).flatMap((each) => syncOf(each, volume)),
      ],
    };
  },
  limits: async ({ device }) => fixed(device.size, why),
};

/** The backing device of a DRBD volume, with the metadata at its end. */
export const drbdBacking: Layer = {
  name: 'drbd-backing',
  of: 'content',
  recognises: ({ content }) => content?.type === 'drbd',
  title: () => 'DRBD backing device',
  offers: ({ above }) => above.find(({ kind }) => kind === 'drbd') ?? 'closed',
  toOpen: async (at) => {
    const name = await configuredOn(at);
    return name === undefined
      ? 'no resource is configured on this device: see its metadata with drbdmeta'
      : `bring it up: bofh drbd up ${name.replace(/\/.*$/, '')}`;
  },
  tell: async (at) => {
    const { device, above } = at;
    const own = above.find(({ kind }) => kind === 'drbd');
    if (own !== undefined) return { size: own.size, overhead: device.size - own.size };
    const name = await configuredOn(at);
    if (name === undefined) return { unknown: ['no resource on this device is up or configured'] };
    const overhead = internalMetadata(device.size);
    return {
      ...{ size: device.size - overhead, overhead, facts: [['resource', name]] },
      unknown: [`${name} is not up: its content is unknown`],
    };
  },
  limits: async ({ device }) => fixed(device.size, why),
};

/** The resource of a DRBD device; undefined if no resource that is up has it. */
export async function resourceAt(
  { host, once }: Pick<LayerAt, 'host' | 'once'>,
  { number }: GraphDevice,
): Promise<{ readonly resource: Resource; readonly volume: VolumeState } | undefined> {
  for (const resource of await once('drbd resources', () => resources(host))) {
    const volume = resource.state?.volumes.find(({ minor }) => number === `147:${String(minor)}`);
    if (volume !== undefined) return { resource, volume };
  }
  return undefined;
}

/** The resource that is configured to store a volume with internal metadata on this very device. */
async function configuredOn({ host, once, device }: LayerAt): Promise<string | undefined> {
  for (const { name, here } of await once('drbd resources', () => resources(host)))
    for (const { volume, disk, metadata } of here?.volumes ?? [])
      if (
        disk !== undefined &&
        metadata === 'internal' &&
        (await orMissing(deviceNode(host, disk)))?.number === device.number
      )
        return `${name}/${String(volume)}`;
  return undefined;
}

function syncOf({ peer, volumes }: Connection, { volume, size }: VolumeState) {
  const its = volumes.find((each) => each.volume === volume);
  if (its === undefined || its.replication === 'Off' || its.replication === 'Established') return [];
  const { replication, outOfSync = 0 } = its;
  const isKnown = size !== undefined && isResync(replication);
  const done = isKnown ? `, ${String(Math.floor((1 - outOfSync / size) * 100))} %` : '';
  return [[`sync with ${peer}`, `${replication}${done}`] as const];
}
