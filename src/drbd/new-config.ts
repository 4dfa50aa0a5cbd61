import { isIP } from 'node:net';
import * as z from 'zod/mini';
import { absolutePath } from '../blockdevice/path.ts';
import { UsageError } from '../core/errors.ts';

/**
 * No characters that would end drbdadm's quotes, or its line; 255 characters at most
 * (drbdadm_scanner.fl of 9.22, DQSTRING).
 */
const quotable = z
  .string()
  .check(z.regex(/^[^"\\\p{Cc}]{1,255}$/u, 'no quotes, backslashes or control characters'));

const optionName = z.string().check(
  z.regex(/^[a-z][a-z0-9-]*$/, 'the name of an option in drbd.conf(5)'),
  z.refine(
    (name) => name !== 'shared-secret',
    'no secret: write the secret into the file by hand, and set mode 600',
  ),
);

const section = z.exactOptional(z.record(optionName, z.union([z.literal(''), quotable])));

const host = z.strictObject({
  /** The output of `uname -n` on that host. */
  name: z.string().check(z.regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'the output of uname -n on a host')),
  /** IPv4, or IPv6 without brackets. */
  address: z.string().check(z.refine((text) => isIP(text) !== 0, 'an IPv4 or IPv6 address')),
  /** TCP port for this resource. */
  port: z.int().check(z.minimum(1), z.maximum(65535)),
  /** Node id, only for DRBD 9; omitted from the file for drbdadm-84, which does not know the keyword. */
  nodeId: z.exactOptional(z.int().check(z.minimum(0), z.maximum(31))),
  /**
   * Volume 0, 1 … in this order; a minor number has 20 bits (linux/kdev_t.h). The metadata is
   * internal.
   */
  volumes: z
    .array(
      z.strictObject({
        /** Minor number of the device: 3 for `/dev/drbd3`. */
        minor: z.int().check(z.minimum(0), z.maximum(2 ** 20 - 1)),
        /** The backing device of the volume, as an absolute path. */
        disk: absolutePath.check(z.regex(/^[^"\\\p{Cc}]{1,255}$/u, 'no quotes or control characters')),
      }),
    )
    .check(z.minLength(1)),
});

/** A new resource, on all its hosts. */
export const newConfig = z.strictObject({
  /**
   * Not `all`, which drbdadm reads as every resource, nor `minor-3`, which it reads as a device. Only
   * characters that need no quotes.
   */
  name: z.string().check(
    z.regex(/^[A-Za-z0-9_][\w.-]{0,63}$/, 'letters, digits and _ . -, beginning with one of the first three'),
    z.refine((name) => name !== 'all' && !/^minor-\d+$/.test(name), 'neither "all" nor "minor-NUMBER"'),
  ),
  /** All hosts of the resource. */
  hosts: z.array(host).check(z.minLength(2)),
  /** Protocol (default: C). */
  protocol: z.exactOptional(z.enum(['A', 'B', 'C'])),
  /** Options as in drbd.conf(5); '' is an option without a value. */
  options: z.exactOptional(
    z.strictObject({
      /** Section `net`: the connection. */
      net: section,
      /** Section `disk`: the backing devices. */
      disk: section,
      /** Section `options`: the resource. */
      options: section,
    }),
  ),
});

export type NewConfig = z.infer<typeof newConfig>;

/** Throws UsageError for hosts that contradict each other. */
export function checkNewConfig({ name, hosts, protocol, options }: NewConfig): void {
  const fail = (words: string): never => {
    throw new UsageError(`the resource ${name}: ${words}`);
  };
  const twice = (all: readonly (string | number)[]) => all.find((each, at) => all.indexOf(each) !== at);
  const host = twice(hosts.map((each) => each.name));
  if (host !== undefined) fail(`it has the host ${String(host)} twice`);
  const place = twice(hosts.map(({ address, port }) => `${address} port ${String(port)}`));
  if (place !== undefined) fail(`two of its hosts have the address ${String(place)}`);
  const counts = new Set(hosts.map(({ volumes }) => volumes.length));
  if (counts.size > 1) fail('its hosts must have the same number of volumes');
  for (const { name: at, volumes } of hosts)
    for (const each of [volumes.map(({ minor }) => minor), volumes.map(({ disk }) => disk)]) {
      const same = twice(each);
      if (same !== undefined) fail(`on ${at} two of its volumes have ${String(same)}`);
    }
  const ids = hosts.flatMap(({ nodeId }) => nodeId ?? []);
  if (ids.length > 0 && (ids.length < hosts.length || twice(ids) !== undefined))
    fail('give each of its hosts a different node id, or give none');
  if (protocol !== undefined && options?.net?.['protocol'] !== undefined)
    fail('its protocol is also among the options of net');
}
