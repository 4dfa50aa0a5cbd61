import type { Ensured } from '../atomic/ensure.ts';
import type { Secret } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import type { EnsureMethods } from '../operations.ts';
import type { CreatedVm } from '../vm/create.ts';
import type { CreateRequest } from '../vm/create-request.ts';
import type { Script } from '../shell/commands.ts';
import type { Facts } from './facts.ts';
import type { EditRequest } from './edit/edit.ts';
import type { LinesRequest } from './lines.ts';
import type { Plain } from './plain.ts';

/** Owner, mode, ACL and extended attributes of a file or directory. Missing values stay as they are. */
export interface Owned {
  /**
   * Name of the user as in /etc/passwd, or the uid (default: unchanged; for a new file: the user
   * who runs bofh).
   */
  readonly owner?: string | number;
  /**
   * Name of the group as in /etc/group, or the gid (default: unchanged; for a new file: that of the
   * user who runs bofh).
   */
  readonly group?: string | number;
  /**
   * Permission bits: `0o640` (default: unchanged; for a new file `0o644`, for a new directory
   * `0o755`).
   */
  readonly mode?: number;
  /**
   * All entries of its ACL for named users and groups, as for setfacl(1): `['user:www-data:r-x',
   * 'g:50:rw']`; `[]` is none (default: unchanged; for a new file as the default ACL of its directory
   * says). The group bits of `mode` are then those of the owning group. The mask is what all of them
   * need, unless there is an entry `mask::r-x`.
   */
  readonly acl?: readonly string[];
  /**
   * Extended attributes `user.*` and `trusted.*`, as text or bytes: `{ 'user.note': 'backup' }`;
   * null removes one. Others stay (default: unchanged). The journal has their values.
   */
  readonly xattrs?: Readonly<Record<string, string | Uint8Array | null>>;
}

/** Owner, mode, ACLs and extended attributes of a directory. Missing values stay as they are. */
export interface DirectoryRequest extends Owned {
  /**
   * Entries of its default ACL, which new files in it get: `['user:www-data:rwx']`; `[]` is none
   * (default: unchanged). Those of owner, group and others are by default as in the directory:
   * `['other::---']` sets one.
   */
  readonly defaultAcl?: readonly string[];
}

/** A Debian package. */
export interface PackageRequest {
  /**
   * Exactly this version (default: any; a new package is installed in the newest version).
   * `latest`: the newest.
   */
  readonly version?: string;
  /** Whether apt keeps the version, as with `apt-mark hold` (default: unchanged). */
  readonly hold?: boolean;
  /**
   * The package must not be installed. `purged`: its configuration files are removed too, after the
   * commit, because nothing restores them.
   */
  readonly absent?: true | 'purged';
}

/** A repository of apt, signed by `key` or by a key that the host has (`signedBy`). */
export interface AptSourceRequest {
  /**
   * Addresses: `https://`, `http://` or `file:/`. Without a password: apt reads it from
   * /etc/apt/auth.conf.d.
   */
  readonly uris: string | readonly string[];
  /** Suites, such as `bookworm`; `./` for a repository without suites. */
  readonly suites: string | readonly string[];
  /** Components, such as `main`; none for a suite that ends in `/`. */
  readonly components?: string | readonly string[];
  /** Architectures (default: those of the host). */
  readonly architectures?: string | readonly string[];
  /**
   * Public key in ASCII, a function that returns it, or the path of its file, relative to the
   * description.
   */
  readonly key?: string | ((facts: Facts) => string);
  /** Path of a keyring on the host: `/usr/share/keyrings/debian-archive-keyring.gpg`. */
  readonly signedBy?: string;
}

/** A group of /etc/group. */
export interface GroupRequest {
  /**
   * Its gid (default: unchanged; for a new group: a free one). RefusedError if the group has
   * another gid.
   */
  readonly gid?: number;
  /** A new group is for a service, with a gid of the system range (default: false). */
  readonly system?: boolean;
  /** There must be no such group. RefusedError for the primary group of a user. */
  readonly absent?: true;
}

/** A user of /etc/passwd. Missing values stay as they are. */
export interface UserRequest {
  /**
   * Its uid (default: unchanged; for a new user: a free one). RefusedError if the user has another
   * uid.
   */
  readonly uid?: number;
  /**
   * Its primary group, by name or gid (default: unchanged; for a new user: a group of the same
   * name). RefusedError if the user has another one.
   */
  readonly group?: string | number;
  /** Groups that the user must be in. Other memberships stay. */
  readonly groups?: readonly string[];
  /**
   * Login shell (default: unchanged; for a new user /bin/bash, for a new system user
   * /usr/sbin/nologin).
   */
  readonly shell?: string;
  /**
   * Path of its home (default: unchanged; for a new user /home/NAME, a new system user has none). The
   * home of an existing user is neither created nor moved.
   */
  readonly home?: string;
  /** Full name or purpose. */
  readonly comment?: string;
  /**
   * All lines of ~/.ssh/authorized_keys, one per key; other lines are removed (default: the file
   * stays as it is).
   */
  readonly authorizedKeys?: readonly string[];
  /**
   * Hash of the password, of crypt(3), in a `Secret`, or `locked` (default: unchanged; for a new
   * user: locked).
   */
  readonly password?: Secret | 'locked';
  /**
   * A new user is for a service: a uid of the system range, no home and no login (default: false).
   */
  readonly system?: boolean;
  /**
   * There must be no such user; its home stays. RefusedError while its processes run, except those of
   * services that the description stops before.
   */
  readonly absent?: true;
}

