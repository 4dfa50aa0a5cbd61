import type { Answer } from '../../../command/index.ts';
import { deviceByNumber, openers } from '../../world/devices.ts';
import type { DrbdResource, DrbdVolume } from '../../world/drbd.ts';
import { alike, begin, look, remember } from '../../world/drbd-link.ts';
import { unmodelled } from '../../options.ts';
import type { World } from '../../world/world.ts';
import { createMd, drbdmeta, nameMetadata } from './metadata.ts';
import { addressesIn, attached, notAllocated, resourceNamed, volumeVerbs } from './volumes.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import {
  commonOf,
  ConfigError,
  configFile,
  configOf,
  dumpXml,
  expanded,
  type SimulatedConfig,
  verifyAddresses,
} from './config.ts';

/**
 * drbd-utils 9.22 over module 8.4.11, on a host whose peers are never reachable, unless it is
 * linked to one (`linkDrbd`).
 */
export const drbdTools: Readonly<Record<string, ToolModel>> = { drbdadm, drbdmeta, drbdsetup };

function drbdsetup(call: ToolCall): Answer {
  const { drbd } = call.world;
  // drbdsetup loads the module, whatever its verb.
  drbd.module = 'loaded';
  look(call.world);
  switch (call.argv.join(' ')) {
    case 'events2 --now --statistics':
      return ok(`${drbd.resources.flatMap(eventsOnce).join('')}exists -\n`);
    case 'show':
      return ok(drbd.resources.map((each) => shown(call.world, each)).join(''));
    default:
      if (call.argv[0] === 'down' && call.argv.length === 2)
        return down(call.world, { name: call.argv[1] ?? '' });
      throw unmodelled(call, 'it shows events and the configuration, and brings a resource down');
  }
}

/** Prints the events. A verify ends as soon as it was shown once. */
function eventsOnce(resource: DrbdResource): readonly string[] {
  const said = events(resource);
  for (const volume of resource.volumes) if (volume.replication === 'VerifyS') delete volume.replication;
  return said;
}

function events({ name, role, connection, volumes, peer: theirs }: DrbdResource): readonly string[] {
  const peer = connection === 'StandAlone' ? '' : ' conn-name:peer';
  const at = `name:${name} peer-node-id:0${peer}`;
  return [
    `exists resource name:${name} role:${role} suspended:no write-ordering:flush\n`,
    `exists connection ${at} connection:${connection} role:${theirs?.role ?? 'Unknown'} congested:no\n`,
    ...volumes.map(
      ({ volume, minor, disk, size, written = 0 }) =>
        `exists device name:${name} volume:${volume} minor:${minor} disk:${disk} size:${size / 1024} read:0 written:${written / 1024} al-writes:8 bm-writes:0 upper-pending:0 lower-pending:0 al-suspended:yes blocked:no\n`,
    ),
    ...volumes.map(
      ({ volume, size, paused, replication = theirs === undefined ? 'Off' : 'Established' }) =>
        `exists peer-device ${at} volume:${volume} replication:${replication} peer-disk:${theirs?.disk ?? 'DUnknown'} resync-suspended:${paused === true ? 'user' : 'no'} received:0 sent:0 out-of-sync:${size / 1024} pending:0 unacked:0\n`,
    ),
  ];
}

function shown(world: World, { name, addresses: [own, peer], connection, volumes }: DrbdResource): string {
  const address = (each: string): string => `        address\t\t\t${each.replace(':', ' ')};\n`;
  const ofVolume = ({ volume, minor, lower }: DrbdVolume): string => {
    const disk =
      lower === undefined
        ? ''
        : `            disk\t\t\t"/dev/${deviceByNumber(world, lower)?.name ?? ''}";\n            meta-disk\t\t\tinternal;\n`;
    return `        volume ${volume} {\n            device\t\t\tminor ${minor};\n${disk}        }\n`;
  };
  return [
    `resource ${name} {\n    options {\n    }\n`,
    ...(connection === 'StandAlone' ? [] : [`    net {\n    }\n    _remote_host {\n${address(peer)}    }\n`]),
    `    _this_host {\n${address(own)}${volumes.map(ofVolume).join('')}    }\n}\n\n`,
  ].join('');
}

type Verb = (world: World, config: SimulatedConfig, volume: number | undefined) => Answer;

const verbs: Readonly<Record<string, Verb>> = {
  'create-md --force': forceMetadata,
  up,
  down,
  primary,
  'primary --force': forcePrimary,
  secondary,
  ...volumeVerbs,
};

/**
 * Prints the versions as a host with Debian 12 does (main of v9/drbdadm_main.c, 9.22); a test may
 * set another one.
 */
function version({ drbd }: World): Answer {
  const { utils = '9.22.0' } = drbd;
  return ok(
    `DRBDADM_BUILDTAG=GIT-hash:\\ 0\nDRBDADM_API_VERSION=2\nDRBD_KERNEL_VERSION_CODE=0x08040b\nDRBDADM_VERSION_CODE=0x091600\nDRBDADM_VERSION=${utils}\n`,
  );
}

/** Verbs that fail without the address of this host, unless they only show what they would do (cmds of v84/drbdadm_main.c). */
const verifying: ReadonlySet<string> = new Set([
  ...['adjust', 'connect', 'invalidate-remote', 'pause-sync', 'resize', 'resume-sync', 'up', 'verify'],
]);

