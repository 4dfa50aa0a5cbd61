import * as account from '../../account/operations.ts';
import * as block from '../../blockdevice/operations.ts';
import * as btrfs from '../../btrfs/operations.ts';
import * as copy from '../../copy/operations.ts';
import { UsageError } from '../../core/errors.ts';
import * as crypt from '../../crypt/operations.ts';
import * as drbd from '../../drbd/operations.ts';
import * as erase from '../../erase/operations.ts';
import * as file from '../../file/operations.ts';
import * as filesystem from '../../filesystem/operations.ts';
import * as kernel from '../../kernel/operations.ts';
import * as lvm from '../../lvm/operations.ts';
import * as mount from '../../mount/operations.ts';
import * as packages from '../../packages/operations.ts';
import * as service from '../../service/operations.ts';
import * as shell from '../../shell/operations.ts';
import * as xen from '../../xen/operations.ts';

// Loaded at once, because a fault is checked when it is added.
const drivers = {
  block: { ...block, ...erase },
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

/** The kind of each step, by its method and by the kind itself. */
const kinds: ReadonlyMap<string, string> = new Map(
  Object.entries(drivers).flatMap(([driver, module]) =>
    Object.entries<unknown>(module).flatMap(([name, code]) =>
      typeof code === 'object' && code !== null && 'kind' in code
        ? [`${driver}.${name}`, String(code.kind)].map((each) => [each, String(code.kind)] as const)
        : [],
    ),
  ),
);

/**
 * Returns the kind of a step that a fault names by its kind or its method. The kind of an operation
 * of a site is returned as it is; UsageError if bofh has no such step.
 */
export function kindOf(step: string): string {
  const known = kinds.get(step);
  if (known !== undefined) return known;
  const isOwn = /^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+$/.test(step);
  const [driver = ''] = step.split('.');
  if (isOwn && driver !== 'vm' && !Object.hasOwn(drivers, driver)) return step;
  throw new UsageError(`fault: step: there is no method or kind of a step "${step}"`, {
    remedy:
      'write for example lvm.createLv; docs/operations.md has every kind; of a recipe such as vm.create, name one of its steps',
  });
}
