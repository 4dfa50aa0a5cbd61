import * as z from 'zod/mini';
import { count, text } from './parts.ts';

const change = {
  action: z.enum(['create', 'change', 'remove']),
  /** `lines`: lines of a file. `packages`: all changed packages. `ensure`: an object of `h.ensure`. */
  kind: z.enum([
    'file',
    'directory',
    'link',
    'lines',
    'packages',
    'apt-source',
    'service',
    'ensure',
    'script',
    'sysctl',
    'kernel-module',
    'hostname',
    'timezone',
    'locale',
    'group',
    'user',
  ]),
  /**
   * The path of the object; for a user, group, repository, kernel parameter or module, host, time zone or
   * locale its name; for `ensure` the method and the name of the object.
   */
  name: text,
  /** The differences: `mode 0644 → 0600`. */
  details: z.readonly(z.array(text)),
};

/**
 * Objects that an earlier version of the description created and that it no longer contains. `--prune`
 * removes the objects without `stays`.
 */
const undescribed = z.readonly(
  z.array(
    z.strictObject({
      kind: z.enum(['file', 'directory', 'link', 'user', 'group', 'package']),
      name: text,
      /** Why `--prune` does not remove it. */
      stays: z.exactOptional(text),
    }),
  ),
);

/** `bofh host plan FILE` */
export const hostPlan = z.strictObject({
  /** Whether a change can cut the connection to the host: `bofh host apply` then waits for a confirmation. */
  canCutConnection: z.boolean(),
  /** The changes, in the order of the steps; empty: the host is as described. */
  changes: z.array(
    z.strictObject({
      ...change,
      /** Unified diff; null if no text changes, or if the text is secret. */
      diff: z.nullable(text),
    }),
  ),
  undescribed,
});

/** `bofh host apply FILE` */
export const hostApply = z.strictObject({
  /** The changes that were made; empty: the host was as described. */
  changes: z.array(z.strictObject(change)),
  undescribed,
});

/** `bofh host facts` */
export const hostFacts = z.strictObject({
  hostname: text,
  /** The system, from /etc/os-release; null: the host has no such file. */
  os: z.nullable(z.strictObject({ id: text, version: z.nullable(text), name: z.nullable(text) })),
  /** Release of the running kernel. */
  kernel: text,
  /** Memory in bytes. */
  memory: count,
  xen: z.enum(['dom0', 'domU', 'none']),
  /** Null: ip(8) is not installed. */
  addresses: z.nullable(
    z.readonly(z.array(z.strictObject({ interface: text, address: text, prefix: count }))),
  ),
});
