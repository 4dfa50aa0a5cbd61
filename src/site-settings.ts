import { type Origin, originOf, type Site } from './site.ts';

/** One setting of a site: its value and where it was set. */
export interface SiteSetting {
  readonly name: keyof Site;
  readonly description: string;
  /** Undefined if the setting has no default and is not set. */
  readonly value: unknown;
  readonly origin: Origin;
}

// A setting without a description does not compile.
const descriptions: { readonly [K in keyof Required<Site>]: string } = {
  volumeGroup: 'volume group for guest disks (default: none, the command must name one)',
  guestConfigDirs: 'directories whose *.cfg files are guests; new ones are written to the first',
  diskNaming: 'names of the logical volumes of a guest',
  startOrder: 'guests that start-all starts first, in this order; the others follow by name',
  guestKernel: 'default kernel of paravirtualized guests',
  guestRamdisk: 'default ramdisk of paravirtualized guests',
  guestGrub: 'GRUB for paravirtualized guests that boot their own kernel',
  guestGrubPvh: 'GRUB for PVH guests that boot their own kernel',
  bridge:
    "default bridge of a guest's network interface; without it, a guest has no interface unless you name a bridge",
  guestSshKeys: 'public keys that may log in to new guests as root: each as text, or a file with some',
  rolesDir: 'directory of the scripts that vm create --role runs in new guests',
  guestGateway: 'gateway of new guests with a static address, one of each family',
  guestDns: 'name servers of new guests with a static address',
  debianMirror: 'URL of the mirror for vm base create (default: those of mmdebstrap)',
  debianPackages: 'further packages for vm base create',
  luksNaming:
    "name of an opened encrypted device; {name} is device-mapper's name of the device (default: {name}-luks)",
  keys: 'sources of the keys of encrypted devices, by a name that the site chooses; never a key itself',
  operations: "operations of the site's own, with their versions: scripts run them with tx.step",
  hosts: 'other hosts: how ssh reaches each, by a name that the site chooses',
};

/** Returns every setting of a site, in the order of `descriptions`. */
export function siteSettings(site: Site): readonly SiteSetting[] {
  return Object.keys(descriptions)
    .filter(isName)
    .map((name) => ({
      name,
      description: descriptions[name],
      value:
        name === 'operations'
          ? site.operations.map(({ kind, version }) => `${kind} ${String(version)}`)
          : site[name],
      origin: originOf(site, name),
    }));
}

function isName(key: string): key is keyof Site {
  return Object.hasOwn(descriptions, key);
}
