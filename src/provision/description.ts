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

/** Owner and mode of a file or directory. What is left out stays as it is. */
export interface Owned {
  /** Name of the user, as in /etc/passwd, or a number (default: unchanged; new: the user who runs bofh). */
  readonly owner?: string | number;
  /** Name of the group, as in /etc/group, or a number (default: unchanged; new: that of this user). */
  readonly group?: string | number;
  /** Permission bits: `0o640` (default: unchanged; new file `0o644`, new directory `0o755`). */
  readonly mode?: number;
}

/** A package of Debian. */
export interface PackageRequest {
  /** Exactly this version (default: any; if it is missing, the newest). `latest`: the newest. */
  readonly version?: string;
  /** Whether apt keeps its version, as `apt-mark hold` (default: unchanged). */
  readonly hold?: boolean;
  /**
   * It is not installed. `purged`: its configuration files are removed too, after the commit, because
   * nothing restores them.
   */
  readonly absent?: true | 'purged';
}

/** A repository of apt. It is signed by `key`, or by a key that the host has (`signedBy`). */
export interface AptSourceRequest {
  /** Addresses: `https://`, `http://` or `file:/`. Without a password, which apt reads from /etc/apt/auth.conf.d. */
  readonly uris: string | readonly string[];
  /** Suites, such as `bookworm`; `./` for a repository without suites. */
  readonly suites: string | readonly string[];
  /** Components, such as `main`; none for a suite that ends in `/`. */
  readonly components?: string | readonly string[];
  /** Architectures (default: those of the host). */
  readonly architectures?: string | readonly string[];
  /** Its public key in ASCII, a function that returns it, or the path of its file, relative to the description. */
  readonly key?: string | ((facts: Facts) => string);
  /** Path of a keyring that the host has: `/usr/share/keyrings/debian-archive-keyring.gpg`. */
  readonly signedBy?: string;
}

/** A group of /etc/group. */
export interface GroupRequest {
  /** Its number (default: unchanged; new: a free one). Another number than the present one is refused. */
  readonly gid?: number;
  /** A new group is for a service, with a number of that range (default: false). */
  readonly system?: boolean;
  /** There is no such group. The primary group of a user is refused. */
  readonly absent?: true;
}

/** A user of /etc/passwd. What is left out stays as it is. */
export interface UserRequest {
  /** Its number (default: unchanged; new: a free one). Another number than the present one is refused. */
  readonly uid?: number;
  /** Its primary group, by name or number (default: unchanged; new: a group of the same name). Another one than the present is refused. */
  readonly group?: string | number;
  /** Groups that it is a member of. Other memberships stay. */
  readonly groups?: readonly string[];
  /** Login shell (default: unchanged; new: /bin/bash, of a system user /usr/sbin/nologin). */
  readonly shell?: string;
  /** Path of its home, which only a new user gets (default: unchanged; new: /home/NAME; a system user has none). */
  readonly home?: string;
  /** Full name or purpose. */
  readonly comment?: string;
  /** Every key in ~/.ssh/authorized_keys, a line each; others are removed (default: the file stays as it is). */
  readonly authorizedKeys?: readonly string[];
  /** The hash of its password, of crypt(3), in a `Secret`, or `locked` (default: unchanged; new: locked). */
  readonly password?: Secret | 'locked';
  /** A new user is for a service: a number of that range, no home and no login (default: false). */
  readonly system?: boolean;
  /** There is no such user; its home stays. Refused while its processes run. */
  readonly absent?: true;
}

/** What a file contains. A `Secret` is neither shown nor journalled, and its file has mode `0o600`. */
export type Content = string | Uint8Array | Secret;

/** A file of a description. */
export interface FileRequest extends Owned {
  /** Its content, or a function that returns it. */
  readonly content: Content | ((facts: Facts) => Content);
}

/** A file of a description whose content comes from a template of Liquid. */
export interface TemplateRequest extends Owned {
  /** Path of the template on the machine that bofh runs on, relative to the file that calls `h.template`. */
  readonly file: string;
  /** The variables of the template. With a `Secret` in them the content is secret. */
  readonly data?: Readonly<Record<string, Plain>>;
}

/** What cron(8) runs, and when. */
export interface CronRequest {
  /** Five fields of crontab(5), `30 4 * * mon`, or `@reboot`, `@yearly`, `@monthly`, `@weekly`, `@daily` or `@hourly`. */
  readonly schedule: string;
  /** Who runs it. */
  readonly user: string;
  /** One line for /bin/sh. A `%` needs no backslash. */
  readonly command: string;
}

/** Where a kernel parameter is set at boot. */
export interface SysctlRequest {
  /** A file `/etc/sysctl.d/NAME.conf`, whose other lines stay (default: `/etc/sysctl.d/80-bofh.conf`). */
  readonly file?: string;
}

/** How a kernel module is loaded. */
export interface KernelModuleRequest {
  /** Its parameters, as of modprobe.d(5): `{ numdummies: 2 }` (default: none of its own). */
  readonly parameters?: Readonly<Record<string, string | number>>;
}

/** A script of a description, with a probe and an undo of its own. A text is for `/bin/sh -e`; an array is a program with its arguments. */
export interface ScriptRequest {
  /** Exit code 0 if there is nothing to do, 1 if there is; it changes nothing. A plan runs it too. */
  readonly isDone: Script;
  /** Does it. */
  readonly run: Script;
  /**
   * Undoes it, also a part of it after a kill; it may run twice. `none`: it cannot be undone, so it runs
   * after the commit.
   */
  readonly undo: Script;
  /** Time limit for `run`, in seconds (default: 600). */
  readonly seconds?: number;
}

