import { withCurrentNames } from '../blockdevice/current-names.ts';
import { keysOf, mountsUnder } from '../blockdevice/index.ts';
import type { Bofh } from '../connect.ts';
import { checkKeys } from '../core/checks.ts';
import { findAmong, fullBeneath } from '../operations.ts';
import { defaultSite, type Site } from '../site.ts';
import { version } from '../core/version.ts';
import { simulatedHost, type SimulatedHost } from './host.ts';
import { memoryLocks, memoryProcesses } from './locks.ts';
import { memoryStore } from './store.ts';

/**
 * Returns a `Bofh` whose host, journal and locks are in memory: `withBofh(simulatedBofh(), () =>
 * atomic(…))`.
 */
export function simulatedBofh(
  options: {
    /** The host in memory (default: a new one). */
    readonly host?: SimulatedHost;
    /** The settings of the site (default: those without a site file). */
    readonly site?: Site;
    /** Whether it behaves as in a dry run (default: false). */
    readonly planning?: boolean;
  } = {},
): Bofh & { readonly host: SimulatedHost } {
  checkKeys('simulatedBofh', options, ['host', 'site', 'planning']);
  const { host = simulatedHost(), site = defaultSite, planning = false } = options;
  const stateDir = '/var/lib/bofh';
  const { ids, isSeeded } = host.world;
  return {
    ...(isSeeded ? { random: ids } : {}),
    host,
    site,
    stateDir,
    planning,
    // No signal of the test's own process ends a simulated sequence.
    signals: {},
    engine: {
      host,
      flock: host.flock,
      store: memoryStore({ host, directory: `${stateDir}/journal` }),
      locks: memoryLocks(host),
      processes: memoryProcesses(host),
      who: { user: 'root', argv: ['bofh'], bofh: version },
      find: findAmong(site.operations),
      currentNames: withCurrentNames,
      fullBeneath,
      mountsUnder,
      on: (path, asked = host) => keysOf(asked, path),
      // A fault can name a step, so the faults must know which one runs.
      onEvent: (event) => {
        if (event.type === 'step-started') host.faults.enter(event.step.kind);
        if (event.type === 'step-done' || event.type === 'undo-started') host.faults.enter(undefined);
      },
    },
  };
}
