import type { OperationMethods } from '../../../src/operations.ts';
import { block } from './operations/block.ts';
import { btrfs } from './operations/btrfs.ts';
import { copy } from './operations/copy.ts';
import { crypt } from './operations/crypt.ts';
import { file } from './operations/file.ts';
import { filesystem } from './operations/filesystem.ts';
import { lvm } from './operations/lvm.ts';
import { mount } from './operations/mount.ts';
import { xen } from './operations/xen.ts';
import type { ToolCall } from './trials.ts';

/** A system call of bofh itself, for an operation that starts no program: the one that acts, and the sync after it. */
export interface Syscall {
  readonly act: 'link' | 'unlink';
  readonly path: string;
}

/** One operation on the rig: what it works on, the call in a script, and the program that does the act. */
export interface RigSpecimen {
  /** Shell, on a host as every trial starts with. */
  readonly setUp: string;
  /** TypeScript, inside `atomic()`. */
  readonly call: string;
  readonly act: ToolCall | Syscall;
  /** Shell: from what `setUp` left back to the start. */
  readonly clear: string;
  /** It looks whether its act has been done, whatever its program says: then "acts, then fails" is no failure. */
  readonly believes?: 'the host alone';
}

/** Every operation of every driver: one that is missing here does not compile. A reason stands for one that cannot be tried. */
export type RigSpecimens = {
  readonly [D in keyof OperationMethods]: {
    readonly [K in keyof OperationMethods[D]]: RigSpecimen | { readonly notTried: string };
  };
};

/** The registry, as it is tried on the rig. */
export const rigSpecimens: RigSpecimens = { block, lvm, filesystem, file, mount, copy, crypt, btrfs, xen };
