import type { Noun } from '../runtime/verb.ts';
import { block } from './block/index.ts';
import { boot } from './boot/index.ts';
import { btrfs } from './btrfs/index.ts';
import { completion } from './completion/index.ts';
import { confirm } from './confirm/index.ts';
import { crypt } from './crypt/index.ts';
import { doctor } from './doctor/index.ts';
import { drbd } from './drbd/index.ts';
import { filesystem } from './filesystem/index.ts';
import { host } from './host/index.ts';
import { init } from './init/index.ts';
import { journal } from './journal/index.ts';
import { lvm } from './lvm/index.ts';
import { map } from './map/index.ts';
import { mount } from './mount/index.ts';
import { network } from './network/index.ts';
import { recover } from './recover/index.ts';
import { run } from './run/index.ts';
import { schema } from './schema/index.ts';
import { undo } from './undo/index.ts';
import { vm } from './vm/index.ts';
import { xen } from './xen/index.ts';

/** Every word that can follow `bofh`, in the order of the help. */
export const nouns: Noun['verbs'] = {
  xen,
  vm,
  lvm,
  block,
  mount,
  filesystem,
  crypt,
  drbd,
  network,
  btrfs,
  host,
  journal,
  recover,
  undo,
  confirm,
  init,
  doctor,
  map,
  boot,
  run,
  schema,
  completion,
};
