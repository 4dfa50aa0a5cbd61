import * as drbd from '../../../api/drbd.ts';
import type { ProcStatus, Resource } from '../../../drbd/index.ts';
import { ToolError } from '../../../core/errors.ts';

/** What is known of the resources of the ambient host: by its programs, or, without drbd-utils, what /proc/drbd has of its devices. */
export type Told =
  | { readonly by: 'programs'; readonly resources: readonly Resource[] }
  | { readonly by: 'kernel'; readonly status: ProcStatus };

/** ToolError where there is no drbd-utils, and the kernel has told of no device either. */
export async function told(): Promise<Told> {
  try {
    return { by: 'programs', resources: await drbd.resources() };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const status = await drbd.procStatus();
    if (status === undefined || status.devices.length === 0) throw error;
    return { by: 'kernel', status };
  }
}
