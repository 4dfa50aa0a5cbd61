import type { OperationMethods, Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import type { FaultName } from './fault-names.ts';
import { block } from './specimens/block.ts';
import { btrfs } from './specimens/btrfs.ts';
import { copy } from './specimens/copy.ts';
import { crypt } from './specimens/crypt.ts';
import { drbd } from './specimens/drbd.ts';
import { file } from './specimens/file.ts';
import { filesystem } from './specimens/filesystem.ts';
import { lvm } from './specimens/lvm.ts';
import { mount } from './specimens/mount.ts';
import { xen } from './specimens/xen.ts';

/** One way to use an operation on the simulated host: what must be there before, and the call. */
export interface Specimen {
  /** Tells it from the other specimens of its kind. */
  readonly title?: string;
  /** Adds to a host full of other people's things what the operation works on. The call comes back. */
  readonly stage: (host: SimulatedHost) => (tx: Tx) => Promise<unknown>;
  /** Where undo brings back less than the very state (`restores: 'existence'`): what it then makes of the host as it was. */
  readonly restored?: (host: SimulatedHost) => void;
  /** After a boot that came before the end: what an administrator does, so that what is left to do after the commit can be done. */
  readonly heal?: (host: SimulatedHost) => void;
  /** What it discards it discards not after a boot: the journal is stuck in these words, and a person closes it. */
  readonly notAfterBoot?: RegExp;
  /** Columns of the matrix that make no sense for this kind, with the reason. The run checks that it is true. */
  readonly notApplicable?: Partial<Readonly<Record<FaultName, string>>>;
}

/** Every operation of every driver: one that is missing here does not compile. */
export type Specimens = {
  readonly [D in keyof OperationMethods]: {
    readonly [K in keyof OperationMethods[D]]: readonly [Specimen, ...Specimen[]];
  };
};

export const specimens: Specimens = { block, lvm, filesystem, file, mount, copy, crypt, btrfs, drbd, xen };
