import { type Origin, originOf, type Site } from './site.ts';

/** One setting of a site: what it is, and who has said so. */
export interface SiteSetting {
  readonly name: keyof Site;
  readonly description: string;
  /** Undefined: it has no default, and nobody has set it. */
  readonly value: unknown;
  readonly origin: Origin;
}

// A setting without a description does not compile.
const descriptions: { readonly [K in keyof Required<Site>]: string } = {
  volumeGroup: 'the volume group in which guests get their disks, when the command does not name one',
  guestConfigDirs: 'directories whose *.cfg files are guests; new ones are written to the first',
  diskNaming: 'how the logical volumes of a guest are named',
  startOrder: 'guests that start-all starts first, in this order; the others follow by name',
  guestKernel: 'kernel of a paravirtualized guest, when the command does not name one',
  guestRamdisk: 'ramdisk of a paravirtualized guest, when the command does not name one',
  bridge:
    "bridge of a guest's network interface, when the command does not name one; without it a guest has none",
  luksNaming:
    "how an opened encrypted device is named, after device-mapper's own name of the device; without it {name}-luks",
  keys: "where the keys of encrypted devices come from, by a name of the site's own: never a key itself",
  hosts: "other hosts: how ssh reaches each, by a name of the site's own",
};

/** Every setting of a site's policy, in the order of the site file. */
export function siteSettings(site: Site): readonly SiteSetting[] {
  return Object.keys(descriptions)
    .filter(isName)
    .map((name) => ({
      name,
      description: descriptions[name],
      value: site[name],
      origin: originOf(site, name),
    }));
}

function isName(key: string): key is keyof Site {
  return Object.hasOwn(descriptions, key);
}
