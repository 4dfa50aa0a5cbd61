import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import {
  type ConfiguredVolume,
  kernelFindings,
  type ProcDevice,
  type Resource,
  resourcesIn,
} from '../../../drbd/index.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { DrbdList, DrbdNext, DrbdShow, DrbdStatus } from '../../output/answers/index.ts';
import { type Told, told } from './told.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

type Row = DrbdList[number];

/** `bofh drbd list` */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data: DrbdList = await withBofh(bofh, () => rows());
  give(runtime, {
    data,
    head: ['RESOURCE', 'DEVICE', 'ROLE', 'DISK', 'SIZE', 'ON', 'PEER', 'CONNECTION', 'PEER DISK', 'SYNC'],
    rows: data.flatMap((row) => {
      const own = [
        row.resource === null ? '?' : `${row.resource}/${String(row.volume)}`,
        ...[row.device, row.role ?? 'down', row.disk ?? '-'],
        ...[row.size === null ? '-' : formatSize(row.size), row.backing ?? '-'],
      ];
      const [first, ...more] =
        row.peers.length === 0 ? [['-', '-', '-', '']] : row.peers.map((peer) => peerRow(row, peer));
      return [[...own, ...(first ?? [])], ...more.map((cells) => [...own.map(() => ''), ...cells])];
    }),
    none: 'there is no DRBD resource on this host',
  });
  return 0;
}

function peerRow({ size }: Row, peer: Row['peers'][number]): readonly string[] {
  const { name, role, connection, disk, replication, outOfSync } = peer;
  const syncs = replication !== null && replication !== 'Off' && replication !== 'Established';
  const done =
    syncs && size !== null && outOfSync !== null ? `${replication} ${percent(1 - outOfSync / size)}` : '';
  return [`${name} (${role})`, connection, disk, done];
}

function percent(part: number): string {
  return `${(Math.floor(part * 1000) / 10).toFixed(1)} %`;
}

async function rows(): Promise<DrbdList> {
  const found = await told();
  return found.by === 'programs' ? found.resources.flatMap(rowsOf) : found.status.devices.map(procRow);
}

function rowsOf({ name, configured, here, state }: Resource): DrbdList {
  const inFile = here?.volumes ?? [];
  const up = state?.volumes ?? [];
  const numbers = [...new Set([...inFile, ...up].map(({ volume }) => volume))].sort((a, b) => a - b);
  return numbers.map((volume) => {
    const file = inFile.find((each) => each.volume === volume);
    const now = up.find((each) => each.volume === volume);
    const minor = now?.minor ?? file?.minor ?? 0;
    return {
      ...{ resource: name, volume, minor, device: `/dev/drbd${String(minor)}` },
      ...{ configured: configured !== undefined, role: state?.role ?? null, disk: now?.disk ?? null },
      ...{ size: now?.size ?? null, backing: now?.backing ?? file?.disk ?? null },
      peers: (state?.connections ?? []).flatMap(({ peer, state: connection, role, volumes }) => {
        const its = volumes.find((each) => each.volume === volume);
        if (its === undefined) return [];
        const { disk, replication, outOfSync } = its;
        return [{ name: peer, connection, role, disk, replication, outOfSync: outOfSync ?? null }];
      }),
    };
  });
}

function procRow(device: ProcDevice): Row {
  const { minor, state } = device;
  const bare = {
    resource: null,
    volume: null,
    minor,
    device: `/dev/drbd${String(minor)}`,
    configured: false,
  };
  const none = { role: null, disk: null, size: null, backing: null, peers: [] };
  if (!('role' in device)) return { ...bare, ...none };
  const { role, disk, peerRole, peerDisk, outOfSync } = device;
  const peer = {
    name: 'peer',
    connection: state,
    role: peerRole,
    disk: peerDisk,
    replication: null,
    outOfSync,
  };
  return { ...bare, ...none, role, disk, peers: [peer] };
}

/** `bofh drbd status [RESOURCE]` */
export async function status(
  runtime: Runtime,
  name: string | undefined,
  { every }: Options = {},
): Promise<number> {
  if (every !== undefined) throw new UsageError('--every is for --watch');
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const asked = await withBofh(
    bofh,
    async (): Promise<Told> =>
      name === undefined ? told() : { by: 'programs', resources: [await drbd.resource(name)] },
  );
  const findingsOf = asked.by === 'programs' ? drbd.findings : kernelFindings;
  const all = asked.by === 'programs' ? asked.resources : resourcesIn(asked.status);
  const data: DrbdStatus = all.map((each) => ({
    resource: each.name,
    up: each.state !== undefined,
    findings: findingsOf(each).map((found) => ({ ...found })),
  }));
  give(runtime, {
    data,
    lines:
      data.length === 0
        ? ['there is no DRBD resource on this host']
        : data.flatMap(({ resource, findings }) =>
            findings.length === 0
              ? [`${resource}: up to date on every side, and connected`]
              : findings.flatMap(({ words, remedy }) => [`${resource}: ${words}`, `  ${remedy}`]),
          ),
  });
  return 0;
}

