import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { CommandError, ParseError, RefusedError } from '../../core/errors.ts';
import { creation } from '../../file/create.ts';
import { askedMode } from '../../file/path.ts';
import { drbdConfigWith } from '../commands.ts';
import type { Configured, ConfiguredHost } from '../config.ts';
import { checkNewConfig, type NewConfig, newConfig } from '../new-config.ts';
import { addressRemedy } from '../problems.ts';
import { configured } from '../reads.ts';
import { word } from '../statements.ts';
import { configKey, deviceOf, isStandAlone, now, whileUp } from './known-resource.ts';
import { refuseTaken } from './refuse-taken.ts';
import { isIPv6 } from 'node:net';

const args = z.extend(newConfig, {
  /** Content of the file, if the caller provides it. It must have the same values for the hosts. */
  text: z.exactOptional(z.string().check(z.minLength(1))),
  /** Permission bits of the file (default: 0644). */
  mode: z.exactOptional(askedMode),
  /** Allowed if the resource is up: the running resource does not change until `adjust` (default: refused). */
  whileUp,
});

type Args = z.infer<typeof args>;

const undo = z.extend(creation.undo, {
  name: z.string(),
  /** Minor numbers on this host. */
  minors: z.array(z.int()),
  ports: z.array(z.int()),
  nodeIds: z.enum(['written', 'omitted']),
  /** The previous state of a resource that must be up; missing if it was down. */
  was: z.exactOptional(z.enum(['StandAlone', 'connecting'])),
});

/**
 * Creates the file of a new resource, /etc/drbd.d/NAME.res, after drbdadm has checked it together
 * with all other files. The file appears complete or not at all, and never replaces another one.
 * Every host of the resource gets the same file.
 */
export const createConfig = operation({
  ...creation,
  kind: 'drbd.config.create',
  version: 1,
  args,
  undo,
  // As for any new file, its content is not journalled.
  journalled: ({ text, ...rest }: Args) =>
    text === undefined ? rest : { ...rest, bytes: Buffer.byteLength(text) },
  prepare: async ({ args: asked, mark, host }) => {
    const { name } = asked;
    checkNewConfig(asked);
    const { hostname } = await host.facts();
    const here = asked.hosts.find((each) => each.name === hostname);
    if (here === undefined)
      throw new RefusedError(
        `the resource ${name} has no section "on ${hostname}" for this host: it names ${asked.hosts.map((each) => each.name).join(', ')}`,
        { remedy: 'name each host by the output of uname -n on that host' },
      );
    const path = fileOf(name);
    await refuseTaken(host, { name, here, up: asked.whileUp === true ? 'itself' : 'nothing' });
    const nodeIds = await tried(host, asked);
    const file = await creation.prepare({ args: fileArgs(asked, nodeIds), mark, host });
    const minors = here.volumes.map(({ minor }) => minor);
    const of = { name, path, minors };
    const was = asked.whileUp === true ? { was: await connectionOf(host, of) } : {};
    return { ...file, ...of, ports: [here.port], nodeIds, ...was };
  },
  claims: ({ undo: { path, name, minors, ports } }) => ({
    makes: [
      ...[`file:${path}`, configKey(name)],
      ...minors.map((minor) => `drbd-minor:${String(minor)}`),
      ...ports.map((port) => `drbd-port:${String(port)}`),
    ],
  }),
  run: async ({ args: asked, undo: wanted, host }) => {
    await creation.run({ args: fileArgs(asked, wanted.nodeIds), undo: wanted, host });
    const found = (await configured(host)).find(({ name }) => name === asked.name);
    if (found?.file === wanted.path) return null;
    throw new RefusedError(`drbdadm does not read ${wanted.path}`, {
      remedy: 'add this line to /etc/drbd.conf: include "drbd.d/*.res"; then run the command again',
    });
  },
  revert: async ({ undo: made, host }) => {
    await refuseRunning(host, made);
    await creation.revert({ undo: made, host });
  },
  value: ({ undo: { name, path, minors } }) => ({ name, file: path, devices: minors.map(deviceOf) }),
});

async function connectionOf(
  host: ReadHost,
  of: Pick<z.infer<typeof undo>, 'name' | 'minors'>,
): Promise<'StandAlone' | 'connecting'> {
  const state = await now(host, of);
  return typeof state === 'object' && isStandAlone(state) ? 'StandAlone' : 'connecting';
}

/**
 * Refuses the undo if the kernel runs the configuration of this file, for example after a boot. A resource
 * that stayed connected has the addresses of the previous file, which the undo restores; a resource that was
 * StandAlone must be StandAlone again.
 */
async function refuseRunning(host: ReadHost, { was, ...made }: z.infer<typeof undo>): Promise<void> {
  const { name, path } = made;
  if (was === 'connecting' || typeof (await now(host, made)) === 'string') return;
  if (was === 'StandAlone' && (await connectionOf(host, made)) === 'StandAlone') return;
  const [why, first] =
    was === undefined
      ? ['has the devices', `drbdadm down ${name}`]
      : ['connects to the addresses', `drbdadm disconnect ${name}`];
  throw new RefusedError(`${name} is up, and ${why} in ${path}: the file stays`, {
    remedy: `to undo it anyway: ${first}; then: bofh recover`,
  });
}

