import { drbdStores } from '../../blockdevice/holders/drbd-stores.ts';
import { deviceNode } from '../../blockdevice/index.ts';
import type { Command, ReadHost } from '../../command/index.ts';
import { configured, moduleVersion, states } from '../../drbd/index.ts';
import { drbdGenerations, type VolumeOf } from '../../drbd/volume-commands.ts';
import { CommandError } from '../../core/errors.ts';
import type { DrbdResource, DrbdVolume } from '../world/drbd.ts';
import { isPeerChanged } from '../world/drbd-link.ts';
import { statPath } from '../world/files.ts';
import { pageIn } from './overlay.ts';
import { present } from '../../core/present.ts';
import {
  commonFile,
  configDirectory,
  configOf,
  newFiles,
  type SimulatedConfig,
} from '../tools/drbd/config.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Reads resources and configuration of the real host, at the first command that changes one: from
 * then on the model answers.
 */
export async function knowDrbd({ real, replicas }: Overlay, world: World): Promise<void> {
  if (world.drbd.config !== undefined) return;
  const { backings } = await drbdStores(real);
  for (const { minor } of backings) replicas.add(minor);
  const resources: DrbdResource[] = [];
  for (const { name, role, volumes, connections } of await states(real)) {
    const known = volumes.map(async ({ volume, minor, disk, size = 0, written }): Promise<DrbdVolume> => {
      const path = backings.find((each) => each.minor === minor)?.path;
      const lower = path === undefined ? {} : { lower: (await deviceNode(real, path)).number };
      const its = connections.flatMap((each) => each.volumes.filter((one) => one.volume === volume));
      const isPaused = its.some(({ paused }) => paused.includes('user'));
      return {
        ...{ volume, minor, disk, size, ...lower, storage: `real:147:${String(minor)}`, real: true },
        ...(isPaused ? { paused: true } : {}),
        ...present({ written }),
        generations: disk === 'Diskless' ? [] : await generationsAt(real, { name, volume }),
        ...(its[0] === undefined || its[0].replication === 'Off' || its[0].replication === 'Established'
          ? {}
          : { replication: its[0].replication }),
      };
    });
    const [first] = connections;
    const isConnected = first?.state === 'Connected';
    const connection =
      first?.state === 'StandAlone' ? 'StandAlone' : isConnected ? 'Connected' : 'Connecting';
    const addresses = ['', ''] as const;
    const theirs = { role: first?.role ?? 'Unknown', disk: first?.volumes[0]?.disk ?? 'DUnknown' } as const;
    const peer = isConnected ? { peer: theirs } : {};
    resources.push({ name, role, connection, ...peer, addresses, volumes: await Promise.all(known) });
  }
  const config = (await configured(real)).map(
    ({ name, file, line, hosts, options }): SimulatedConfig => ({
      ...{ name, file, line },
      options: new Map(Object.entries(options).map(([section, all]) => [section, Object.entries(all)])),
      hosts: hosts.map(({ names, address, volumes }) => ({
        ...{
          name: names[0] ?? '',
          family: address?.family ?? '(null)',
          address: address?.address ?? '(null)',
        },
        port: String(address?.port ?? '(null)'),
        volumes: volumes.map(({ volume, minor, disk = '' }) => ({
          ...{ volume: String(volume), minor: String(minor), disk },
        })),
      })),
    }),
  );
  // The model leaves out a resource whose file it does not see, because the plan removed it. A
  // recovery has not read the configuration before, so it does not know the files yet.
  await pageInConfig(world, config);
  const version = await moduleVersion(real);
  const module = version === undefined ? ({ module: 'absent' } as const) : { module: 'loaded', version };
  Object.assign(world.drbd, { ...module, resources, config });
  world.revision += 1;
}

/**
 * Returns the generations of a volume; none if the programs of the host cannot read them. Then no
 * step of the plan needs them.
 */
async function generationsAt(real: ReadHost, of: VolumeOf): Promise<readonly string[]> {
  try {
    return await real.run(drbdGenerations(of));
  } catch (error) {
    if (error instanceof CommandError) return [];
    throw error;
  }
}

/**
 * Whether the plan has written or removed a file of the configuration. Then the model answers
 * drbdadm.
 */
export async function hasChangedConfig(overlay: Overlay, world: World): Promise<boolean> {
  const known = world.drbd.config ?? (await configured(overlay.real));
  await pageInConfig(world, known);
  return newFiles(world).length > 0 || known.some(({ file }) => statPath(world, file) === undefined);
}

async function pageInConfig(world: World, known: readonly { readonly file: string }[]): Promise<void> {
  await pageIn(world, configDirectory, 'names');
  await pageIn(world, commonFile, 'content');
  for (const { file } of known) await pageIn(world, file, 'stat');
}

/**
 * Returns the devices beneath a resource, which the model has to know before it brings the resource
 * up.
 */
export function disksOf(world: World, name: string | undefined): readonly string[] {
  const found = configOf(world).find((each) => each.name === name?.split('/')[0]);
  return found?.hosts.find((each) => each.name === world.hostname)?.volumes.map(({ disk }) => disk) ?? [];
}

/**
 * Whether the model answers a command: about the configuration once the plan has changed a file of
 * it, about the state once the plan has changed the state.
 */
export async function isDrbdOfModel(
  overlay: Overlay,
  world: World,
  { argv }: Command<unknown>,
): Promise<boolean> {
  return argv.at(-1) === 'dump-xml'
    ? await hasChangedConfig(overlay, world)
    : world.drbd.config !== undefined || isPeerChanged(world);
}
