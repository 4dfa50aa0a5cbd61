import type { OperationMethods } from '../../../src/operations.ts';
import type { Specimen as Tried } from '../../../src/simulator/matrix/trial.ts';
import type { FaultName } from './fault-names.ts';
import { account } from './specimens/account.ts';
import { block } from './specimens/block.ts';
import { btrfs } from './specimens/btrfs.ts';
import { copy } from './specimens/copy.ts';
import { crypt } from './specimens/crypt.ts';
import { drbd } from './specimens/drbd.ts';
import { file } from './specimens/file.ts';
import { filesystem } from './specimens/filesystem.ts';
import { kernel } from './specimens/kernel.ts';
import { lvm } from './specimens/lvm.ts';
import { mount } from './specimens/mount.ts';
import { packages } from './specimens/packages.ts';
import { service } from './specimens/service.ts';
import { shell } from './specimens/shell.ts';
import { xen } from './specimens/xen.ts';

/** A specimen of an operation of bofh. */
export interface Specimen extends Tried {
  /** The kinds of the steps that make what it works on, which must be of the same sequence. */
  readonly before?: readonly string[];
  /** The kinds of the steps after it, without which it would not be tried whole. */
  readonly after?: readonly string[];
  /** Columns of the matrix that make no sense for this kind, with the reason. The run checks that it is true. */
  readonly notApplicable?: Partial<Readonly<Record<FaultName, string>>>;
}

/** Every operation of every driver: one that is missing here does not compile. */
export type Specimens = {
  readonly [D in keyof OperationMethods]: {
    readonly [K in keyof OperationMethods[D]]: readonly [Specimen, ...Specimen[]];
  };
};

export const specimens: Specimens = {
  block,
  lvm,
  filesystem,
  file,
  mount,
  packages,
  account,
  copy,
  crypt,
  btrfs,
  drbd,
  xen,
  service,
  shell,
  kernel,
};