/** Content of a file. A `Secret` is neither shown nor journalled, and its file has mode `0o600`. */
export type Content = string | Uint8Array | Secret;

/** A file of a description. */
export interface FileRequest extends Owned {
  /** Its content, or a function that returns it. */
  readonly content: Content | ((facts: Facts) => Content);
}

/** A file of a description whose content comes from a Liquid template. */
export interface TemplateRequest extends Owned {
  /**
   * Path of the template on the machine that bofh runs on, relative to the file that calls
   * `h.template`.
   */
  readonly file: string;
  /** Variables of the template. With a `Secret` in them the content is secret. */
  readonly data?: Readonly<Record<string, Plain>>;
}

/** A command for cron(8), and its schedule. */
export interface CronRequest {
  /** Five fields of crontab(5), `30 4 * * mon`, or `@reboot`, `@yearly`, `@monthly`, `@weekly`, `@daily` or `@hourly`. */
  readonly schedule: string;
  /** The user who runs the command. */
  readonly user: string;
  /** One line for /bin/sh. A `%` needs no backslash. */
  readonly command: string;
}

/** The file that sets a kernel parameter at boot. */
export interface SysctlRequest {
  /** A file `/etc/sysctl.d/NAME.conf`, whose other lines stay (default: `/etc/sysctl.d/80-bofh.conf`). */
  readonly file?: string;
}

/** How a kernel module is loaded. */
export interface KernelModuleRequest {
  /** Parameters as in modprobe.d(5): `{ numdummies: 2 }` (default: none). */
  readonly parameters?: Readonly<Record<string, string | number>>;
}

/**
 * A script of a description, with its own probe and undo. A text is for `/bin/sh -e`; an array is a
 * program with its arguments.
 */
export interface ScriptRequest {
  /**
   * Probe that changes nothing: exit code 0 if there is nothing to do, 1 if there is. A plan runs
   * it too.
   */
  readonly isDone: Script;
  /** Makes the change. */
  readonly run: Script;
  /**
   * Undoes the change, or a part of it after a kill; it may run twice. `none`: it cannot be undone,
   * so it runs after the commit.
   */
  readonly undo: Script;
  /** Time limit for `run`, in seconds (default: 600). */
  readonly seconds?: number;
}

/**
 * A release of an application: its source, and how it is built. Neither may contain secrets,
 * because the journal contains both.
 */
export interface ReleaseRequest {
  /** URL or path of a git repository. A private one needs a deploy key of root, or a credential helper of git. */
  readonly git?: string;
  /**
   * With `git`: a tag, or a commit with all its digits. Not a branch, which may be another commit
   * tomorrow.
   */
  readonly revision?: string;
  /**
   * URL of an archive that tar(1) can read: `https://…` or `file:/…`. If it contains only one
   * directory, the release is the content of that.
   */
  readonly archive?: string;
  /** With `archive`: the SHA-256 of the archive. */
  readonly sha256?: string;
  /**
   * Builds the release, in its final directory and before anything uses it: `npm ci`, or `python3
   * -m venv .venv && .venv/bin/pip install -r requirements.txt`. A text is for `/bin/sh -e`; an
   * array is a program with its arguments.
   */
  readonly build?: Script;
  /** The user who owns and builds the release (default: root). */
  readonly user?: string;
  /**
   * How many releases to keep, including this one; older ones are removed after the commit
   * (default: all).
   */
  readonly keep?: number;
  /** Time limit for fetching and building, in seconds (default: 1800). */
  readonly seconds?: number;
}

/** The result of `h.file` and similar methods, for `restartOn` of a service. */
export interface Described {
  readonly path: string;
}

/** The wanted state of a service. Missing values stay as they are. */
export interface ServiceRequest {
  /** Whether the service starts at boot, as with `systemctl enable`. */
  readonly enabled?: boolean;
  /** Whether the service runs. */
  readonly running?: boolean;
  /**
   * A running service is restarted if one of these changes: results of `h.file`, or paths; for a
   * directory, everything in it.
   */
  readonly restartOn?: readonly (Described | string)[];
  /** A running service is reloaded if one of these changes. */
  readonly reloadOn?: readonly (Described | string)[];
  /**
   * The service must stay up for this many seconds after a start, restart or reload (default: 5).
   */
  readonly seconds?: number;
}

