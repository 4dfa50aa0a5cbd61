import { posix } from 'node:path';
import en from 'zod/v4/locales/en.js';
import * as z from 'zod/mini';
import { type ExposedPart, exposedOn, keyRef, type ReadHost } from './command/index.ts';
import { UsageError } from './core/errors.ts';

// Without words of a language every issue reads "Invalid input". Here, because every part that asks a person for a value
// comes after the site's policy.
z.config(en());

const directory = z.string().check(z.regex(/^\//, 'must be an absolute path'));
const lvPattern = z.string().check(z.regex(/^[^{}/]*\{name\}[^{}/]*$/, 'must hold {name} once and no "/"'));

const siteSchema = z.strictObject({
  /** The volume group in which guests get their disks, when the command does not name one. */
  volumeGroup: z.exactOptional(z.string().check(z.minLength(1))),
  /** Directories whose `*.cfg` files are guests; new ones are written to the first. */
  guestConfigDirs: z._default(z.array(directory).check(z.minLength(1)), ['/etc/xen']),
  /** How the logical volumes of a guest are named. */
  diskNaming: z._default(z.strictObject({ root: lvPattern, swap: lvPattern }), {
    root: '{name}-root',
    swap: '{name}-swap',
  }),
  /** Guests that `start-all` starts first, in this order; the others follow by name. */
  startOrder: z._default(z.array(z.string()), []),
  /** Kernel and ramdisk of a paravirtualized guest, when the command does not name one. */
  guestKernel: z.exactOptional(directory),
  guestRamdisk: z.exactOptional(directory),
  /** Bridge of a guest's network interface, when the command does not name one; without it a guest has none. */
  bridge: z.exactOptional(z.string().check(z.minLength(1))),
  /** How an opened encrypted device is named, after device-mapper's own name of the device: without it `{name}-luks`. */
  luksNaming: z.exactOptional(lvPattern),
  /** Where the keys of encrypted devices come from, by a name of the site's own: never a key itself. */
  keys: z._default(z.record(z.string().check(z.regex(/^[\w.:@-]+$/)), keyRef), {}),
  /** Other hosts: how ssh reaches each, by a name of the site's own. A host that ssh knows by itself need not be here. */
  hosts: z._default(
    z.record(
      z.string().check(z.regex(/^[\w][\w.-]*$/, 'a name of letters, digits and . _ -')),
      z.strictObject({
        destination: z.exactOptional(z.string()),
        configFile: z.exactOptional(directory),
        options: z.exactOptional(z.record(z.string(), z.string())),
        become: z.exactOptional(z.enum(['root', 'login'])),
        /** Where the bofh of that host has its journals, when not in /var/lib/bofh. */
        stateDir: z.exactOptional(directory),
      }),
    ),
    {},
  ),
});

/** A site's policy, every default filled in. */
export type Site = z.output<typeof siteSchema>;

/** What a site file says: any part of it. */
export type SiteSettings = z.input<typeof siteSchema>;

/** For a site file: `export default defineSite({ volumeGroup: 'vg0' })`. It only gives the types. */
export function defineSite(settings: SiteSettings): SiteSettings {
  return settings;
}

/** The settings with their defaults. Throws UsageError that names each bad key, and the nearest known one. */
export function parseSite(value: unknown, source: string): Site {
  const parsed = siteSchema.safeParse(value);
  if (parsed.success) return known(parsed.data, fromAll(value, { by: 'site file', where: source }));
  const issues = parsed.error.issues.map((issue) => {
    const path = issue.path.join('.');
    if (issue.code === 'unrecognized_keys') return issue.keys.map(unknownKey).join('; ');
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  throw new UsageError(`${source}: ${issues.join('; ')}`);
}

/** Who has said what a setting is. */
export interface Origin {
  readonly by: 'default' | 'site file' | 'override' | 'program';
  /** The file. */
  readonly where?: string;
}

type Origins = ReadonlyMap<string, Origin>;

// Beside the policy, which is plain data that people make and compare; a copy of it is one that a program has made.
const origins = new WeakMap<Site, Origins>();

/** Who has said what this setting of a policy is. */
export function originOf(site: Site, setting: keyof Site): Origin {
  return origins.get(site)?.get(setting) ?? { by: origins.has(site) ? 'default' : 'program' };
}

/**
 * A policy with some of its settings replaced, each as a whole. It is another value: neither can be changed. Throws
 * UsageError, as for a site file.
 */
export function overrideSite(site: Site, overrides: SiteSettings): Site {
  const own = fromAll(overrides, { by: 'override' });
  const parsed = parseSite({ ...site, ...overrides }, 'the overrides of the site');
  const settings = Object.keys(parsed).filter(isSetting);
  return known(parsed, new Map([...settings.map((key) => [key, originOf(site, key)] as const), ...own]));
}

function isSetting(key: string): key is keyof Site {
  return Object.hasOwn(siteSchema.shape, key);
}

function fromAll(value: unknown, origin: Origin): Origins {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  return new Map(keys.map((key) => [key, origin]));
}

function known(site: Site, from: Origins): Site {
  const frozen = deeplyFrozen(site);
  origins.set(frozen, from);
  return frozen;
}

function deeplyFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deeplyFrozen(inner);
  return Object.freeze(value);
}

/** The policy of a site that says nothing. */
export const defaultSite: Site = parseSite({}, 'the defaults');

function unknownKey(key: string): string {
  const names = [...Object.keys(siteSchema.shape), ...Object.keys(defaultSite.diskNaming)];
  const nearest = names.toSorted((a, b) => distance(key, a) - distance(key, b))[0] ?? '';
  return `"${key}" is no setting; did you mean "${nearest}"?`;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const swap = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Where a site file is looked for when nobody names one. */
export const sitePaths = [
  '/etc/bofh/site-specific.ts',
  '/etc/bofh/site-specific.js',
  '/etc/bofh/site-specific.json',
] as const;

/**
 * The site file to load: the named one, else the first of `sitePaths` that is there, else undefined. It is code
 * that root runs, so it is refused (UsageError) when it, or a folder above it, can be written by anyone else.
 */
export async function findSite(
  host: Pick<ReadHost, 'name' | 'stat' | 'readLink'>,
  named: string | undefined,
  uid: number,
): Promise<string | undefined> {
  if (named !== undefined) {
    const path = posix.resolve('/', named);
    if ((await host.stat(path)) === undefined)
      throw new UsageError(`there is no site file ${path}`, {
        remedy: 'name one that is there: --site FILE, or BOFH_SITE',
      });
    await refuseUnsafe(host, path, uid);
    return path;
  }
  for (const path of sitePaths) {
    if ((await host.stat(path)) === undefined) continue;
    await refuseUnsafe(host, path, uid);
    return path;
  }
  return undefined;
}

async function refuseUnsafe(
  host: Pick<ReadHost, 'name' | 'stat' | 'readLink'>,
  path: string,
  uid: number,
): Promise<void> {
  const found = await exposedOn(host, path, 'content', uid);
  if (found !== undefined) throw unsafeSite(path, found);
}

/** The error for a site file, or for a file that it loads. */
export function unsafeSite(path: string, { at, why, repair }: ExposedPart): UsageError {
  return new UsageError(
    `the site file ${path} is refused: it is code that bofh runs as you, and ${at} ${why}`,
    { remedy: repair },
  );
}
