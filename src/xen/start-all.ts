import { describe, type Domain, domainRemedy, type DomainState } from './domains.ts';
import { present } from '../core/present.ts';

/** The action for one configured guest. */
export interface StartRow {
  readonly name: string;
  readonly was: DomainState | 'off' | 'unknown';
  readonly action: 'start' | 'none' | 'refuse';
  /** Why it is refused, with the remedy. */
  readonly why?: string;
}

/**
 * The plan of `start-all`: starts every configured guest that has no domain and is in no unfinished
 * sequence, those in `order` first, the rest by name. A domain that exists but does not run is
 * never touched: it is reported as a row.
 */
export function startAllPlan(given: {
  readonly guests: readonly { readonly name: string; readonly uuid?: string }[];
  readonly domains: readonly Domain[];
  readonly order?: readonly string[];
  /** Names of the guests in an open journal. */
  readonly held: ReadonlySet<string>;
}): readonly StartRow[] {
  const order = [...new Set(given.order ?? [])];
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  const guests = [...given.guests].sort(
    (a, b) => place(a.name) - place(b.name) || (a.name < b.name ? -1 : 1),
  );
  const unconfigured = order.filter((name) => !guests.some((guest) => guest.name === name));
  return [
    ...guests.map((guest) => rowOf(guest, given)),
    ...unconfigured.map(
      (name): StartRow => ({
        name,
        was: 'unknown',
        action: 'refuse',
        why: 'startOrder of the site file names it, but it has no configuration',
      }),
    ),
  ];
}

function rowOf(
  guest: { readonly name: string; readonly uuid?: string },
  { domains, held }: { readonly domains: readonly Domain[]; readonly held: ReadonlySet<string> },
): StartRow {
  const { name, uuid } = guest;
  const sameName = domains.find((domain) => domain.id !== 0 && domain.name === name);
  const domain =
    sameName ?? domains.find((other) => other.id !== 0 && uuid !== undefined && other.uuid === uuid);
  const row = (action: StartRow['action'], why?: string): StartRow => ({
    name,
    was: domain?.state ?? 'off',
    action,
    ...present({ why }),
  });
  if (domain !== undefined && sameName === undefined && domain.name !== undefined)
    return row('refuse', `its uuid is that of ${domain.name} (${describe(domain)})`);
  if (domain !== undefined && uuid !== undefined && domain.uuid !== uuid)
    return row('refuse', `${describe(domain)} has its name but the uuid ${domain.uuid}`);
  if (domain?.state === 'running') return row('none');
  if (held.has(name)) return row('refuse', 'it belongs to an unfinished sequence: bofh recover');
  if (domain === undefined) return row('start');
  return row('refuse', `${describe(domain)}: ${domainRemedy(domain)}`);
}
