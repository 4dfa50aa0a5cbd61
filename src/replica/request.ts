import * as z from 'zod/mini';
import { UsageError } from '../core/errors.ts';
import { parsed, sizeOf } from '../core/request.ts';
import type { Bytes } from '../core/units.ts';

const text = z.string().check(z.minLength(1));

const createSchema = z.strictObject({
  /** Of the resource, and of the logical volume on each host. */
  name: text,
  /** The two hosts: as ssh, the site file or they themselves name them. */
  on: z.tuple([text, text]),
  /** What the device is to have at least. Bytes, or text: `10g`. */
  size: z.union([z.string(), z.number()]),
  vg: z.exactOptional(text),
  /** By the names of the hosts, as in `on`. Missing: the one network that both are in. */
  addresses: z.exactOptional(z.record(text, text)),
  port: z.exactOptional(z.int()),
  minor: z.exactOptional(z.int()),
  protocol: z.exactOptional(z.enum(['A', 'B', 'C'])),
  /**
   * `skip`: the volumes of both are full of zeros, and taken for alike. `full`: all of it is sent all the same,
   * from the primary, or else from the first by name.
   */
  initialSync: z._default(z.enum(['skip', 'full']), 'skip'),
  /** Which of the two is the primary in the end; missing: none. */
  primary: z.exactOptional(text),
  /** How long the two may take to find each other. */
  connectMs: z._default(z.int().check(z.positive()), 30_000),
});

const convertSchema = z.strictObject({
  /** The group and the logical volume that are there, on this host. */
  vg: text,
  lv: text,
  /** The other host: as ssh, the site file or it itself names it. */
  to: text,
  /** Of the resource; missing: that of the volume. */
  name: z.exactOptional(text),
  /** The group on the other host; missing: the same. */
  peerVg: z.exactOptional(text),
  /** By the names of the hosts: that of this one as `uname -n` says it. Missing: the one network that both are in. */
  addresses: z.exactOptional(z.record(text, text)),
  port: z.exactOptional(z.int()),
  minor: z.exactOptional(z.int()),
  protocol: z.exactOptional(z.enum(['A', 'B', 'C'])),
  /** How long the two may take to find each other. */
  connectMs: z._default(z.int().check(z.positive()), 30_000),
});

const known = {
  name: text,
  /** Its two hosts, where they are not reached by the names that its configuration has. */
  on: z.exactOptional(z.tuple([text, text])),
};

const removeSchema = z.strictObject({
  ...known,
  /** `both`: on both hosts. `this`: what this one has of it alone. */
  hosts: z._default(z.enum(['both', 'this']), 'both'),
  volumes: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The host on which its data live on, in a plain volume without metadata. */
  keepOn: z.exactOptional(text),
});

const promoteSchema = z.strictObject({
  ...known,
  /** Missing: this one. */
  to: z.exactOptional(text),
  /** How long a resync may take that it has to wait for. */
  limitMs: z._default(z.int().check(z.positive()), 300_000),
});

const demoteSchema = z.strictObject(known);

const growSchema = z.strictObject({
  ...known,
  /** What the device is to have at least; `+5g`: so much more than it has; `max`: all that both hosts have room for. */
  size: z.union([z.string(), z.number()]),
});

const replaceSchema = z.strictObject({
  name: text,
  /** The host that is its peer from now on: as ssh, the site file or it itself names it. */
  to: text,
  /** The peer that it has, where its configuration does not name it as it is reached. */
  from: z.exactOptional(text),
  /** `lost`: it is not asked, nothing is done there, and it may be `to`, installed anew. */
  old: z._default(z.enum(['removed', 'lost']), 'removed'),
  /** What becomes of its logical volume. */
  volumes: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The group on the new host; missing: the one of the volume here. */
  vg: z.exactOptional(text),
  /** By the names of the two hosts: that of this one as `uname -n` says it. Missing: the one network that both are in. */
  addresses: z.exactOptional(z.record(text, text)),
  port: z.exactOptional(z.int()),
  /** How long the two may take to find each other. */
  connectMs: z._default(z.int().check(z.positive()), 30_000),
});

export type ReplaceRequest = z.input<typeof replaceSchema>;
/** The same, checked. */
export type CheckedReplace = z.output<typeof replaceSchema>;

/** What of a peer that is lost goes is nobody's choice here. */
export function checkReplace(request: unknown): CheckedReplace {
  const asked = parsed('drbd.replacePeer', replaceSchema, request);
  if (asked.old === 'removed') return asked;
  if (asked.from === undefined && asked.volumes === 'removed') return asked;
  throw new UsageError(
    'of a peer that is lost nothing is removed: name neither it nor what becomes of its volume',
  );
}

export type ConvertRequest = z.input<typeof convertSchema>;
/** The same, checked. */
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

/** What a replica is to be. */
export type CreateRequest = z.input<typeof createSchema>;

/** The same with its size in bytes. */
export type CheckedCreate = Omit<z.output<typeof createSchema>, 'size'> & { readonly size: Bytes };

/** Scripts are not type-checked: what a request does not say as it should is refused. Throws UsageError. */
export function checkCreate(request: unknown): CheckedCreate {
  const { size, ...rest } = parsed('drbd.create', createSchema, request);
  const { on, addresses, primary } = rest;
  for (const [key, named] of [
    ['addresses', Object.keys(addresses ?? {})],
    ['primary', primary === undefined ? [] : [primary]],
  ] as const)
    for (const each of named)
      if (!on.includes(each))
        throw new UsageError(`${key}: "${each}" is none of the two hosts: ${on.join(', ')}`);
  if (addresses !== undefined && Object.keys(addresses).length < 2)
    throw new UsageError('addresses: name one for each of the two hosts, or none');
  return { ...rest, size: sizeOf('size', size) };
}
