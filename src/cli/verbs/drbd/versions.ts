import { utilsVersion } from '../../../drbd/index.ts';
import { BofhError } from '../../../core/errors.ts';
import type { Member } from '../../../replica/hosts.ts';
import { printable } from '../../output/text.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilInterrupted } from '../../runtime/session.ts';

/**
 * Warns if two hosts that replicate to each other have different versions of drbd-utils. Does not refuse,
 * because the kernel module defines the network protocol and the metadata. Different series of the module, 8.4
 * and 9, are refused elsewhere.
 */
export async function warnOfVersions(runtime: Runtime, members: readonly Member[]): Promise<void> {
  const found: { readonly name: string; readonly version: string }[] = [];
  for (const { name, host } of members) {
    const version = await untilInterrupted(runtime, versionOn(host));
    if (version !== undefined) found.push({ name, version });
  }
  if (new Set(found.map(({ version }) => version)).size < 2) return;
  const all = found.map(({ name, version }) => `${version} on ${name}`).join(', ');
  runtime.terminal.line(
    `bofh: drbd-utils differs: ${printable(all)}. The hosts replicate anyway; an option that one of them does not know is refused there`,
  );
}

/** The version on a host; undefined if it cannot be read: the recipe refuses that later, in one error with all reasons. */
async function versionOn(host: Member['host']): Promise<string | undefined> {
  try {
    return await utilsVersion(host);
  } catch (error) {
    if (error instanceof BofhError) return undefined;
    throw error;
  }
}
