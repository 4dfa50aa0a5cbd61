import { currentBofh, single } from '../bofh.ts';
import * as stack from '../stack/index.ts';
import type { Bytes } from '../units.ts';

export {
  type Layer,
  type LayerAt,
  type Limits,
  type May,
  type Resized,
  type ResizeTo,
  type Told,
} from '../blockdevice/layer.ts';
export { registerLayer } from '../layers.ts';
export type { StackContent, StackDevice, StackResized, StackTree, StackUse } from '../stack/index.ts';

/**
 * What lies on what on this host, from the disks to the mounts and guests, or of one device what it lies on and what
 * lies on it. Nothing is opened, activated or changed; what cannot be told is said in `untold`.
 */
export async function tree(of: { readonly device?: string } = {}): Promise<stack.StackTree> {
  const { host, site } = currentBofh();
  return stack.tree({ host, configDirs: site.guestConfigDirs, ...of });
}

/** What `resize` is asked. */
export interface ResizeRequest {
  /** Any device of the stack: it is the one that has the size afterwards. */
  readonly device: string;
  /** In bytes. */
  readonly to: { readonly size: Bytes } | { readonly by: Bytes } | 'min' | 'max';
  /** `device`: it alone, whatever lies on it. Left out: all that lies on it too. */
  readonly what?: 'stack' | 'device';
}

/**
 * Resizes a device with all that lies on it: growing from the lowest layer up, shrinking from the filesystem down. What
 * cannot be is refused before anything is done; when a step fails all of it goes back.
 */
export async function resize({ device, to, what = 'stack' }: ResizeRequest): Promise<stack.StackResized> {
  return single('block.resize', (tx) =>
    stack.resizeStack(tx, { host: currentBofh().host, device, to, what }),
  );
}
