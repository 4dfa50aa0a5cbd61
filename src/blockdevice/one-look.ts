import type { ReadHost } from '../command/index.ts';

const looks = new WeakMap<ReadHost, Map<string, unknown>>();

/**
 * Returns the host for one look at many devices: data about several of them, such as the mounts or
 * a link, is read once. Otherwise the cost would grow with the square of the number of devices.
 * Only for reads whose result is shown: a check before a change reads again.
 */
export function oneLook(host: ReadHost): ReadHost {
  const look: ReadHost = {
    ...host,
    readFile: once((path) => host.readFile(path)),
    readDir: once((path) => host.readDir(path)),
    readLink: once((path) => host.readLink(path)),
    stat: once((path) => host.stat(path)),
  };
  looks.set(look, new Map());
  return look;
}

function once<T>(read: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (path) => {
    const answer = known.get(path) ?? read(path);
    known.set(path, answer);
    return answer;
  };
}

/** Returns the result of `ask`; within one look the first result, including failures. */
export function onceIn<T>(host: ReadHost, what: string, ask: () => T): T {
  const known = looks.get(host);
  if (known === undefined) return ask();
  if (!known.has(what)) known.set(what, ask());
  return known.get(what) as T;
}
