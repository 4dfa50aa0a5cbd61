import type { ReadHost } from '../command/index.ts';

const looks = new WeakMap<ReadHost, Map<string, unknown>>();

/**
 * The same host for one look at many devices: what concerns all of them, such as the mounts, is read
 * once. Without it the cost grows with the square of the devices. Only for reads whose result is
 * shown: a check before a change reads again.
 */
export function oneLook(host: ReadHost): ReadHost {
  const look = { ...host };
  looks.set(look, new Map());
  return look;
}

/** What `ask` returns; in one look the first answer, failures too. */
export function onceIn<T>(host: ReadHost, what: string, ask: () => T): T {
  const known = looks.get(host);
  if (known === undefined) return ask();
  if (!known.has(what)) known.set(what, ask());
  return known.get(what) as T;
}