function drbdadm(call: ToolCall): Answer {
  const { world, argv } = call;
  if (argv.join(' ') === '--version') return version(world);
  const file = argv[0] === '-c' ? argv[1] : undefined;
  const isTest = argv[0] === '--config-to-test' && argv[1] === '/dev/stdin';
  const words = file !== undefined || isTest ? argv.slice(2) : argv;
  const isDump = ['dump-xml', '--dry-run dump-xml'].includes(words.join(' '));
  const isDry = words[0] === '--dry-run';
  const target = words.at(-1) ?? '';
  const act = verbs[words.slice(0, -1).join(' ')];
  if (!isDump && (act === undefined || target.startsWith('-')))
    throw unmodelled(call, 'it dumps the configuration, and changes one resource');
  look(world);
  try {
    const all = configOf(world, { only: file, more: isTest ? call.stdin : undefined });
    if (isDump || act === undefined) {
      if (!isDry) verifyAddresses(world, all);
      const common = commonOf(world);
      return ok(dumpXml(isDry ? all.map((each) => expanded(each, common)) : all, file ?? configFile, common));
    }
    const [name, volume] = target.split('/');
    const config = all.find((each) => each.name === name);
    if (config === undefined) return failed(1, `'${target}' not defined in your config (for this host).`);
    if (!isDry && verifying.has(words[0] ?? '')) verifyAddresses(world, [config]);
    return act(world, config, volume === undefined ? undefined : Number(volume));
  } catch (error) {
    if (error instanceof ConfigError) return failed(10, error.message);
    throw error;
  }
}

function up(world: World, { name, hosts }: SimulatedConfig): Answer {
  const here = hosts.find((each) => each.name === world.hostname);
  if (here === undefined || hosts.length < 2)
    return failed(1, `'${name}' not defined in your config (for this host).`);
  if (resourceNamed(world, name) !== undefined)
    return failed(1, "Device '0' is configured!\nCommand 'drbdmeta' terminated with exit code 20");
  world.drbd.module = 'loaded';
  const volumes = here.volumes.map((each) => attached(world, name, each));
  const whole = volumes.every(({ disk }) => disk !== 'Diskless');
  const connection = whole ? 'Connecting' : 'StandAlone';
  const made = {
    name,
    role: 'Secondary',
    connection,
    addresses: addressesIn({ hosts }, world.hostname),
    volumes,
  } as const;
  world.drbd.resources = [...world.drbd.resources, { ...made, volumes: [...volumes] }];
  return whole ? ok() : failed(1, 'No valid meta data found');
}

/** Creates metadata on each disk, over any content. */
function forceMetadata(world: World, { hosts }: SimulatedConfig): Answer {
  for (const { disk } of hosts.find((each) => each.name === world.hostname)?.volumes ?? []) {
    const made = createMd(world, { disk, force: true });
    if (made.exitCode !== 0) return made;
    nameMetadata(world, disk, world.ids.uuid().replaceAll('-', '').slice(0, 16));
  }
  return ok('New drbd meta data block successfully created.\n');
}

/** Declares the data of this host as UpToDate. */
function forcePrimary(world: World, config: SimulatedConfig): Answer {
  const there = resourceNamed(world, config.name);
  for (const volume of there?.volumes ?? []) {
    if (volume.lower === undefined) continue;
    volume.disk = 'UpToDate';
    remember(world, volume);
  }
  const done = primary(world, config);
  if (there !== undefined && done.exitCode === 0) alike(world, there);
  return done;
}

function down(world: World, { name }: Pick<SimulatedConfig, 'name'>): Answer {
  const there = resourceNamed(world, name);
  if (there === undefined) return ok();
  if (isHeld(world, there))
    return failed(
      11,
      `${name}: State change failed: (-12) Device is held open by someone\nadditional info from kernel:\nfailed to demote\nCommand 'drbdsetup-84 down ${name}' terminated with exit code 11`,
    );
  world.drbd.resources = world.drbd.resources.filter((each) => each !== there);
  return ok();
}

function primary(world: World, { name, options }: SimulatedConfig): Answer {
  const there = resourceNamed(world, name);
  if (there === undefined) return notAllocated('primary');
  const net = [...(commonOf(world).get('net') ?? []), ...(options.get('net') ?? [])];
  const allowTwoPrimaries = net.findLast(([option]) => option === 'allow-two-primaries')?.[1];
  if (there.peer?.role === 'Primary' && allowTwoPrimaries !== '' && allowTwoPrimaries !== 'yes')
    return failed(
      11,
      "0: State change failed: (-1) Multiple primaries not allowed by config\nCommand 'drbdsetup-84 primary 0' terminated with exit code 11",
    );
  if (there.volumes.some(({ disk }) => disk !== 'UpToDate'))
    return failed(
      17,
      "0: State change failed: (-2) Need access to UpToDate data\nCommand 'drbdsetup-84 primary 0' terminated with exit code 17",
    );
  there.role = 'Primary';
  if (there.connection !== 'Connected') begin(world, there);
  return ok();
}

function secondary(world: World, { name }: SimulatedConfig): Answer {
  const there = resourceNamed(world, name);
  if (there === undefined) return notAllocated('secondary');
  if (isHeld(world, there))
    return failed(
      11,
      "0: State change failed: (-12) Device is held open by someone\nCommand 'drbdsetup-84 secondary 0' terminated with exit code 11",
    );
  there.role = 'Secondary';
  return ok();
}

function isHeld(world: World, { volumes }: DrbdResource): boolean {
  return volumes.some(({ minor }) => openers(world, `147:${minor}`).length > 0);
}
