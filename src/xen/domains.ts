import type { ReadHost } from '../command/index.ts';
import { CommandError, ParseError } from '../core/errors.ts';
import { xlList, xlListLong } from './commands.ts';
import type { ListedDomain } from './schema.ts';

/**
 * The state of a domain, from `xl list -v`. `running` includes a domain that waits (`b`) or is scheduled out
 * (no flag). `building`: a paused domain without a name, or for which xl shows no configuration: an `xl
 * create` is in progress, or was killed. But xl also omits the configuration of complete HVM and stub
 * domains, so a domain with a name may be complete.
 */
export type DomainState = 'running' | 'paused' | 'shutdown' | 'crashed' | 'dying' | 'building';

/** A domain of the host. */
export interface Domain extends ListedDomain {
  readonly state: DomainState;
}

/** Every domain, Domain-0 first; or those that are `wanted`. */
export async function domains(
  host: ReadHost,
  wanted: (domain: ListedDomain) => boolean = () => true,
): Promise<readonly Domain[]> {
  return (await survey(host, wanted)).domains;
}

/** All listed domains, and the state of those that are `wanted`. */
export async function survey(
  host: ReadHost,
  wanted: (domain: ListedDomain) => boolean,
): Promise<{ readonly listed: readonly ListedDomain[]; readonly domains: readonly Domain[] }> {
  const listed = await host.run(xlList());
  const found = listed.filter(wanted);
  const answer = (all: readonly ListedDomain[], building: readonly ListedDomain[]) => ({
    listed: all,
    domains: all
      .filter(wanted)
      .map((domain) =>
        withState(
          domain,
          building.some(({ id, uuid }) => id === domain.id && uuid === domain.uuid)
            ? 'unknown to xl'
            : 'complete',
        ),
      ),
  });
  // A domain is paused while it is built: for all other domains the long listing is not needed.
  const paused = found.filter((domain) => domain.id !== 0 && isPaused(domain));
  if (paused.length === 0) return answer(listed, []);
  const known = await configured(host);
  const missing = paused.filter(({ id }) => !known.has(id));
  // A domain that ended between the two listings is not half-built: list again.
  return answer(missing.length === 0 ? listed : await host.run(xlList()), missing);
}

/**
 * The domains whose configuration xl shows; none if that listing fails, which happens if it fails for a
 * single guest (4.17).
 */
async function configured(host: ReadHost): Promise<ReadonlySet<number>> {
  try {
    return new Set(await host.run(xlListLong()));
  } catch (error) {
    if (error instanceof CommandError || error instanceof ParseError) return new Set();
    throw error;
  }
}

function isPaused({ flags }: ListedDomain): boolean {
  return flags[2] === 'p';
}

/** The guests: all domains except Domain-0. */
export async function guestDomains(
  host: ReadHost,
  wanted: (domain: ListedDomain) => boolean = () => true,
): Promise<readonly Domain[]> {
  return domains(host, (domain) => domain.id !== 0 && wanted(domain));
}

/** "domain 5, paused": how a domain is named in messages. */
export function describe({ id, state, name }: Domain): string {
  const isUnknown = state === 'building' && name !== undefined;
  return `domain ${id}, ${isUnknown ? 'paused, its configuration is unknown' : stateWords[state]}`;
}

/** The states in words. */
export const stateWords: Readonly<Record<DomainState, string>> = {
  running: 'running',
  paused: 'paused',
  shutdown: 'shut down, but still in xl list',
  crashed: 'crashed',
  dying: 'dying',
  building: 'half-built',
};

// The order matters: a domain that was shut down is often shown as paused too (--ps--, 4.17), a
// dying one with all flags.
function withState(domain: ListedDomain, config: 'complete' | 'unknown to xl'): Domain {
  return { ...domain, state: stateOf(domain, config) };
}

function stateOf(domain: ListedDomain, config: 'complete' | 'unknown to xl'): DomainState {
  const { flags, name } = domain;
  const [, , , shutdown, reason, dying] = flags;
  if (dying === 'd') return 'dying';
  // c: crashed, w: its watchdog fired; the other reasons are orderly ones (libxl_shutdown_reason).
  if (shutdown === 's') return reason === 'c' || reason === 'w' ? 'crashed' : 'shutdown';
  if (!isPaused(domain)) return 'running';
  return name === undefined || config === 'unknown to xl' ? 'building' : 'paused';
}

/** The remedy if a guest must be off, and has this domain. */
export function offRemedy(domain: Domain, guest: string): string {
  const { id, state, name } = domain;
  const [resume, stop] =
    name === guest
      ? [`bofh vm resume ${guest}`, `bofh vm stop ${guest}`]
      : [`xl unpause ${id}`, `xl shutdown -w ${id}`];
  if (state === 'paused') return `${resume}; ${stop}`;
  return state === 'running' ? stop : domainRemedy(domain);
}

/** The remedy if a guest cannot be started or changed because of the state of its domain. */
export function domainRemedy({ id, state, name }: Domain): string {
  switch (state) {
    case 'running':
      return 'it runs already';
    case 'paused':
      return name === undefined ? `xl unpause ${id}` : `bofh vm resume ${name}`;
    case 'dying':
      return 'wait until xl list no longer shows it';
    case 'building':
      return name === undefined
        ? `if no xl create is running for it: xl destroy ${id}`
        : `if an xl create is running for it, wait; otherwise it may be complete: see xl list -v and /var/log/xen`;
    case 'shutdown':
    case 'crashed':
      return `it still uses its disks; see its log in /var/log/xen, then: xl destroy ${id}`;
  }
}
