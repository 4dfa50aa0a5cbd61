import { posix } from 'node:path';
import { follow, kindInWords, type ReadHost } from '../command/index.ts';
import { BofhError, CommandError, UsageError } from '../core/errors.ts';
import { type GuestConfig, guestConfig } from './config/guest.ts';
import { parseConfig } from './config/parse.ts';
import { guestDomains } from './domains.ts';
import { present } from '../core/present.ts';

/**
 * Debian's directory for guest configs. Xen's own files there (xl.conf, xlexample.*,
 * oxenstored.conf) do not end in .cfg.
 */
export const defaultConfigDirs: readonly string[] = ['/etc/xen'];

/**
 * A config file or directory that cannot be used: unreadable, invalid, or a second file of one
 * guest.
 */
export interface ConfigProblem {
  readonly file: string;
  /** What is wrong; for an invalid file "FILE:LINE: what was expected". */
  readonly message: string;
  readonly remedy?: string;
}

/** The configured guests, and what could not be read. */
export interface GuestConfigs {
  /** Ordered by name. If a guest has more than one file, only one is listed: NAME.cfg, or else the first. */
  readonly guests: readonly GuestConfig[];
  readonly problems: readonly ConfigProblem[];
  /**
   * The config files of each guest that has more than one, by the name of the guest: it is unknown
   * which of them is valid.
   */
  readonly repeated: ReadonlyMap<string, readonly string[]>;
}

/** A configured guest, running or not. */
export interface Domu {
  readonly name: string;
  /** Path of its config file. */
  readonly config: string;
  readonly uuid?: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
}

/** Reads one config file. Throws UsageError "FILE:LINE: …". */
export async function readGuestConfig(host: ReadHost, file: string): Promise<GuestConfig> {
  if ((await follow(host, file)).stat === undefined)
    throw new UsageError(`there is no guest configuration ${file}`, { code: 'not-found' });
  return guestConfig(parseConfig({ text: await host.readFile(file), file }));
}

/**
 * Every `*.cfg` of the directories, by name. A file is read only once, even if links (as in
 * /etc/xen/auto) lead to it too. An unreadable file is not skipped: it is a problem, and so is a
 * second file for the same guest.
 */
export async function guestConfigs(
  host: ReadHost,
  dirs: readonly string[] = defaultConfigDirs,
): Promise<GuestConfigs> {
  const repeated = new Map<string, readonly string[]>();
  const guests = new Map<string, GuestConfig>();
  const problems: ConfigProblem[] = [];
  const trying = async (file: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BofhError)) throw error;
      const { message, remedy } = error;
      problems.push({ file, message, ...present({ remedy }) });
    }
  };
  const files = new Map<string, string>();
  for (const dir of dirs)
    await trying(dir, async () => {
      for (const name of await namesIn(host, dir))
        if (name.endsWith('.cfg') && !name.startsWith('.'))
          await trying(posix.join(dir, name), async () => {
            const real = await realFile(host, posix.join(dir, name));
            if (!files.has(real)) files.set(real, posix.join(dir, name));
          });
    });
  for (const file of files.values())
    await trying(file, async () => {
      const guest = await readGuestConfig(host, file);
      const other = guests.get(guest.name);
      if (other === undefined) {
        guests.set(guest.name, guest);
        return;
      }
      repeated.set(guest.name, [...(repeated.get(guest.name) ?? [other.file]), file]);
      // A copy of a configuration has another name than the guest.
      const [kept, copy] = posix.basename(file) === `${guest.name}.cfg` ? [guest, other] : [other, guest];
      guests.set(guest.name, kept);
      const message = `${copy.file}: the guest ${guest.name} is also in ${kept.file}`;
      problems.push({ file: copy.file, message });
    });
  return { guests: [...guests.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), problems, repeated };
}

/**
 * Every configured guest, by name. Throws UsageError that lists each problem; for an invalid file
 * with its line.
 */
export async function allDomus({
  host,
  configDirs,
}: {
  readonly host: ReadHost;
  readonly configDirs?: readonly string[];
}): Promise<readonly Domu[]> {
  const { guests, problems } = await guestConfigs(host, configDirs);
  if (problems.length > 0) {
    const remedies = [...new Set(problems.flatMap(({ remedy }) => remedy ?? []))];
    throw new UsageError(problems.map(({ message }) => message).join('; '), {
      remedy: remedies.join('; ') || 'correct the files named above, then run the command again',
    });
  }
  return guests.map(domuOf);
}

/** The guest of a configuration. */
export function domuOf({ name, file, uuid, memoryMiB, vcpus }: GuestConfig): Domu {
  return { ...{ name, config: file, memoryMiB, vcpus }, ...present({ uuid }) };
}

/**
 * Whether a domain with the name of the guest runs. A domain that is paused, still being created,
 * crashed, shutting down or dying does not count as running.
 */
export async function isRunning({
  host,
  domu,
}: {
  readonly host: ReadHost;
  readonly domu: { readonly name: string };
}): Promise<boolean> {
  const own = await guestDomains(host, ({ name }) => name === domu.name);
  return own.some(({ state }) => state === 'running');
}

async function namesIn(host: ReadHost, dir: string): Promise<readonly string[]> {
  try {
    return await host.readDir(dir);
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'not-found') throw error;
    throw new UsageError(`there is no directory ${dir}`, {
      code: 'not-found',
      cause: error,
      remedy:
        'install xen-utils-common: apt-get install xen-utils-common; or set guestConfigDirs in the site file',
    });
  }
}

async function realFile(host: ReadHost, file: string): Promise<string> {
  const { path, stat } = await follow(host, file);
  if (stat === undefined) throw new UsageError(`${file}: the symbolic link is broken`);
  if (stat.kind !== 'file') throw new UsageError(`${file}: not a file but ${kindInWords(stat)}`);
  return path;
}