/** Returns the value of a resource, after its step. */
export type Later<V> = () => V;

/**
 * Collects a create method of `ensure`. Takes its arguments, or a function that returns them when
 * its step begins.
 */
export type Collecting<M> = {
  readonly [K in keyof M]: M[K] extends (args: infer A) => Promise<Ensured<infer V>>
    ? (args: A | (() => A)) => Later<V>
    : never;
};

/** The create methods for a description, except those for files. */
export interface EnsureAll extends Omit<EnsureMethods, 'file'> {
  readonly vm: { readonly create: (request: CreateRequest) => Promise<Ensured<CreatedVm>> };
}

/** Collects what must be on a host. Nothing is read or changed here. */
export interface HostBuilder {
  /** A regular file with this content. */
  file(path: string, request: FileRequest): Described;
  /**
   * A regular file with the result of a Liquid template: `{{ port }}`, `{% if … %}`, `{% for … %}`,
   * `{% include … %}`.
   */
  template(path: string, request: TemplateRequest): Described;
  /** A directory. Only described objects in it are checked. */
  directory(path: string, request?: DirectoryRequest): Described;
  /** A symbolic link with the target `to`. */
  link(path: string, request: { readonly to: string }): Described;
  /**
   * There must be no file, link or directory at this path. RefusedError for a directory that is not
   * empty.
   */
  absent(path: string): Described;
  /** A repository of apt, and its lists. Its step comes before that of the packages. */
  aptSource(name: string, request: AptSourceRequest): Described;
  /**
   * A Debian package, with the packages that it needs. All packages of a description change
   * together.
   */
  package(name: string, request?: PackageRequest): void;
  /** A group. Its step comes before those of objects that name it. */
  group(name: string, request?: GroupRequest): void;
  /** A user, with a group of the same name unless another one is given. Its step comes before those of its files. */
  user(name: string, request?: UserRequest): void;
  /** Lines of an existing text file. */
  lines(path: string, request: LinesRequest): Described;
  /**
   * Values in a YAML, JSON, TOML or INI file. Comments, order and every other value stay; a missing
   * file is created.
   */
  edit(path: string, request: EditRequest): Described;
  /** A kernel parameter, in the running kernel and at boot. Several values are separated by spaces. */
  sysctl(key: string, value: string | number, request?: SysctlRequest): Described;
  /** A kernel module, loaded now and at boot. */
  kernelModule(name: string, request?: KernelModuleRequest): Described;
  /** The host name, in the running kernel and at boot: as in RFC 1123, at most 64 characters. */
  hostname(name: string): Described;
  /** The time zone of the host: a name below /usr/share/zoneinfo, such as `Europe/Berlin`. */
  timezone(name: string): Described;
  /**
   * LANG for logins and services. Generates this locale and the others, as dpkg-reconfigure(8) does
   * for the package locales.
   */
  locale(lang: string, ...others: readonly string[]): Described;
  /** A file in /etc/cron.d with one command. */
  cron(name: string, request: CronRequest): Described;
  /**
   * A script, which runs if its probe exits with 1. The name, which must be unique, is for
   * messages.
   */
  script(name: string, request: ScriptRequest): void;
  /**
   * An application in its own directory below `PATH/releases`, and the link `PATH/current` to it.
   * Returns the path of the link, for `restartOn` of its service. Earlier releases stay, so an
   * older `revision` changes only the link.
   */
  release(path: string, request: ReleaseRequest): Described;
  /** A systemd unit: `nginx` is `nginx.service`; `backup.timer` is a timer. */
  service(unit: string, request: ServiceRequest): void;
  /**
   * Objects that `tx.ensure` creates, unless they exist exactly as requested: volumes, filesystems,
   * mounts, lines of /etc/fstab, LUKS, guests.
   */
  readonly ensure: { readonly [D in keyof EnsureAll]: Collecting<EnsureAll[D]> };
}

/** The result of `defineHost`. */
export interface HostDescription {
  /** Collects what must be on the host. */
  readonly describe: (h: HostBuilder, facts: Facts) => unknown;
}

/**
 * Describes what should be on a host: the default export of a file for `bofh host apply FILE`. The
 * function only collects; it gets the facts of the host.
 *
 * @example
 * export default defineHost((h, facts) => {
 *   h.directory('/srv/www', { mode: 0o755 });
 *   h.file('/srv/www/index.html', { content: `<h1>${facts.hostname}</h1>\n` });
 * });
 */
export function defineHost(describe: HostDescription['describe']): HostDescription {
  const given: unknown = describe;
  if (typeof given !== 'function') throw new UsageError('defineHost: its argument must be a function');
  return { describe };
}
