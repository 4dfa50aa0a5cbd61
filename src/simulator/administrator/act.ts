import { devices, dropReleased } from '../world/devices.ts';
import { resolve } from '../world/resolve.ts';
import type { World } from '../world/world.ts';

/** Wraps an act of an administrator, so that the host notices it. */
export type WrapAct = <A extends readonly unknown[], R>(act: (...args: A) => R) => (...args: A) => R;

/**
 * Returns a wrapper that applies every act at once: unused objects are released, and the revision
 * of the world changes.
 */
export function doesOn(world: World): WrapAct {
  return (act) =>
    (...args) => {
      const result = act(...args);
      dropReleased(world);
      world.revision += 1;
      return result;
    };
}

/** Returns the device that a path leads to. TypeError if it leads to none. */
export function deviceOf(world: World, path: string) {
  const there = resolve(world, path, 'follow');
  const node = there.found ? there.inode.node : undefined;
  return must(
    devices(world).find(({ number }) => number === node),
    `device ${path}`,
  );
}

/** Returns a value that must exist. TypeError if it does not, because the test is then wrong. */
export function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`the simulated host has no ${what}`);
  return value;
}
