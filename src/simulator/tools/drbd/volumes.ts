import type { Answer } from '../../../command/index.ts';
import { deviceByNumber, openers } from '../../world/devices.ts';
import { type DrbdResource, type DrbdVolume, justCreated, placeOf } from '../../world/drbd.ts';
import { memoryOf } from '../../../drbd/memory.ts';
import { alike, begin, grow, remember } from '../../world/drbd-link.ts';
import { readFile, statPath } from '../../world/files.ts';
import type { Content } from '../../world/parts.ts';
import { copyContent, settle, type World } from '../../world/world.ts';
import { failed, ok } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { placed, superblockAt } from './bytes.ts';
import type { SimulatedConfig } from './config.ts';

type Configured = Pick<SimulatedConfig, 'name' | 'hosts'>;
type ConfiguredVolume = SimulatedConfig['hosts'][number]['volumes'][number];

/** Verbs of drbdadm for a resource that is up, or for one volume of it. */
export const volumeVerbs = {
  attach: each('attach', (at) => {
    if (at.volume.disk !== 'Diskless')
      return refused(at, '(124) Device is attached to a disk (use detach first)');
    const { name, hosts } = at.config;
    const here = hosts.find((host) => host.name === at.world.hostname);
    const known = here?.volumes.find((known) => Number(known.volume) === at.volume.volume);
    if (known === undefined) return failed(1, `'${name}' not defined in your config (for this host).`);
    set(at, attached(at.world, name, known));
    return ok();
  }),
  detach: each('detach', (at) => {
    const { lower: _, ...rest } = at.volume;
    set(at, { ...rest, disk: 'Diskless' });
    return ok();
  }),
  'pause-sync': each('pause-sync', (at) => {
    if (at.volume.paused === true) return refused(at, '(135) Sync-pause flag is already set');
    set(at, { ...at.volume, paused: true });
    return ok();
  }),
  'resume-sync': each('resume-sync', (at) => {
    const { paused, ...rest } = at.volume;
    if (paused === undefined) return refused(at, '(136) Sync-pause flag is already cleared');
    set(at, rest);
    return ok();
  }),
  connect,
  'connect --discard-my-data': (world: World, config: Configured): Answer => {
    const done = connect(world, config);
    const there = resourceNamed(world, config.name);
    if (there !== undefined && done.exitCode === 0) there.discards = true;
    return done;
  },
  'get-gi': (world: World, config: Configured, asked?: number): Answer => {
    const there = resourceNamed(world, config.name);
    const lines: string[] = [];
    for (const each of there?.volumes ?? []) {
      if (asked !== undefined && each.volume !== asked) continue;
      if (each.disk === 'Diskless') return failed(1, 'Device has no disk');
      for (const uuids of generationsOf(world, each))
        lines.push(`${uuids}:0000000000000000:0000000000000000:1:1:0:0:0:0:0\n`);
    }
    return lines.length === 0 ? notAllocated('get-gi') : ok(lines.join(''));
  },
  disconnect: (world: World, { name, hosts }: Configured): Answer => {
    const there = resourceNamed(world, name);
    if (there === undefined) return notAllocated('disconnect');
    // drbdadm names the connection by the addresses of the configuration (adm_disconnect of v84/drbdadm_main.c, 9.22).
    const known = addressesIn({ hosts }, world.hostname).join();
    if (there.connection !== 'StandAlone' && !['', known].includes(there.addresses.filter(Boolean).join()))
      return failed(
        10,
        `${name}: Failure: (162) Invalid configuration request\nadditional info from kernel:\nunknown connection`,
      );
    if (there.connection === 'Connected' && there.role === 'Primary') begin(world, there);
    Object.assign(there, { connection: 'StandAlone', peer: undefined });
    delete there.discards;
    there.volumes = there.volumes.map(({ replication: _, ...rest }) => rest);
    return ok();
  },
  adjust: (world: World, config: Configured): Answer => {
    const there = resourceNamed(world, config.name);
    if (there === undefined) return notAllocated('adjust');
    const { added, removed } = unlikeFile(world, there, config);
    const held = removed.find(({ minor }) => openers(world, `147:${minor}`).length > 0);
    if (held !== undefined) return failed(11, 'State change failed: (-12) Device is held open by someone');
    const kept = there.volumes.filter((each) => !removed.includes(each));
    there.volumes = [...kept, ...added.map((each) => attached(world, config.name, each))];
    if (there.volumes.slice(kept.length).some(({ disk }) => disk === 'Diskless'))
      return failed(1, 'No valid meta data found');
    for (const { volume } of there.volumes.filter(({ disk }) => disk === 'Diskless')) {
      const done = volumeVerbs.attach(world, config, volume);
      if (done.exitCode !== 0) return done;
    }
    if (isElsewhere(world, there, config)) there.connection = 'StandAlone';
    return there.connection === 'StandAlone' ? connect(world, config) : ok();
  },
  '--dry-run adjust': (world: World, config: Configured): Answer => {
    const there = resourceNamed(world, config.name);
    if (there === undefined) return ok(`drbdsetup-84 new-resource ${config.name}\n`);
    const bare = there.volumes.filter(({ disk }) => disk === 'Diskless');
    const ends = addressesIn(config, world.hostname).join(' ');
    const { added, removed } = unlikeFile(world, there, config);
    const lines = [
      ...removed.map(({ minor }) => `drbdsetup-84 detach ${minor}\ndrbdsetup-84 del-minor ${minor}\n`),
      ...added.map(
        ({ volume, minor, disk }) =>
          `drbdsetup-84 new-minor ${config.name} ${minor} ${volume}\ndrbdmeta ${minor} v08 ${disk} internal apply-al\ndrbdsetup-84 attach ${minor} ${disk} ${disk} internal\n`,
      ),
      ...bare.map(({ minor }) => `drbdsetup-84 attach ${minor}\n`),
      ...(isElsewhere(world, there, config)
        ? [`drbdsetup-84 disconnect ${there.addresses.join(' ')}\n`]
        : []),
      ...(there.connection === 'StandAlone' || isElsewhere(world, there, config)
        ? [`drbdsetup-84 connect ${config.name} ${ends}\n`]
        : []),
    ];
    return ok(lines.join(''));
  },
  resize: each('resize', (at) => {
    const { there, world, volume } = at;
    // Without a peer it does nothing.
    if (there.connection !== 'Connected') return ok();
    if (there.role !== 'Primary' && there.peer?.role !== 'Primary')
      return refused(at, '(130) Need one Primary node to resize.');
    grow(world, there, volume.volume);
    return ok();
  }),
  'new-current-uuid --clear-bitmap': each('new-current-uuid', (at) => {
    const { there, volume } = at;
    if (there.connection !== 'Connected' || volume.disk !== 'Inconsistent' || there.peer === undefined)
      return refused(at, '(151) Device is connected or was in use before');
    there.peer = { ...there.peer, disk: 'UpToDate' };
    set(at, { ...volume, disk: 'UpToDate' });
    remember(at.world, volume);
    alike(at.world, there);
    return ok();
  }),
  invalidate: each('invalidate', (at) => {
    if (at.there.peer?.disk !== 'UpToDate') return refused(at, '(-2) Need access to UpToDate data');
    set(at, { ...at.volume, disk: 'Inconsistent', replication: 'SyncTarget' });
    return ok();
  }),
  'invalidate-remote': each('invalidate-remote', (at) => {
    const { there, volume } = at;
    if (there.peer === undefined) return refused(at, '(-15) Need a connection');
    there.peer = { ...there.peer, disk: 'Inconsistent' };
    set(at, { ...volume, replication: 'SyncSource' });
    return ok();
  }),
  verify: each('verify', (at) => {
    if (at.there.connection !== 'Connected') return refused(at, '(-15) Need a connection');
    set(at, { ...at.volume, replication: 'VerifyS' });
    return ok();
  }),
} as const;

