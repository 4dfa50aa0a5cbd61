import { currentBofh } from '../bofh.ts';
import * as stack from '../stack/index.ts';

export {
  type Layer,
  type LayerAt,
  type Limits,
  type May,
  type ResizeTo,
  type Told,
} from '../blockdevice/layer.ts';
export { registerLayer } from '../layers.ts';
export type { StackContent, StackDevice, StackTree, StackUse } from '../stack/index.ts';

/**
 * What lies on what on this host, from the disks to the mounts and guests, or of one device what it lies on and what
 * lies on it. Nothing is opened, activated or changed; what cannot be told is said in `untold`.
 */
export async function tree(of: { readonly device?: string } = {}): Promise<stack.StackTree> {
  const { host, site } = currentBofh();
  return stack.tree({ host, configDirs: site.guestConfigDirs, ...of });
}
