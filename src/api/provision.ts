import { atomicOptions, currentBofh, refuseInside } from '../bofh.ts';
import type { HostChange } from '../provision/apply.ts';
import { collect } from '../provision/collect.ts';
import type { HostDescription } from '../provision/description.ts';
import { type Facts, factsOf } from '../provision/facts.ts';
import { parsed } from '../core/request.ts';
import { applyCollected, type ApplyOptions } from './apply-collected.ts';
import * as z from 'zod/mini';

const applyOptions = z.pick(atomicOptions, {
  ...{ confirm: true, log: true, onEvent: true, signal: true, timeout: true, wait: true },
});

/** Returns facts of this host: name, system, kernel, memory, addresses, role in Xen. */
export async function facts(): Promise<Facts> {
  return factsOf(currentBofh().host);
}

/**
 * Brings the host into the described state, in one sequence, and returns what differed. If nothing differs, it
 * writes no journal. Throws UsageError, with nothing changed, for a description that contradicts itself; and
 * the errors of `atomic`.
 *
 * @example await provision.apply(description, { onEvent: (event) => console.log(eventText(event)) });
 */
export async function apply(
  description: HostDescription,
  options: ApplyOptions = {},
): Promise<readonly HostChange[]> {
  const how = parsed('provision.apply', applyOptions, options);
  refuseInside('provision.apply', 'alone');
  return applyCollected(await collect(description, await facts()), how);
}