/** `bofh drbd show RESOURCE` */
export async function show(runtime: Runtime, name: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data = await withBofh(bofh, async () => {
    const resource = await drbd.resource(name);
    return shown(resource, await drbd.differences(resource));
  });
  give(runtime, { data, lines: linesOf(data) });
  return 0;
}

const noAddress = { family: null, address: null, port: null } as const;

function shown({ name, configured, here, state }: Resource, differences: readonly string[]): DrbdShow {
  return {
    differences: [...differences],
    ...{ resource: name, file: configured?.file ?? null, line: configured?.line ?? null },
    hosts: (configured?.hosts ?? []).map((host) => ({
      ...{ names: host.names, here: host === here, ...(host.address ?? noAddress) },
      peerAddresses: (host.peerAddresses ?? []).map((each) => ({ ...each })),
      volumes: host.volumes.map(volumeShown),
    })),
    options: Object.fromEntries(
      Object.entries(configured?.options ?? {}).map(([section, all]) => [section, { ...all }]),
    ),
    state:
      state === undefined
        ? null
        : {
            ...{ role: state.role, suspended: state.suspended },
            volumes: state.volumes.map(({ volume, minor, disk, size }) => ({
              volume,
              minor,
              disk,
              size: size ?? null,
            })),
            connections: state.connections.map(({ peer, nodeId, state: now, role, volumes }) => ({
              ...{ peer, nodeId, state: now, role },
              volumes: volumes.map(({ outOfSync, ...each }) => ({ ...each, outOfSync: outOfSync ?? null })),
            })),
          },
  };
}

function volumeShown({ volume, minor, device, disk, metadata }: ConfiguredVolume) {
  const on = metadata === 'internal' ? { device: metadata, index: undefined } : metadata;
  return {
    ...{ volume, minor, device, disk: disk ?? null },
    ...{ metadata: on.device, metadataIndex: on.index ?? null },
  };
}

function linesOf(shown: DrbdShow): readonly string[] {
  const { resource, file, line, hosts, options, state, differences } = shown;
  return [
    file === null
      ? `${resource}, which no file of the configuration has`
      : `${resource}, configured in ${file}:${String(line)}`,
    ...hosts.flatMap(({ names, here, volumes, ...reached }) => [
      `on ${names.join(', ') || 'a floating host'}${here ? ' (this host)' : ''}: ${addressWords(reached)}`,
      ...volumes.map(
        ({ volume, device, disk, metadata, metadataIndex: index }) =>
          `  volume ${String(volume)}: ${device} on ${disk ?? 'no disk'}, metadata ${metadata}${index === null ? '' : ` [${String(index)}]`}`,
      ),
    ]),
    ...Object.entries(options).flatMap(([section, all]) =>
      Object.entries(all).map(([name, value]) => `${section} ${name} ${value}`.trimEnd()),
    ),
    ...(state === null
      ? ['it is not up']
      : [
          `it is ${state.role}`,
          ...state.volumes.map(
            ({ volume, minor, disk, size }) =>
              `  volume ${String(volume)}: /dev/drbd${String(minor)} ${disk}${size === null ? '' : `, ${formatSize(size)}`}`,
          ),
          ...state.connections.flatMap(({ peer, state: now, role, volumes }) => [
            `to ${peer}: ${now}, ${role} there`,
            ...volumes.map(
              ({ volume, replication, disk, outOfSync }) =>
                `  volume ${String(volume)}: ${replication}, ${disk} there${outOfSync === null ? '' : `, ${formatSize(outOfSync)} out of sync`}`,
            ),
          ]),
        ]),
    ...(differences.length === 0
      ? []
      : [
          `the kernel runs it otherwise than ${file ?? ''} says. To have it follow the file (bofh drbd adjust ${resource}):`,
          ...differences.map((each) => `  ${each}`),
        ]),
  ];
}

type ShownHost = DrbdShow['hosts'][number];

function addressWords({
  family,
  address,
  port,
  peerAddresses,
}: Pick<ShownHost, 'family' | 'address' | 'port' | 'peerAddresses'>): string {
  const own = family === null || address === null || port === null ? [] : [{ family, address, port }];
  const words = [...own, ...peerAddresses].map(
    (each) => `${each.family} ${each.address} port ${String(each.port)}`,
  );
  return words.length === 0 ? 'no address' : words.join(', ');
}

/** `bofh drbd next [--on HOST,HOST]` */
export async function next(runtime: Runtime, { on }: Options = {}): Promise<number> {
  const hosts = typeof on === 'string' ? { on: hostsIn(on) } : {};
  // The site file says how hosts are reached that ssh does not know.
  const { bofh } = await openSession(runtime, {
    site: on === undefined ? 'unused' : 'used',
    root: 'not-needed',
  });
  const data: DrbdNext = await withBofh(bofh, () => drbd.next(hosts));
  give(runtime, { data, lines: [`port ${String(data.port)}, minor ${String(data.minor)}`] });
  return 0;
}

function hostsIn(text: string): readonly string[] {
  const hosts = text.split(',').filter((each) => each !== '');
  if (hosts.length > 0) return hosts;
  throw new UsageError(`--on "${text}": name hosts, as in --on web1,web2`);
}
