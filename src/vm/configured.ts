import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Site } from '../site.ts';
import {
  type ConfigProblem,
  type Disk,
  type Domain,
  domains,
  type GuestConfig,
  guestConfigs,
} from '../xen/index.ts';
import { unknown } from './remove.ts';
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
  if (guest === undefined) throw await unknown(host, { name, site, problems });
  const [domain] = await domains(host, (each) => each.name === name || each.uuid === guest.uuid);
  return { guest, guests, problems, domain };
}

/**
 * The disk with this name in the guest, or a data disk by the name that was passed to `create`; `root` is the
 * root disk.
 */
export function diskNamed(guest: GuestConfig, name: string): Disk {
  const disk =
    name === 'root'
      ? rootOf(guest)
      : (guest.disks.find(({ vdev }) => vdev === name.replace(/^\/dev\//, '')) ??
        guest.disks.find(({ path }) => path?.endsWith(`/${guest.name}-${name}`)));
  if (disk !== undefined) return disk;
  const names = guest.disks.map(({ vdev }) => vdev).join(', ');
  throw new RefusedError(
    name === 'root'
      ? `${guest.file} does not say which disk has the root filesystem of ${guest.name}${guest.root === undefined ? '' : `: root=${guest.root} is not the name of one`}`
      : `${guest.name} has no disk ${name}`,
    {
      code: 'not-found',
      remedy: names === '' ? `bofh vm show ${guest.name}` : `name one of its disks: ${names}`,
    },
  );
}

/** The root disk. Without `root` in the configuration it is the first disk, from which a bootloader boots. */
export function rootOf({ root, disks }: GuestConfig): Disk | undefined {
  const all = disks.filter(({ devtype }) => devtype === 'disk');
  return root === undefined ? all[0] : all.find(({ vdev }) => root === `/dev/${vdev}`);
}
