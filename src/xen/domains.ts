import type { ReadHost } from '../command/index.ts';
import { xlList, xlListLong } from './commands.ts';
import type { ListedDomain } from './schema.ts';

/**
 * What a domain does. `running` is also one that waits (`b`) or is scheduled out (no flag). `building`: xl list -v
 * shows it, but it has no name or no configuration: an `xl create` is at work on it, or died over it.
 */
export type DomainState = 'running' | 'paused' | 'shutdown' | 'crashed' | 'dying' | 'building';

/** A domain of the host. */
export interface Domain extends ListedDomain {
  readonly state: DomainState;
}

/** Every domain, Domain-0 first. */
export async function domains(host: ReadHost): Promise<readonly Domain[]> {
  const listed = await host.run(xlList());
  const known = new Set(await host.run(xlListLong()));
  const missing = listed.filter(({ id }) => !known.has(id));
  if (missing.length === 0) return listed.map((domain) => withState(domain, 'complete'));
  // What ended between the two listings is no half-built domain: look again.
  const now = await host.run(xlList());
  return now.map((domain) =>
    withState(
      domain,
      missing.some(({ id, uuid }) => id === domain.id && uuid === domain.uuid) ? 'unknown to xl' : 'complete',
    ),
  );
}

/** The guests among them: all but Domain-0. */
export async function guestDomains(host: ReadHost): Promise<readonly Domain[]> {
  return (await domains(host)).filter(({ id }) => id !== 0);
}

/** "domain 5, paused": how a domain is named in messages. */
export function describe({ id, state }: Domain): string {
  return `domain ${id}, ${stateWords[state]}`;
}

/** The states in words. */
export const stateWords: Readonly<Record<DomainState, string>> = {
  running: 'running',
  paused: 'paused',
  shutdown: 'shut down but not gone',
  crashed: 'crashed',
  dying: 'dying',
  building: 'half-built',
};

// The order matters: a domain that was shut down is often shown as paused too (--ps--, 4.17), a dying one as all of it.
function withState(domain: ListedDomain, config: 'complete' | 'unknown to xl'): Domain {
  return { ...domain, state: stateOf(domain, config) };
}

function stateOf({ flags, name }: ListedDomain, config: 'complete' | 'unknown to xl'): DomainState {
  const [, , paused, shutdown, reason, dying] = flags;
  if (dying === 'd') return 'dying';
  // c: crashed, w: its watchdog fired; the other reasons are wanted ones (libxl_shutdown_reason).
  if (shutdown === 's') return reason === 'c' || reason === 'w' ? 'crashed' : 'shutdown';
  if (name === undefined || config === 'unknown to xl') return 'building';
  return paused === 'p' ? 'paused' : 'running';
}
