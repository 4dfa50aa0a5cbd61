import type { OperationMethods } from '../../../src/operations.ts';
import { block } from './operations/block.ts';
import { btrfs } from './operations/btrfs.ts';
import { copy } from './operations/copy.ts';
import { crypt } from './operations/crypt.ts';
import { drbd } from './operations/drbd.ts';
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

/** One change on the rig: what it works on, and the program that does the act. */
interface Attempt {
  /** Shell, on a host as every trial starts with. */
  readonly setUp: string;
  readonly act: ToolCall | Syscall;
  /** Shell: from what `setUp` left back to the start. */
  readonly clear: string;
  /** It looks whether its act has been done, whatever its program says: then "acts, then fails" is no failure. */
  readonly believes?: 'the host alone';
  /** Shell: prints what the fingerprint of the host does not have. */
  readonly content?: string;
  /** Its act comes after the commit. Shell: succeeds once that is done. */
  readonly deferred?: string;
}

/** An operation by itself. */
export interface OneOperation extends Attempt {
  /** TypeScript, inside `atomic()`. */
  readonly call: string;
}

/** A command as it is typed. */
export interface OneCommand extends Attempt {
  readonly command: string;
}

export type RigSpecimen = OneOperation | OneCommand;

const noSystemd = 'process 1 of a machine of the rig is not systemd: test/container/service.test.ts';

const inContainer = 'its accounts are compared byte for byte in test/container/accounts.test.ts';

/** Operations that a machine of the rig cannot try, with the reason and the test with the real program. */
export const notOnRig = {
  'service.setActivity': noSystemd,
  'service.setEnablement': noSystemd,
  'service.beforeChange': noSystemd,
  'service.reload': noSystemd,
  'account.createGroup': inContainer,
  'account.createUser': inContainer,
  'account.setMembership': inContainer,
  'account.setUser': inContainer,
  'account.setKeys': inContainer,
  'account.setPassword': inContainer,
  'account.removeGroup': inContainer,
  'account.removeUser': inContainer,
  'xen.freeze': 'the guest of these trials has no agent: test/rig/vm-freeze.test.ts freezes one that has',
  'copy.debian': 'a machine of the rig reaches no mirror: test/loop/debian.test.ts runs mmdebstrap',
  'kernel.setParameter':
    'it would change the machine of the other trials: test/container/kernel.test.ts sets some',
  'shell.run': 'what it does is up to its script: test/loop/provision.test.ts runs some',
  'packages.updateSource': 'a machine of the rig has no archive: test/container/repository.test.ts tries it',
  'packages.change': 'a machine of the rig has no archive: test/container/packages.test.ts tries it',
} as const;

/** Every other operation of every driver: one that is missing here does not compile. */
export type RigSpecimens = {
  readonly [D in keyof OperationMethods]: {
    readonly [K in keyof OperationMethods[D] as `${D}.${K & string}` extends keyof typeof notOnRig
      ? never
      : K]: OneOperation;
  };
};

/** The registry, as it is tried on the rig. */
export const rigSpecimens: RigSpecimens = {
  block,
  lvm,
  filesystem,
  file,
  mount,
  packages: {},
  account: {},
  service: {},
  shell: {},
  kernel: {
    loadModule: {
      setUp: 'true',
      call: `tx.kernel.loadModule({ name: 'dm_zero' })`,
      act: { tool: 'modprobe', words: ['dm_zero', '!--show-depends'] },
      clear: 'rmmod dm_zero',
      content: 'cut --delimiter=" " --fields=1 /proc/modules | sort',
    },
  },
  copy,
  crypt,
  btrfs,
  drbd,
  xen,
};
