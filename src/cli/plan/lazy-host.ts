import type { ChangeHost, Host, ReadHost } from '../../command/index.ts';

const reads = ['run', 'readFile', 'readDir', 'readLink', 'stat', 'facts'] as const;
const changes = [
  ...reads,
  ...(['pipe', 'writeNew', 'link', 'rename', 'removeFile', 'makeDir', 'removeDir', 'sync'] as const),
] as const satisfies readonly (keyof ChangeHost)[];

/** Returns a host that is connected later: a script names the host of a step only when it reaches the step. */
export function lazyHost(name: string, made: Promise<Host>): Host {
  const forwarding = <H extends ReadHost>(coming: Promise<H>, verbs: readonly (keyof H)[]): H => {
    // If the host is never used, a failed connection does not matter.
    coming.catch(() => undefined);
    const forwarded = verbs.map((verb) => [
      verb,
      async (...args: readonly unknown[]): Promise<unknown> => {
        const host = await coming;
        return Reflect.apply(host[verb] as (...all: readonly unknown[]) => unknown, host, args);
      },
    ]);
    return { name, ...Object.fromEntries(forwarded) } as H;
  };
  return {
    ...forwarding<ReadHost>(made, reads),
    during: (step) =>
      forwarding<ChangeHost>(
        made.then((host) => host.during(step)),
        changes,
      ),
  };
}
