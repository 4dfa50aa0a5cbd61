import * as drbd from '../../../api/drbd.ts';
import { ToolError } from '../../../core/errors.ts';
import type { ProcStatus, Resource } from '../../../drbd/index.ts';

/** The resources of the current host as its programs report them or, without drbd-utils, the devices in /proc/drbd. */
export type KnownResources =
  | { readonly by: 'programs'; readonly resources: readonly Resource[] }
  | { readonly by: 'kernel'; readonly status: ProcStatus };

/** Throws ToolError if drbd-utils is missing and the kernel reports no device. */
export async function knownResources(): Promise<KnownResources> {
  try {
    return { by: 'programs', resources: await drbd.resources() };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const status = await drbd.procStatus();
    if (status === undefined || status.devices.length === 0) throw error;
    return { by: 'kernel', status };
  }
}
