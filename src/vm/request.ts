import * as z from 'zod/mini';
import { UsageError } from '../core/errors.ts';
import { parsed, sizeOf } from '../core/request.ts';
import type { Bytes } from '../core/units.ts';

const text = z.string().check(z.minLength(1));
const size = z.union([z.string(), z.number()]);

const createSchema = z.strictObject({
  name: z.string(),
  source: z.strictObject({ type: z.literal('tar'), path: text }),
  /** Of the root. Sizes are bytes, or text: `2g`. */
  size,
  /** Missing or 0: no swap. */
  swap: z.exactOptional(size),
  memory: size,
  vcpus: z._default(z.number(), 1),
  vg: z.exactOptional(text),
  /** The thin pool for its disks. Missing: linear volumes. Not with `drbd`. */
  thin: z.exactOptional(text),
  bridge: z.exactOptional(text),
  mac: z.exactOptional(text),
  kernel: z.exactOptional(text),
  ramdisk: z.exactOptional(text),
  /** Another host, which has its disks as well: as ssh, the site file or it itself names it. Missing: they are of this one alone. */
  drbd: z.exactOptional(text),
  /** Where the two reach one another, by their names; missing: the one network that both are in. */
  addresses: z.exactOptional(z.record(text, text)),
  start: z._default(z.boolean(), false),
});

const removeSchema = z.strictObject({
  name: z.string(),
  /** What becomes of a domain that runs. */
  running: z.enum(['refuse', 'shutdown', 'destroy']),
  /** How long a shutdown may take. */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
  /** What becomes of disks that another host has as well: on both. */
  replicas: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The two hosts of these, where their configuration does not name them as they are reached. */
  on: z.exactOptional(z.tuple([text, text])),
});

const moveSchema = z.strictObject({
  name: z.string(),
  /** The host that it goes to: as ssh, the site file or it itself names it. */
  to: text,
  /** How long its shutdown may take; 5 minutes unless it is said. */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
});

/** What a guest is to be. */
export type CreateRequest = z.input<typeof createSchema>;

/** Which guest is to go, and how. */
export type RemoveRequest = z.input<typeof removeSchema>;

/** Which guest is to go to which host. */
export type MoveRequest = z.input<typeof moveSchema>;

/** The same, checked. */
export type CheckedMove = z.output<typeof moveSchema>;

/** The same with every size in bytes. */
export type CheckedCreate = Omit<z.output<typeof createSchema>, 'size' | 'swap' | 'memory'> & {
  readonly size: Bytes;
  readonly swap: Bytes;
  readonly memory: Bytes;
};

/** Scripts are not type-checked: what a request does not say as it should is refused, and never guessed. Throws UsageError. */
export function checkCreate(request: unknown): CheckedCreate {
  const { swap = 0, ...rest } = parsed('vm.create', createSchema, request);
  if (rest.addresses !== undefined && rest.drbd === undefined)
    throw new UsageError('addresses are for disks that another host has as well, and none was named (drbd)');
  if (rest.thin !== undefined && rest.drbd !== undefined)
    throw new UsageError('thin and drbd cannot be used together: bofh replicates linear volumes only', {
      remedy: 'leave out one of them',
    });
  return {
    ...rest,
    size: sizeOf('size', rest.size),
    swap: swap === 0 || swap === '0' ? 0 : sizeOf('swap', swap),
    memory: sizeOf('memory', rest.memory),
  };
}

/** The same of what is to be taken apart. */
export function checkRemove(request: unknown): z.output<typeof removeSchema> {
  return parsed('vm.remove', removeSchema, request);
}

/** The same of what is to go to another host. */
export function checkMove(request: unknown): CheckedMove {
  return parsed('vm.move', moveSchema, request);
}
