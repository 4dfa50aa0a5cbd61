import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { isResync, type ProcDevice, type Resource } from '../../../drbd/index.ts';
import { give } from '../../output/answer.ts';
import type { DrbdList } from '../../output/answers/index.ts';
import { type Cell, stated } from '../../output/style.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { knownResources } from './known-resources.ts';

export default verb({
  changes: false,
  answers: 'drbd list',
  table: true,
  examples: ['drbd list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const data: DrbdList = await withBofh(bofh, () => rows());
    give(runtime, {
      data,
      head: ['RESOURCE', 'DEVICE', 'ROLE', 'DISK', 'SIZE', 'ON', 'PEER', 'CONNECTION', 'PEER DISK', 'SYNC'],
      rows: data.flatMap((row) => {
        const own = [
          row.resource === null ? '?' : `${row.resource}/${String(row.volume)}`,
          ...[row.device, stated(row.role ?? 'down'), stated(row.disk ?? '-')],
          ...[row.size === null ? '-' : formatSize(row.size), row.backing ?? '-'],
        ];
        const [first, ...more] =
          row.peers.length === 0 ? [['-', '-', '-', '']] : row.peers.map((peer) => peerRow(row, peer));
        return [[...own, ...(first ?? [])], ...more.map((cells) => [...own.map(() => ''), ...cells])];
      }),
      none: 'there is no DRBD resource on this host',
    });
    return 0;
  },
});

type Row = DrbdList[number];

function peerRow({ size }: Row, peer: Row['peers'][number]): readonly Cell[] {
  const { name, role, connection, disk, replication, outOfSync } = peer;
  const rests = replication === null || replication === 'Off' || replication === 'Established';
  const part =
    !rests && isResync(replication) && size !== null && size > 0 && outOfSync !== null
      ? ` ${percent(1 - Math.min(outOfSync, size) / size)}`
      : '';
  const done = rests ? '' : `${replication}${part}`;
  return [`${name} (${role})`, stated(connection), stated(disk), stated(done, 'warning')];
}

function percent(part: number): string {
  return `${(Math.floor(part * 1000) / 10).toFixed(1)} %`;
}

async function rows(): Promise<DrbdList> {
  const found = await knownResources();
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
