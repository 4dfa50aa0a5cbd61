import { lstatSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import en from 'zod/v4/locales/en.js';
import * as z from 'zod/mini';
import { type ExposedPart, exposedHere, exposedOn, keyRef, type ReadHost } from './command/index.ts';
import type { AnyOperation } from './atomic/index.ts';
import { BofhError, messageOf, UsageError } from './core/errors.ts';
import { nearestOf } from './core/nearest.ts';
import { option } from './core/option.ts';
import { checkOwn } from './operations.ts';

// Without a locale every zod issue reads "Invalid input". It is set here because every module that
// validates user input loads after this one.
z.config(en());

const directory = z.string().check(z.regex(/^\//, 'must be an absolute path'));
const lvPattern = z.string().check(z.regex(/^[^{}/]*\{name\}[^{}/]*$/, 'must hold {name} once and no "/"'));

const siteSchema = z.strictObject({
  /** The volume group for guest disks (default: none, so each command must name one). */
  volumeGroup: z.exactOptional(z.string().check(z.minLength(1))),
  /** Directories whose `*.cfg` files are guests; new ones are written to the first. */
  guestConfigDirs: z._default(z.array(directory).check(z.minLength(1)), ['/etc/xen']),
  /** Names of the logical volumes of a guest. */
  diskNaming: z._default(
    z.strictObject({
      /** Name of the root disk; `{name}` is the name of the guest (default: `{name}-root`). */
      root: lvPattern,
      /** Name of the swap disk (default: `{name}-swap`). */
      swap: lvPattern,
    }),
    {
      root: '{name}-root',
      swap: '{name}-swap',
    },
  ),
  /** Guests that `start-all` starts first, in this order; the others follow by name. */
  startOrder: z._default(z.array(z.string()), []),
  /** Default kernel of paravirtualized guests. */
  guestKernel: z.exactOptional(directory),
  /** Default ramdisk of paravirtualized guests. */
  guestRamdisk: z.exactOptional(directory),
  /** GRUB for paravirtualized guests that boot their own kernel (package grub-xen-host). */
  guestGrub: z._default(directory, '/usr/lib/grub-xen/grub-x86_64-xen.bin'),
  /** GRUB for PVH guests that boot their own kernel. */
  guestGrubPvh: z._default(directory, '/usr/lib/grub-xen/grub-i386-xen_pvh.bin'),
  /** Default bridge of a guest's network interface; without one, a guest has no interface. */
  bridge: z.exactOptional(z.string().check(z.minLength(1))),
  /** Public keys that may log in to new guests as root: each as text, or a file of them. */
  guestSshKeys: z._default(z.array(z.string().check(z.minLength(1))), []),
  /** Directory of the scripts that `vm create --role` runs in new guests. */
  rolesDir: z._default(directory, '/etc/bofh/roles.d'),
  /** Gateways of new guests with a static address. */
  guestGateway: z._default(z.array(z.string()), []),
  /** Name servers of new guests with a static address. */
  guestDns: z._default(z.array(z.string()), []),
  /** Mirror of the Debian systems that `vm base create` installs. */
  debianMirror: z.exactOptional(z.string().check(z.minLength(1))),
  /** Additional packages in these Debian systems. */
  debianPackages: z._default(z.array(z.string()), []),
  /**
   * Name of an opened encrypted device; `{name}` is the device-mapper name of the device (default:
   * `{name}-luks`).
   */
  luksNaming: z.exactOptional(lvPattern),
  /**
   * Sources of the keys of encrypted devices, by a name that the site chooses; never a key itself.
   */
  keys: z._default(z.record(z.string().check(z.regex(/^[\w.:@-]+$/)), keyRef), {}),
  /**
   * Other hosts: how ssh reaches each, by a name that the site chooses. A host that ssh knows need
   * not be listed.
   */
  hosts: z._default(
    z.record(
      z.string().check(z.regex(/^[\w][\w.-]*$/, 'a name of letters, digits and . _ -')),
      z.strictObject({
        destination: z.exactOptional(z.string()),
        configFile: z.exactOptional(directory),
        options: z.exactOptional(z.record(z.string(), z.string())),
        become: z.exactOptional(z.enum(['root', 'login'])),
        /** Journal directory of bofh on that host (default: /var/lib/bofh). */
        stateDir: z.exactOptional(directory),
      }),
    ),
    {},
  ),
  /** Operations of the site's own (`operation()`), which scripts run with `tx.step`. Recovery finds them here. */
  operations: z._default(z.readonly(z.array(z.custom<AnyOperation>())), []),
});

/** The policy of a site, with all defaults filled in. */
export type Site = z.output<typeof siteSchema>;

/** The content of a site file: any part of the policy. */
export type SiteSettings = z.input<typeof siteSchema>;

/**
 * Types the settings of a site file: `export default defineSite({ volumeGroup: 'vg0' })`. Returns
 * them unchanged.
 */
export function defineSite(settings: SiteSettings): SiteSettings {
  return settings;
}

/**
 * Returns the settings with their defaults. Throws UsageError, which names each unknown key and the nearest
 * known one.
 */
export function parseSite(
  value: unknown,
  source: string,
  origin: Origin = { by: 'site file', where: source },
): Site {
  const parsed = siteSchema.safeParse(value);
  if (parsed.success) checkOwnIn(parsed.data.operations, source);
  if (parsed.success) return known(parsed.data, fromAll(value, origin));
  const issues = parsed.error.issues.map((issue) => {
    const path = issue.path.join('.');
    if (issue.code === 'unrecognized_keys') return issue.keys.map(unknownKey).join('; ');
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  throw new UsageError(`${source}: ${issues.join('; ')}`);
}

/** Checks the settings that a program passes, and fills in the defaults. */
export function siteOfProgram(what: string, site: Site): Site {
  return origins.has(site) ? site : parseSite(site, what, { by: 'program' });
}

function checkOwnIn(operations: readonly AnyOperation[], source: string): void {
  try {
    checkOwn(operations);
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    throw new UsageError(`${source}: ${error.message}`, { cause: error, remedy: error.remedy });
  }
}

/** The origin of the value of a setting. */
export interface Origin {
  readonly by: 'default' | 'site file' | 'override' | 'program';
  /** The path of the site file. */
  readonly where?: string;
}

type Origins = ReadonlyMap<string, Origin>;

// Separate from the policy, because that is plain data which programs create and compare. A copied policy has
// the origin `program`.
const origins = new WeakMap<Site, Origins>();

/** Returns where a setting of a policy was set. */
export function originOf(site: Site, setting: keyof Site): Origin {
  return origins.get(site)?.get(setting) ?? { by: origins.has(site) ? 'default' : 'program' };
}

/**
 * Returns a copy of a policy with some settings replaced, each as a whole. Both are immutable.
 * Throws UsageError as for a site file.
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

/** The policy without a site file. */
export const defaultSite: Site = parseSite({}, 'the defaults');

function unknownKey(key: string): string {
  const names = [...Object.keys(siteSchema.shape), ...Object.keys(defaultSite.diskNaming)];
  return `unknown setting "${key}"; did you mean "${nearestOf(key, names) ?? ''}"?`;
}

/** Default paths of the site file, in search order. */
export const sitePaths = [
  '/etc/bofh/site-specific.ts',
  '/etc/bofh/site-specific.js',
  '/etc/bofh/site-specific.json',
] as const;

/**
 * Returns the path of the site file to load: the named one, or else the first existing one of `sitePaths`, or
 * else undefined. Throws UsageError if another user can write the file or a directory above it, because root
 * runs it as code.
 */
export async function findSite(
  host: Pick<ReadHost, 'name' | 'stat' | 'readLink'>,
  named: string | undefined,
  uid: number,
): Promise<string | undefined> {
  if (named !== undefined) {
    const path = posix.resolve('/', named);
    if ((await host.stat(path)) === undefined) throw noSite(path);
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

/**
 * As `findSite`, synchronously, on this machine. A relative path starts at the current directory, and an
 * empty one counts as missing.
 */
export function siteFileHere(named: string | undefined): string | undefined {
  const paths = named === undefined || named === '' ? sitePaths : [resolve(named)];
  const path = paths.find(isThere);
  if (path === undefined && named !== undefined && named !== '') throw noSite(resolve(named));
  const found = path === undefined ? undefined : exposedHere(path, 'content');
  if (path !== undefined && found !== undefined) throw unsafeSite(path, found);
  return path;
}

/** Throws UsageError if it cannot be known, for example because only root may enter the directory. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw unreadableSite(path, error);
  }
}

/** Returns the error for a site file that cannot be read. */
export function unreadableSite(path: string, error: unknown): UsageError {
  return new UsageError(`the site file ${path} cannot be read: ${messageOf(error)}`, {
    cause: error,
    remedy: `run the command as a user who can read it, or name another site file: ${option('--site FILE', 'loadSite(FILE)')}, or BOFH_SITE`,
  });
}

function noSite(path: string): UsageError {
  return new UsageError(`there is no site file ${path}`, {
    code: 'not-found',
    remedy: `name an existing file: ${option('--site FILE', 'loadSite(FILE)')}, or BOFH_SITE`,
  });
}

/** Returns the error for a site file, or a file that it imports, that another user can write. */
export function unsafeSite(path: string, { at, why, repair }: ExposedPart): UsageError {
  return new UsageError(
    `the site file ${path} is refused: it is code that bofh runs as you, and ${at} ${why}`,
    { remedy: repair },
  );
}