/** A release of an application: what it is made of, and how it is built. Neither may have secrets: both are in the journal. */
export interface ReleaseRequest {
  /** URL or path of a git repository. A private one needs a deploy key of root, or a credential helper of git. */
  readonly git?: string;
  /** With `git`: a tag, or a commit with all its digits. A branch is another commit tomorrow. */
  readonly revision?: string;
  /** URL of an archive that tar(1) reads: `https://…` or `file:/…`. If it has one directory, the release is what is in that. */
  readonly archive?: string;
  /** With `archive`: its SHA-256. */
  readonly sha256?: string;
  /**
   * Builds it, in its final directory and before anything uses it: `npm ci`, or `python3 -m venv .venv &&
   * .venv/bin/pip install -r requirements.txt`. A text is for `/bin/sh -e`; an array is a program with its arguments.
   */
  readonly build?: Script;
  /** The user who owns it and builds it (default: root). */
  readonly user?: string;
  /** How many releases stay, with this one; older ones are removed after the commit (default: all). */
  readonly keep?: number;
  /** Time limit for fetching and building, in seconds (default: 1800). */
  readonly seconds?: number;
}

/** What `h.file` and its like return, for `restartOn` of a service. */
export interface Described {
  readonly path: string;
}

/** What a service of a description should be. What is left out stays as it is. */
export interface ServiceRequest {
  /** Whether it starts with the boot, as `systemctl enable`. */
  readonly enabled?: boolean;
  /** Whether it runs. */
  readonly running?: boolean;
  /** If one of these changes, a running service is restarted: what `h.file` returned, or paths; of a directory all in it. */
  readonly restartOn?: readonly (Described | string)[];
  /** If one of these changes, a running service is reloaded. */
  readonly reloadOn?: readonly (Described | string)[];
  /** After a start, restart or reload it must stay up for so many seconds (default: 5). */
  readonly seconds?: number;
}

/** Returns the value of a resource, after its step. */
export type Later<V> = () => V;

/** Collects a create method of `ensure`. Its arguments, or a function that returns them when its step begins. */
export type Collecting<M> = {
  readonly [K in keyof M]: M[K] extends (args: infer A) => Promise<Ensured<infer V>>
    ? (args: A | (() => A)) => Later<V>
    : never;
};

/** The create methods that a description has, beside files. */
export interface EnsureAll extends Omit<EnsureMethods, 'file'> {
  readonly vm: { readonly create: (request: CreateRequest) => Promise<Ensured<CreatedVm>> };
}

/** Collects what should be on a host. Nothing is read or changed here. */
export interface HostBuilder {
  /** A regular file with this content. */
  file(path: string, request: FileRequest): Described;
  /** A regular file with what a Liquid template returns: `{{ port }}`, `{% if … %}`, `{% for … %}`, `{% include … %}`. */
  template(path: string, request: TemplateRequest): Described;
  /** A directory. What is in it counts only as far as it is described. */
  directory(path: string, request?: Owned): Described;
  /** A symbolic link that says `to`. */
  link(path: string, request: { readonly to: string }): Described;
  /** No file, link or directory of this name. A directory that is not empty is refused. */
  absent(path: string): Described;
  /** A repository of apt, whose lists are read. Its step comes before that of the packages. */
  aptSource(name: string, request: AptSourceRequest): Described;
  /** A package of Debian, with the packages that it needs. All packages of a description change together. */
  package(name: string, request?: PackageRequest): void;
  /** A group. Its step comes before those of what names it. */
  group(name: string, request?: GroupRequest): void;
  /** A user, with a group of the same name unless another one is given. Its step comes before those of its files. */
  user(name: string, request?: UserRequest): void;
  /** Lines of an existing text file. */
  lines(path: string, request: LinesRequest): Described;
  /** Values in a YAML, JSON, TOML or INI file. Comments, order and every other value stay; a missing file is created. */
  edit(path: string, request: EditRequest): Described;
  /** A kernel parameter, in the running kernel and at boot. Several values are separated by spaces. */
  sysctl(key: string, value: string | number, request?: SysctlRequest): Described;
  /** A kernel module, loaded now and at boot. */
  kernelModule(name: string, request?: KernelModuleRequest): Described;
  /** The name of the host, in the running kernel and at boot: of RFC 1123, at most 64 characters. */
  hostname(name: string): Described;
  /** The time zone of the host: a name below /usr/share/zoneinfo, such as `Europe/Berlin`. */
  timezone(name: string): Described;
  /** LANG for logins and services; it and the others are generated, as by dpkg-reconfigure(8) of the package locales. */
  locale(lang: string, ...others: readonly string[]): Described;
  /** A file in /etc/cron.d with one command. */
  cron(name: string, request: CronRequest): Described;
  /** A script, which runs if its probe says that it is not done. The name is for messages, and each script has its own. */
  script(name: string, request: ScriptRequest): void;
  /**
   * An application in a directory of its own below `PATH/releases`, and the link `PATH/current` to it, whose
   * path this returns: for `restartOn` of its service. Earlier releases stay, so an older `revision` changes only the link.
   */
  release(path: string, request: ReleaseRequest): Described;
  /** A unit of systemd: `nginx` is `nginx.service`; `backup.timer` is a timer. */
  service(unit: string, request: ServiceRequest): void;
  /**
   * What `tx.ensure` creates, unless it is there exactly as asked: volumes, filesystems, mounts, lines
   * of /etc/fstab, LUKS, guests.
   */
  readonly ensure: { readonly [D in keyof EnsureAll]: Collecting<EnsureAll[D]> };
}

/** What `defineHost` returns. */
export interface HostDescription {
  /** Collects what should be on the host. */
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