function fileOf(name: string): string {
  return `/etc/drbd.d/${name}.res`;
}

function fileArgs(asked: Args, nodeIds: NodeIds) {
  return { path: fileOf(asked.name), content: contentOf(asked, nodeIds), mode: asked.mode ?? 0o644 };
}

function contentOf({ text, mode: _mode, whileUp: _, ...config }: Args, nodeIds: NodeIds): string {
  return text ?? configText(config, nodeIds);
}

/**
 * Checks the file with drbdadm as if it were installed. Throws RefusedError, with drbdadm's message, if it is
 * invalid.
 */
async function tried(host: ReadHost, asked: Args): Promise<NodeIds> {
  try {
    if (asked.hosts.every(({ nodeId }) => nodeId !== undefined)) {
      await readBack(host, asked, 'written');
      return 'written';
    }
  } catch (error) {
    if (!(error instanceof CommandError) || !error.stderr.includes("but got 'node-id'")) throw refusal(error);
  }
  try {
    await readBack(host, asked, 'omitted');
    return 'omitted';
  } catch (error) {
    throw refusal(error);
  }

  function refusal(error: unknown): unknown {
    if (!(error instanceof CommandError) || error.exitCode === undefined) return error;
    const said = error.stderr
      .trim()
      .replaceAll(/\s*\n\s*/g, ' ')
      .replaceAll('/dev/stdin', fileOf(asked.name));
    const [, address] = /\bIP (\S+) not found on this host/.exec(said) ?? [];
    return new RefusedError(`drbdadm refuses the resource ${asked.name}: ${said}; nothing was written`, {
      cause: error,
      remedy:
        address === undefined
          ? 'see drbd.conf(5), and the existing resources: bofh drbd list; drbdadm dump'
          : addressRemedy(address),
    });
  }
}

async function readBack(host: ReadHost, asked: Args, nodeIds: NodeIds): Promise<void> {
  const all = await host.run(drbdConfigWith(contentOf(asked, nodeIds)));
  const found = all.find(({ name }) => name === asked.name);
  if (found === undefined || !isAsked(found, asked))
    throw new ParseError(`drbdadm reads the new file of ${asked.name} differently from the request`);
}

function isAsked({ hosts }: Configured, args: NewConfig): boolean {
  const comparable = ({ names, address, volumes }: ConfiguredHost) => [
    ...[names.join(), address?.address, address?.port],
    ...volumes.map(({ volume, minor, disk, metadata }) => [volume, minor, disk, metadata]),
  ];
  const asked = ({ name, address, port, volumes }: NewConfig['hosts'][number]) => [
    ...[name, address, port],
    ...volumes.map(({ minor, disk }, volume) => [volume, minor, disk, 'internal']),
  ];
  return JSON.stringify(hosts.map(comparable)) === JSON.stringify(args.hosts.map(asked));
}

/**
 * Whether a configuration contains the `node-id` of each host, for DRBD 9. drbdadm-84 does not know this
 * keyword, and refuses the file (9.22).
 */
type NodeIds = 'written' | 'omitted';

/** The file of one resource, in the format of drbd.conf(5). */
export function configText(
  { name, hosts, protocol = 'C', options = {} }: NewConfig,
  nodeIds: NodeIds,
): string {
  const { net = {}, ...others } = options;
  // Without an algorithm the hosts cannot be compared (drbdadm verify); every kernel has this one.
  const whole = { protocol, 'verify-alg': 'crc32c', ...net };
  const sections = Object.entries({ net: whole, ...others }).filter(([, all]) => Object.keys(all).length > 0);
  return [
    `resource ${word(name)} {`,
    ...sections.flatMap(([section, all]) => [
      `  ${section} {`,
      ...Object.entries(all).map(([key, value]) => `    ${key}${value === '' ? '' : ` ${word(value)}`};`),
      '  }',
    ]),
    ...hosts.flatMap((host) => hostText(host, nodeIds)),
    '}',
    '',
  ].join('\n');
}

function hostText(
  { name, address, port, nodeId, volumes }: NewConfig['hosts'][number],
  nodeIds: NodeIds,
): readonly string[] {
  const at = isIPv6(address) ? `ipv6 [${address}]` : `ipv4 ${address}`;
  return [
    `  on ${word(name)} {`,
    ...(nodeId === undefined || nodeIds === 'omitted' ? [] : [`    node-id ${String(nodeId)};`]),
    ...volumes.flatMap(({ minor, disk }, volume) => [
      `    volume ${String(volume)} {`,
      `      device minor ${String(minor)};`,
      `      disk ${word(disk)};`,
      '      meta-disk internal;',
      '    }',
    ]),
    `    address ${at}:${String(port)};`,
    '  }',
  ];
}
