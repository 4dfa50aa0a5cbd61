import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import type { ConfiguredVolume, Resource } from '../../../drbd/index.ts';
import { give } from '../../output/answer.ts';
import type { DrbdShow } from '../../output/answers/index.ts';
import { type Look, paintWord } from '../../output/style.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'drbd show',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd show web1'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const data = await withBofh(bofh, async () => {
      const resource = await drbd.resource(name);
      return shown(resource, await drbd.differences(resource));
    });
    give(runtime, { data, lines: linesOf(data, runtime.terminal.look) });
    return 0;
  },
});

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

function linesOf(shown: DrbdShow, { paint }: Look): readonly string[] {
  const word = (text: string): string => paintWord(paint, text);
  const { resource, file, line, hosts, options, state, differences } = shown;
  return [
    file === null
      ? `${resource}, which is in no configuration file`
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
      ? [paint('warning', 'it is not up')]
      : [
          `it is ${word(state.role)}`,
          ...state.volumes.map(
            ({ volume, minor, disk, size }) =>
              `  volume ${String(volume)}: /dev/drbd${String(minor)} ${word(disk)}${size === null ? '' : `, ${formatSize(size)}`}`,
          ),
          ...state.connections.flatMap(({ peer, state: now, role, volumes }) => [
            `to ${peer}: ${word(now)}, ${word(role)} there`,
            ...volumes.map(
              ({ volume, replication, disk, outOfSync }) =>
                `  volume ${String(volume)}: ${word(replication)}, ${word(disk)} there${outOfSync === null ? '' : `, ${formatSize(outOfSync)} out of sync`}`,
            ),
          ]),
        ]),
    ...(differences.length === 0
      ? []
      : [
          `the kernel has other settings for it than ${file ?? ''}. To apply the file (bofh drbd adjust ${resource}):`,
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
