import type { ReadHost } from '../command/index.ts';
import type { Site } from '../site.ts';
import { type ConfigProblem, type Domain, domains, type GuestConfig, guestConfigs } from '../xen/index.ts';
import { unknownGuest } from './remove.ts';
import { checkText } from '../core/checks.ts';

/** A configured guest, all other guests, and its domain if it is not off. */
export interface Configured {
  readonly guest: GuestConfig;
  readonly guests: readonly GuestConfig[];
  readonly problems: readonly ConfigProblem[];
  readonly domain: Domain | undefined;
}

/** Finds a guest. Throws RefusedError if it has no configuration. */
export async function configured(
  host: ReadHost,
  { name, site }: { readonly name: string; readonly site: Site },
): Promise<Configured> {
  checkText('the name of the guest', name);
  const { guests, problems } = await guestConfigs(host, site.guestConfigDirs);
  const guest = guests.find((each) => each.name === name);
  if (guest === undefined) throw await unknownGuest(host, { name, site, problems });
  const [domain] = await domains(host, (each) => each.name === name || each.uuid === guest.uuid);
  return { guest, guests, problems, domain };
}
