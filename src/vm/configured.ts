import type { ReadHost } from '../command/index.ts';
import { checkText } from '../core/checks.ts';
import { RefusedError } from '../core/errors.ts';
import type { Site } from '../site.ts';
import { type ConfigProblem, type Domain, domains, type GuestConfig, guestConfigs } from '../xen/index.ts';

/** A configured guest, and all other guests. */
export interface FoundGuest {
  readonly guest: GuestConfig;
  readonly guests: readonly GuestConfig[];
  readonly problems: readonly ConfigProblem[];
}

/** A configured guest, all other guests, and its domain if it is not off. */
export interface Configured extends FoundGuest {
  readonly domain: Domain | undefined;
}

/** Finds a guest. Throws RefusedError if it has no configuration, or more than one. */
export async function configured(
  host: ReadHost,
  { name, site }: { readonly name: string; readonly site: Site },
): Promise<Configured> {
  checkText('the name of the guest', name);
  const found = await guestIn(host, { name, site });
  const { guest, guests } = found;
  const all = await domains(host, (each) => each.name === name || each.uuid === guest.uuid);
  const domain =
    all.find((each) => each.name === name) ??
    // A domain of the same uuid belongs to the guest with its name, if that is configured too.
    all.find((each) => !guests.some((other) => other !== guest && other.name === each.name));
  return { ...found, domain };
}

/**
 * The domain of a guest; undefined if it is off. Throws RefusedError if a domain has its uuid under
 * another name: it may be this guest, and use its disks.
 */
export async function domainOfGuest(host: ReadHost, guest: GuestConfig): Promise<Domain | undefined> {
  const found = await domains(host, ({ name, uuid }) => name === guest.name || uuid === guest.uuid);
  const own = found.find(({ name }) => name === guest.name) ?? found.find(({ name }) => name === undefined);
  const [renamed] = found;
  if (own !== undefined || renamed === undefined) return own;
  throw new RefusedError(
    `the domain ${renamed.name ?? ''} (id ${renamed.id}) has the uuid of ${guest.name}, so it may use its disks`,
    {
      code: 'in-use',
      remedy: `if it is ${guest.name}, give it back its name: xl rename ${renamed.id} ${guest.name}; if it is another guest, give one of the two another uuid in its configuration`,
    },
  );
}

/** As `configured`, without its domain. */
export async function guestIn(
  host: ReadHost,
  { name, site }: { readonly name: string; readonly site: Site },
): Promise<FoundGuest> {
  const { guests, problems, repeated } = await guestConfigs(host, site.guestConfigDirs);
  refuseRepeated(name, repeated);
  const guest = guests.find((each) => each.name === name);
  if (guest === undefined) throw await unknownGuest(host, { name, site, problems });
  return { guest, guests, problems };
}

/**
 * Throws RefusedError for a guest in two files, such as an old copy of its configuration: either
 * may be the right one.
 */
export function refuseRepeated(name: string, repeated: ReadonlyMap<string, readonly string[]>): void {
  const files = repeated.get(name);
  if (files === undefined) return;
  throw new RefusedError(`the guest ${name} has more than one configuration: ${files.join(', ')}`, {
    remedy: `keep one, and rename each other file, so that its name does not end with .cfg: mv FILE FILE.old`,
  });
}

/** The error for an unknown guest. */
async function unknownGuest(
  host: ReadHost,
  options: { readonly name: string; readonly site: Site; readonly problems: readonly ConfigProblem[] },
): Promise<RefusedError> {
  const { name, site, problems } = options;
  const [domain] = await domains(host, (each) => each.name === name);
  const texts = problems.map(({ message }) => message).join('; ');
  const unread = problems.length === 0 ? '' : `; other files there have problems: ${texts}`;
  return new RefusedError(`no guest ${name} is configured in ${site.guestConfigDirs.join(', ')}${unread}`, {
    code: 'not-found',
    remedy:
      domain === undefined
        ? 'see the guests: bofh vm list'
        : `it runs without a configuration, as domain ${domain.id}: xl shutdown -w ${domain.id}`,
  });
}
