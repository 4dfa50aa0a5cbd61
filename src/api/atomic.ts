import { atomic as run, type AtomicOptions, joinedTo } from '../bofh.ts';
import type { Tx as Steps } from '../operations.ts';
import * as block from './block.ts';
import * as rotation from './btrfs-rotation.ts';
import { type EnsureRecipes, ensureRecipes } from './ensure.ts';
import * as structure from './btrfs-structure.ts';
import * as power from './guest-power.ts';
import * as drbd from './replica.ts';
import * as disks from './guest-disks.ts';
import * as interfaces from './guest-interfaces.ts';
import * as vm from './vm.ts';
import * as xen from './xen.ts';
import { checkFunction } from '../core/checks.ts';

/**
 * Functions of the library that consist of several steps. Each is imported from the file that declares it:
 * only then does an editor show its docstring for the method of `tx`.
 */
const recipes = {
  block: pick(block, ['resize']),
  btrfs: {
    ...pick(structure, ['createBaseStructure']),
    ...pick(rotation, ['pruneSnapshots', 'rotateSnapshots']),
  },
  drbd: pick(drbd, ['convert', 'create', 'demote', 'grow', 'promote', 'remove', 'replacePeer']),
  vm: {
    ...pick(xen, ['start']),
    ...pick(power, ['pause', 'restart', 'resume', 'stop']),
    ...pick(disks, ['attachDisk', 'createDisk', 'detachDisk', 'removeDisk']),
    ...pick(interfaces, ['attachInterface', 'detachInterface']),
    ...pick(vm, [
      'backup',
      'clone',
      'create',
      'createBase',
      'createSnapshot',
      'mount',
      'move',
      'provision',
      'remove',
      'removeBase',
      'removeSnapshot',
      'rename',
      'resize',
      'restore',
      'restoreSnapshot',
      'set',
      'unmount',
    ]),
  },
} as const;

type Recipes = typeof recipes;

/**
 * The handle of an open sequence, passed to the body of `atomic()`: every operation of every
 * driver, every recipe of the library, and the functions of the engine.
 */
export interface Tx extends Steps {
  readonly block: Steps['block'] & Recipes['block'];
  readonly btrfs: Steps['btrfs'] & Recipes['btrfs'];
  readonly drbd: Steps['drbd'] & Recipes['drbd'];
  /**
   * Recipes for guests. Each is a scope of the sequence: it is undone with the sequence, or separately if it
   * fails.
   */
  readonly vm: Recipes['vm'];
  readonly ensure: Steps['ensure'] & EnsureRecipes;
}

/**
 * Runs a sequence and returns the value of its body after the commit.
 *
 * Throws RolledBackError if it failed and everything was undone, newest first; StuckError if something is
 * left; the original error if it failed before the first change; UsageError inside another open sequence.
 * `tx.call` asks `reverse` for the inverse of a function that has none.
 */
export async function atomic<T>(
  name: string,
  body: (tx: Tx) => T | Promise<T>,
  options: AtomicOptions = {},
): Promise<T> {
  return run(name, withTx(body), options);
}

/** Wraps the body; `run` refuses a body that is not a function. */
function withTx<T>(body: (tx: Tx) => T | Promise<T>): (tx: Steps) => T | Promise<T> {
  const given: unknown = body;
  return typeof given === 'function' ? (tx) => body(withRecipes(tx)) : (given as never);
}

function withRecipes(tx: Steps): Tx {
  const bound = Object.entries(recipes).map(([driver, methods]) => [
    driver,
    {
      ...(tx as unknown as Record<string, object | undefined>)[driver],
      ...Object.fromEntries(
        Object.entries(methods as Record<string, (...args: unknown[]) => Promise<unknown>>).map(
          ([name, recipe]) => [
            name,
            (...args: unknown[]) => joinedTo(tx, `${driver}.${name}`, () => recipe(...args)),
          ],
        ),
      ),
    },
  ]);
  return {
    ...tx,
    ...(Object.fromEntries(bound) as Pick<Tx, keyof Recipes>),
    ensure: {
      ...tx.ensure,
      vm: {
        create: (request) => joinedTo(tx, 'ensure.vm.create', () => ensureRecipes.vm.create(request)),
      },
    },
    scope: (name, inner) =>
      tx.scope(name, (own) => {
        checkFunction('tx.scope: the body', inner);
        return inner(withRecipes(own));
      }),
    on: (host) => withRecipes(tx.on(host)),
  };
}

function pick<M, K extends keyof M>(module: M, names: readonly K[]): Pick<M, K> {
  return Object.fromEntries(names.map((name) => [name, module[name]])) as Pick<M, K>;
}
