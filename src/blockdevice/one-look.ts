import type { ReadHost } from '../command/index.ts';

const looks = new WeakMap<ReadHost, Map<string, unknown>>();

/**
 * The same host for one look at many devices: what concerns several of them, such as the mounts or a
 * link, is read once. Without it the cost grows with the square of the devices. Only for reads whose
 * result is shown: a check before a change reads again.
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

/** What `ask` returns; in one look the first answer, failures too. */
export function onceIn<T>(host: ReadHost, what: string, ask: () => T): T {
  const known = looks.get(host);
  if (known === undefined) return ask();
  if (!known.has(what)) known.set(what, ask());
  return known.get(what) as T;
}
