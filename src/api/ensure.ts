import { onceEnsured } from '../bofh.ts';
import type { EnsureMethods } from '../operations.ts';

/**
 * Create functions that do nothing if the object is there exactly as asked, each in a sequence of
 * its own. Each returns `{ value, changed }`. DiffersError if it is there and differs.
 */
export const ensure: EnsureMethods = {
  block: { createImage: onceEnsured('block', 'createImage'), attachLoop: onceEnsured('block', 'attachLoop') },
  lvm: { createLv: onceEnsured('lvm', 'createLv'), createThinPool: onceEnsured('lvm', 'createThinPool') },
  filesystem: {
    create: onceEnsured('filesystem', 'create'),
    createImage: onceEnsured('filesystem', 'createImage'),
  },
  file: { create: onceEnsured('file', 'create'), createDirectory: onceEnsured('file', 'createDirectory') },
  mount: {
    mount: onceEnsured('mount', 'mount'),
    addFstab: onceEnsured('mount', 'addFstab'),
    addCrypttab: onceEnsured('mount', 'addCrypttab'),
  },
  crypt: { format: onceEnsured('crypt', 'format') },
  btrfs: { createSubvolume: onceEnsured('btrfs', 'createSubvolume') },
  drbd: { createConfig: onceEnsured('drbd', 'createConfig') },
  xen: { create: onceEnsured('xen', 'create') },
};