/** The volumes that only the file has, and those that only the kernel has. */
function unlikeFile(world: World, { volumes }: DrbdResource, { hosts }: Configured) {
  const here = hosts.find((host) => host.name === world.hostname)?.volumes ?? [];
  return {
    added: here.filter((each) => !volumes.some(({ volume }) => volume === Number(each.volume))),
    removed: volumes.filter(({ volume }) => !here.some((each) => Number(each.volume) === volume)),
  };
}

const none = '0000000000000000';

/**
 * Returns the current and the bitmap UUID of a volume, the first ones that `drbdadm get-gi` prints.
 */
function generationsOf(world: World, { lower, generations }: DrbdVolume): readonly string[] {
  if (generations !== undefined) return generations;
  const device = lower === undefined ? undefined : deviceByNumber(world, lower);
  const { generation = justCreated, bitmap = none } =
    device === undefined ? {} : (world.live.get(device.storage) ?? {});
  return [`${generation}:${bitmap}`.toUpperCase()];
}

/**
 * Whether the resource looks for its peer at other addresses than those in its file; a plan does
 * not know the addresses of a real host.
 */
function isElsewhere(world: World, { connection, addresses }: DrbdResource, config: Configured): boolean {
  const known = addresses.filter(Boolean);
  return (
    connection !== 'StandAlone' &&
    known.length > 0 &&
    known.join() !== addressesIn(config, world.hostname).join()
  );
}

interface At {
  readonly world: World;
  readonly config: Configured;
  readonly there: DrbdResource;
  readonly volume: DrbdVolume;
}

