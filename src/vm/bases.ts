import { posix } from 'node:path';
import { namesIn, type ReadHost } from '../command/index.ts';
import { debianRequest } from '../copy/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { parsed } from '../core/request.ts';
import type { Bytes } from '../core/units.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import type { CheckedCreate } from './create-request.ts';
import { downloadedImage, imagesDirectory } from './images.ts';

/** An archive with a Debian system, or a downloaded image, from which guests are created. */
export interface GuestBase {
  /** `trixie-2026-11-26`; for an image: the name of its file. */
  readonly name: string;
  /** Undefined for an image. */
  readonly suite: string | undefined;
  /** The day on which it was installed, in UTC: `2026-11-26`. Undefined for an image. */
  readonly date: string | undefined;
  /** Absolute path of the archive or image. */
  readonly path: string;
  readonly size: Bytes;
}

/** An archive with a Debian system. */
export interface DebianBase extends GuestBase {
  readonly suite: string;
  readonly date: string;
}

/** Not /var/cache/bofh, which only root may enter: apt downloads as another user. */
const directory = '/var/cache/bofh-bases';

/** The packages that every guest needs: to be reachable, and to boot its own kernel. */
const ownPackages = ['openssh-server', 'linux-image-amd64'];

/** Whether a key names a base or a downloaded image. */
export const isBase = (key: string): boolean =>
  [directory, imagesDirectory].some((each) => key.startsWith(`file:${each}/`));

/** Lists the bases by name and date, then the images, including partly downloaded ones. */
export async function basesOn(host: ReadHost): Promise<readonly GuestBase[]> {
  const found: GuestBase[] = [];
  for (const file of await namesIn(host, directory)) {
    const { suite, date } =
      /^debian-(?<suite>[a-z][a-z0-9.-]*)-amd64-(?<date>\d{4}-\d\d-\d\d)\.tar$/.exec(file)?.groups ?? {};
    const path = posix.join(directory, file);
    const stat = suite === undefined ? undefined : await host.stat(path);
    if (suite !== undefined && date !== undefined && stat?.kind === 'file')
      found.push({ name: `${suite}-${date}`, suite, date, path, size: stat.size });
  }
  found.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const name of await namesIn(host, imagesDirectory)) {
    const path = posix.join(imagesDirectory, name);
    const stat = await host.stat(path);
    if (stat?.kind === 'file') found.push({ name, suite: undefined, date: undefined, path, size: stat.size });
  }
  return found;
}

/** A request whose source is a file. */
export type FileCreate = CheckedCreate & {
  readonly source: Extract<CheckedCreate['source'], { readonly path: string }>;
};

/** A request with a file, or for a blank disk. */
export type SourcedCreate = CheckedCreate & {
  readonly source: FileCreate['source'] | { readonly type: 'blank' };
};

/**
 * The request with the archive of the newest base for `debian:SUITE`, or with the image of an `https` source.
 * Throws RefusedError with the code `not-found` if there is none.
 */
export async function withBase<T extends CheckedCreate>(
  host: ReadHost,
  request: T,
): Promise<T & SourcedCreate> {
  const { source } = request;
  if (source.type === 'https') return { ...request, source: await downloadedImage(host, source) };
  if (source.type !== 'debian') return { ...request, source };
  const base = (await basesOn(host)).findLast(({ suite }) => suite === source.suite);
  if (base === undefined)
    throw new RefusedError(`there is no Debian ${source.suite} for guests in ${directory}`, {
      code: 'not-found',
      remedy: `bofh vm base create ${source.suite}; then run the command again`,
    });
  return { ...request, source: { type: 'tar', path: base.path } };
}

/** A base by its name. Throws RefusedError with the code `not-found` if there is none. */
export async function findBase(host: ReadHost, name: string): Promise<GuestBase> {
  const found = (await basesOn(host)).find((base) => base.name === name);
  if (found !== undefined) return found;
  throw new RefusedError(`there is no Debian system or image ${name} in ${directory} or ${imagesDirectory}`, {
    code: 'not-found',
    remedy: 'bofh vm base list',
  });
}

/** Options of `vm.createBase`: additional packages, and their source. */
export interface BaseRequest {
  /**
   * Packages in addition to openssh-server, linux-image-amd64 and `debianPackages` of the site file.
   */
  readonly packages?: readonly string[];
  /**
   * URL of a mirror. It is then the only source of packages, also in the new system (default: `debianMirror`
   * of the site file, or those of mmdebstrap, with security updates).
   */
  readonly mirror?: string;
  /** Absolute path of the keyring that verifies the mirror (default: the keys that apt of this host trusts). */
  readonly keyring?: string;
}

interface BasePlan extends Omit<DebianBase, 'size'>, BaseRequest {
  readonly packages: readonly string[];
  /** True if the directory does not exist yet. */
  readonly isFirst: boolean;
}

/** Plans a new base. Throws if a base of this suite from today exists. */
export async function planBase(of: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly request: BaseRequest & { readonly suite: string };
  readonly now: Date;
}): Promise<BasePlan> {
  const { host, site, request, now } = of;
  const { suite } = request;
  const date = now.toISOString().slice(0, 10);
  const name = `${suite}-${date}`;
  const path = posix.join(directory, `debian-${suite}-amd64-${date}.tar`);
  if ((await host.stat(path)) !== undefined)
    throw new RefusedError(`${path} was already created today`, {
      code: 'exists',
      remedy: `use it (--source debian:${suite}), or remove it first: bofh vm base remove ${name}`,
    });
  const { mirror = site.debianMirror, keyring } = request;
  const packages = [...new Set([...ownPackages, ...site.debianPackages, ...(request.packages ?? [])])];
  // The settings of the site are checked here, before anything changes.
  const asked = { suite, packages, ...present({ mirror, keyring }) };
  parsed('vm.createBase', debianRequest, asked);
  const isFirst = (await host.stat(directory)) === undefined;
  return { ...asked, name, date, path, isFirst };
}

/** Creates the archive, and its directory if it is the first archive. */
export async function createBase(tx: Tx, plan: BasePlan): Promise<DebianBase> {
  const { name, date, path, isFirst, ...what } = plan;
  if (isFirst) await tx.file.createDirectory({ path: directory, mode: 0o755 });
  const { size } = await tx.copy.debian({ ...what, file: path });
  return { name, suite: plan.suite, date, path, size };
}
