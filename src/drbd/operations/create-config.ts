import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { CommandError, ParseError, RefusedError } from '../../errors.ts';
import { creation } from '../../file/create.ts';
import { drbdConfigWith } from '../commands.ts';
import type { Configured, ConfiguredHost } from '../config.ts';
import { configText, type NodeIds } from '../config-text.ts';
import { checkNewConfig, type NewConfig, newConfig } from '../new-config.ts';
import { configured } from '../reads.ts';
import { configKey, deviceOf } from './known.ts';
import { refuseTaken } from './taken.ts';

const undo = z.extend(creation.undo, {
  name: z.string(),
  /** On this host. */
  minors: z.array(z.int()),
  ports: z.array(z.int()),
  nodeIds: z.enum(['told', 'not told']),
});

/**
 * Writes the file of a new resource, /etc/drbd.d/NAME.res, which drbdadm has read beforehand, together with all others: it
 * appears whole or not at all, and never in the place of another one. Every host of the resource is given the same.
 */
export const createConfig = operation({
  ...creation,
  kind: 'drbd.config.create',
  version: 1,
  args: newConfig,
  undo,
  journalled: (args: NewConfig) => args,
  prepare: async ({ args, mark, host }) => {
    checkNewConfig(args);
    const { hostname } = await host.facts();
    const here = args.hosts.find(({ name }) => name === hostname);
    if (here === undefined)
      throw new RefusedError(
        `the resource ${args.name} has no part for this host (${hostname}): it names ${args.hosts.map(({ name }) => name).join(', ')}`,
        { remedy: 'name each host as uname -n says it there' },
      );
    const path = fileOf(args.name);
    await refuseTaken(host, { name: args.name, here });
    const nodeIds = await tried(host, args);
    const file = await creation.prepare({ args: fileArgs(args, nodeIds), mark, host });
    const minors = here.volumes.map(({ minor }) => minor);
    return { ...file, path, name: args.name, minors, ports: [here.port], nodeIds };
  },
  claims: ({ undo: { path, name, minors, ports } }) => ({
    makes: [
      ...[`file:${path}`, configKey(name)],
      ...minors.map((minor) => `drbd-minor:${String(minor)}`),
      ...ports.map((port) => `drbd-port:${String(port)}`),
    ],
  }),
  run: async ({ args, undo: wanted, host }) => {
    await creation.run({ args: fileArgs(args, wanted.nodeIds), undo: wanted, host });
    const found = (await configured(host)).find(({ name }) => name === args.name);
    if (found?.file === wanted.path) return null;
    throw new RefusedError(`drbdadm does not read ${wanted.path}`, {
      remedy: 'have /etc/drbd.conf include "drbd.d/*.res", then give the command again',
    });
  },
  value: ({ undo: { name, path, minors } }) => ({ name, file: path, devices: minors.map(deviceOf) }),
});

function fileOf(name: string): string {
  return `/etc/drbd.d/${name}.res`;
}

function fileArgs(args: NewConfig, nodeIds: NodeIds) {
  return { path: fileOf(args.name), content: configText(args, nodeIds), mode: 0o644 };
}

/** Has drbdadm read it, as if it were there already; RefusedError with its words where it does not take it. */
async function tried(host: ReadHost, args: NewConfig): Promise<NodeIds> {
  try {
    if (args.hosts.every(({ nodeId }) => nodeId !== undefined)) {
      await readBack(host, args, 'told');
      return 'told';
    }
  } catch (error) {
    if (!(error instanceof CommandError) || !error.stderr.includes("but got 'node-id'")) throw refusal(error);
  }
  try {
    await readBack(host, args, 'not told');
    return 'not told';
  } catch (error) {
    throw refusal(error);
  }

  function refusal(error: unknown): unknown {
    if (!(error instanceof CommandError) || error.exitCode === undefined) return error;
    const said = error.stderr
      .trim()
      .replaceAll(/\s*\n\s*/g, ' ')
      .replaceAll('/dev/stdin', fileOf(args.name));
    return new RefusedError(`drbdadm does not take the resource ${args.name}: ${said}; nothing was written`, {
      cause: error,
      remedy: 'see drbd.conf(5), and what is there already: bofh drbd list; drbdadm dump',
    });
  }
}

async function readBack(host: ReadHost, args: NewConfig, nodeIds: NodeIds): Promise<void> {
  const all = await host.run(drbdConfigWith(configText(args, nodeIds)));
  const found = all.find(({ name }) => name === args.name);
  if (found === undefined || !isAsked(found, args))
    throw new ParseError(`drbdadm reads something else of the resource ${args.name} than was asked for`);
}

function isAsked({ hosts }: Configured, args: NewConfig): boolean {
  const told = ({ names, address, volumes }: ConfiguredHost) => [
    ...[names.join(), address.address, address.port],
    ...volumes.map(({ volume, minor, disk, metadata }) => [volume, minor, disk, metadata]),
  ];
  const asked = ({ name, address, port, volumes }: NewConfig['hosts'][number]) => [
    ...[name, address, port],
    ...volumes.map(({ minor, disk }, volume) => [volume, minor, disk, 'internal']),
  ];
  return JSON.stringify(hosts.map(told)) === JSON.stringify(args.hosts.map(asked));
}
