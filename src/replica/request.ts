import * as z from 'zod/mini';
import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { anySize, parsed, sizeOption, text } from '../core/request.ts';
import { type Bytes, parseSize } from '../core/units.ts';

const createSchema = z.strictObject({
  /** The name of the resource, and of the logical volume on each host. */
  name: text,
  /** The two hosts, by their ssh names, their names in the site file or their own names. */
  on: z.tuple([text, text]),
  /** The minimum size of the device, in bytes or as text: `10g`. */
  size: sizeOption,
  /** The volume group (default: `volumeGroup` of the site file). */
  vg: z.exactOptional(text),
  /** The volume group on the second host of `on` (default: the same). */
  peerVg: z.exactOptional(text),
  /** Addresses by host name, as in `on` (default: those in the only network that both hosts share). */
  addresses: z.exactOptional(z.record(text, text)),
  /** TCP port of the resource (default: the lowest that is free on both hosts). */
  port: z.exactOptional(z.int()),
  /** Minor number of the device (default: the lowest that is free on both hosts). */
  minor: z.exactOptional(z.int()),
  /** Replication protocol as in drbd.conf(5) (default: C, synchronous). */
  protocol: z.exactOptional(z.enum(['A', 'B', 'C'])),
  /**
   * `skip`: both volumes are full of zeros, and treated as identical. `full`: the primary sends all data to
   * the other host; without a primary, the first host by name does.
   */
  initialSync: z._default(z.enum(['skip', 'full']), 'skip'),
  /** The host that becomes primary (default: none). */
  primary: z.exactOptional(text),
  /** Time limit for the connection of the two hosts, in milliseconds. */
  connectMs: z._default(z.int().check(z.positive()), 30_000),
});

const convertSchema = z.strictObject({
  /** The existing group and logical volume on this host. */
  vg: text,
  /** Name of the volume in that group. */
  lv: text,
  /** The other host, by its ssh name, its name in the site file or its own name. */
  to: text,
  /** The name of the resource (default: that of the volume). */
  name: z.exactOptional(text),
  /** The volume group on the other host (default: the same). */
  peerVg: z.exactOptional(text),
  /**
   * Addresses by host name; this host has the name from `uname -n` (default: those in the only network that
   * both hosts share).
   */
  addresses: z.exactOptional(z.record(text, text)),
  /** TCP port of the resource (default: the lowest that is free on both hosts). */
  port: z.exactOptional(z.int()),
  /** Minor number of the device (default: the lowest that is free on both hosts). */
  minor: z.exactOptional(z.int()),
  /** Replication protocol as in drbd.conf(5) (default: C, synchronous). */
  protocol: z.exactOptional(z.enum(['A', 'B', 'C'])),
  /** Time limit for the connection of the two hosts, in milliseconds. */
  connectMs: z._default(z.int().check(z.positive()), 30_000),
});

const known = {
  /** Name of the resource, as in its configuration. */
  name: text,
  /** Its two hosts, if they cannot be reached by their names in its configuration. */
  on: z.exactOptional(z.tuple([text, text])),
};

const removeSchema = z.strictObject({
  ...known,
  /** `both`: on both hosts. `this`: only the part of this host. */
  hosts: z._default(z.enum(['both', 'this']), 'both'),
  /** Whether its logical volumes are removed or kept (default: `removed`). */
  volumes: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The host that keeps the data, in a plain volume without metadata. */
  keepOn: z.exactOptional(text),
});

const promoteSchema = z.strictObject({
  ...known,
  /** The host that becomes primary (default: this host). */
  to: z.exactOptional(text),
  /** Time limit for a resync that must finish first, in milliseconds. */
  limitMs: z._default(z.int().check(z.positive()), 300_000),
});

const demoteSchema = z.strictObject(known);

const growSchema = z.strictObject({
  ...known,
  /**
   * The minimum size of the device. `+5g`: relative to the current size. `max`: all free space of both
   * groups.
   */
  size: anySize,
});