/** Returns a verb for one volume, or for each; it stops at the first failure. */
function each(verb: string, act: (at: At) => Answer) {
  return (world: World, config: Configured, asked?: number): Answer => {
    const there = resourceNamed(world, config.name);
    if (there === undefined) return notAllocated(verb);
    for (const volume of there.volumes.filter((one) => asked === undefined || one.volume === asked)) {
      const done = act({ world, config, there, volume });
      if (done.exitCode !== 0) return done;
    }
    return ok();
  };
}

function set({ there, volume }: At, to: DrbdVolume): void {
  there.volumes = there.volumes.map((one) => (one.volume === volume.volume ? to : one));
}

/**
 * Connects the addresses that are in the configuration now (adm_connect of v84/drbdadm_main.c,
 * 9.22, gives both to drbdsetup).
 */
function connect(world: World, { name, hosts }: Configured): Answer {
  const there = resourceNamed(world, name);
  if (there === undefined) return notAllocated('connect');
  if (there.connection !== 'StandAlone')
    return failed(10, `${name}: Failure: (102) Local address(port) already in use.`);
  there.connection = 'Connecting';
  there.addresses = addressesIn({ hosts }, world.hostname);
  return ok();
}

/** Returns the addresses of this host and of its peer: `ipv4:10.0.0.1:7788`. */
export function addressesIn(
  { hosts }: Pick<Configured, 'hosts'>,
  hostname: string,
): readonly [string, string] {
  const of = (host: Configured['hosts'][number] | undefined): string =>
    host === undefined ? '' : `${host.family}:${host.address}:${host.port}`;
  return [of(hosts.find(({ name }) => name === hostname)), of(hosts.find(({ name }) => name !== hostname))];
}

/** Returns a volume with the disk of its configuration; diskless if the disk has no metadata. */
export function attached(world: World, name: string, { volume, minor, disk }: ConfiguredVolume): DrbdVolume {
  const lower = deviceAt(world, disk);
  const content = lower === undefined ? undefined : world.live.get(lower.storage);
  const bare = { volume: Number(volume), minor: Number(minor) };
  if (lower === undefined || content?.superblock?.type !== 'drbd')
    return { ...bare, disk: 'Diskless', size: 0, storage: `drbd::${name}/${volume}` };
  // A plan does not read real metadata, and assumes that the data is good.
  const fresh = world.overlay === undefined ? 'Inconsistent' : 'UpToDate';
  if (world.overlay === undefined && !isFound(world, { minor: Number(minor), size: lower.size, content }))
    return { ...bare, disk: 'Diskless', size: 0, storage: `drbd::${name}/${volume}` };
  const { storage, size: room } = placeOf(lower, content.superblock.uuid ?? '');
  // Without its peer the volume keeps the size on which both have agreed (drbd_new_dev_size of
  // drbd_nl.c, 8.4).
  const place = { storage, size: content.agreed === undefined ? room : Math.min(room, content.agreed * 512) };
  world.live.set(lower.storage, placed(lower, content, place.size));
  settle(world, lower.storage);
  if (!world.live.has(place.storage)) {
    world.live.set(place.storage, copyContent(content.metadata?.beneath ?? {}));
    // The volume has exactly the bytes of the disk.
    settle(world, place.storage);
  }
  return { ...bare, disk: content.replica ?? fresh, lower: lower.number, ...place };
}

/**
 * Whether drbdmeta finds the internal metadata: at the end of the disk or, if the disk has grown,
 * at the old end as last recorded (v08_check_for_resize of drbdmeta.c, 9.22).
 */
function isFound(
  world: World,
  {
    minor,
    size,
    content: { superblock, metadata },
  }: { readonly minor: number; readonly size: number; readonly content: Content },
): boolean {
  if (metadata === undefined || metadata.at === superblockAt(size)) return true;
  const path = memoryOf(minor);
  if (statPath(world, path) === undefined) return false;
  const { size: known, uuid } =
    /^(?<size>\d+)\t\S+\n(?:uuid:\t(?<uuid>[0-9A-F]{16})\n)?$/.exec(
      new TextDecoder().decode(readFile(world, path)),
    )?.groups ?? {};
  if (metadata.at !== superblockAt(Number(known))) return false;
  return uuid === undefined || uuid.toLowerCase() === superblock?.uuid;
}

export function resourceNamed({ drbd }: World, name: string): DrbdResource | undefined {
  return drbd.resources.find((one) => one.name === name);
}

function refused({ volume }: At, words: string): Answer {
  return failed(10, `${volume.minor}: Failure: ${words}`);
}

export function notAllocated(verb: string): Answer {
  return failed(
    10,
    `0: Failure: (127) Device minor not allocated\nadditional info from kernel:\nunknown minor\nCommand 'drbdsetup-84 ${verb} 0' terminated with exit code 10`,
  );
}