const replaceSchema = z.strictObject({
  /** Name of the resource, as in its configuration. */
  name: text,
  /** The new peer, by its ssh name, its name in the site file or its own name. */
  to: text,
  /** The current peer, if it cannot be reached by its name in the configuration. */
  from: z.exactOptional(text),
  /** `lost`: the old peer is not contacted and not changed; `to` may be the same host, reinstalled. */
  old: z._default(z.enum(['removed', 'lost']), 'removed'),
  /** Whether its logical volume is removed or kept. */
  volumes: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The volume group on the new host (default: the group of the volume on this host). */
  vg: z.exactOptional(text),
  /**
   * Addresses by host name; this host has the name from `uname -n` (default: those in the only network that
   * both hosts share).
   */
  addresses: z.exactOptional(z.record(text, text)),
  /** TCP port of the resource (default: the present port; a free port if the old peer is lost). */
  port: z.exactOptional(z.int()),
  /** Time limit for the connection of the two hosts, in milliseconds. */
  connectMs: z._default(z.int().check(z.positive()), 30_000),
});

export type ReplaceRequest = z.input<typeof replaceSchema>;
/** `ReplaceRequest`, checked. */
export type CheckedReplace = z.output<typeof replaceSchema>;

/** Checks a `ReplaceRequest`. With a lost peer, the options for its cleanup are invalid. */
export function checkReplace(request: unknown): CheckedReplace {
  const asked = parsed('drbd.replacePeer', replaceSchema, request);
  if (asked.old === 'removed') return asked;
  if (asked.from === undefined && asked.volumes === 'removed') return asked;
  throw new UsageError(
    `bofh removes nothing from a lost peer: leave out ${option('--from', 'from')} and ${option('--keep-volumes', 'volumes')}`,
  );
}

export type ConvertRequest = z.input<typeof convertSchema>;
/** `ConvertRequest`, checked. */
export type CheckedConvert = z.output<typeof convertSchema>;
export type RemoveRequest = z.input<typeof removeSchema>;
export type PromoteRequest = z.input<typeof promoteSchema>;
export type DemoteRequest = z.input<typeof demoteSchema>;
export type GrowRequest = z.input<typeof growSchema>;

export const checkConvert = (request: unknown): CheckedConvert =>
  parsed('drbd.convert', convertSchema, request);
export const checkRemove = (request: unknown): z.output<typeof removeSchema> =>
  parsed('drbd.remove', removeSchema, request);
export const checkPromote = (request: unknown): z.output<typeof promoteSchema> =>
  parsed('drbd.promote', promoteSchema, request);
export const checkDemote = (request: unknown): z.output<typeof demoteSchema> =>
  parsed('drbd.demote', demoteSchema, request);
export const checkGrow = (request: unknown): z.output<typeof growSchema> =>
  parsed('drbd.grow', growSchema, request);

/** The settings of a new replica. */
export type CreateRequest = z.input<typeof createSchema>;

/** The checked settings of a new replica, with its size in bytes. */
export type CheckedCreate = Omit<z.output<typeof createSchema>, 'size'> & { readonly size: Bytes };

/** Checks a request, because scripts are not type-checked. Throws UsageError. */
export function checkCreate(request: unknown): CheckedCreate {
  const { size, ...rest } = parsed('drbd.create', createSchema, request);
  const { on, addresses, primary } = rest;
  for (const [key, named] of [
    [option('--address', 'addresses'), Object.keys(addresses ?? {})],
    [option('--primary', 'primary'), primary === undefined ? [] : [primary]],
  ] as const)
    for (const each of named)
      if (!on.includes(each))
        throw new UsageError(`${key}: "${each}" is not one of the two hosts: ${on.join(', ')}`);
  if (addresses !== undefined && Object.keys(addresses).length < 2)
    throw new UsageError(
      `${option('--address', 'addresses')}: name an address for each of the two hosts, or for none`,
    );
  return { ...rest, size: parseSize(size) };
}
