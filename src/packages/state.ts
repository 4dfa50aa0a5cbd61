import type { ReadHost } from '../command/index.ts';
import { CommandError, type Holder, RefusedError } from '../core/errors.ts';
import { autoPackages, dpkgAudit, packageStates } from './commands.ts';
import type { PackageState } from './output.ts';

/** A package, with its marks. */
export interface Known extends PackageState {
  readonly auto: boolean;
}

/** What dpkg and apt know of the packages of a host, by name. */
export async function knownPackages(host: ReadHost): Promise<ReadonlyMap<string, Known>> {
  const auto = new Set(await host.run(autoPackages()));
  const all = await host.run(packageStates());
  return new Map(all.map((each) => [each.name, { ...each, auto: auto.has(each.name) }]));
}

/** RefusedError while another program changes packages, or after one was interrupted. */
export async function refuseUnready(host: ReadHost): Promise<void> {
  const holder = await lockHolder(host);
  if (holder !== undefined)
    throw new RefusedError(`another program changes the packages: ${holder.words}`, {
      code: 'busy',
      holders: [holder],
      remedy: 'wait until it has ended, then give the command again',
    });
  const audit = await host.run(dpkgAudit());
  if (audit !== '')
    throw new RefusedError(`dpkg was interrupted, or a package is broken: ${audit.split('\n')[0] ?? ''}`, {
      remedy: 'finish it: dpkg --configure -a; see what is left: dpkg --audit',
    });
}

const locks = ['/var/lib/dpkg/lock-frontend', '/var/lib/dpkg/lock'];

/** The process that has locked the database. Another PID namespace shows none: apt itself fails then. */
async function lockHolder(host: ReadHost): Promise<(Holder & { readonly kind: 'process' }) | undefined> {
  const table = await textOf(host, '/proc/locks');
  for (const path of locks) {
    const stat = await host.stat(path);
    if (stat === undefined) continue;
    const [major = 0, minor = 0] = stat.device.split(':').map(Number);
    const file = `${hex(major)}:${hex(minor)}:${stat.inode}`;
    const line = table.split('\n').find((each) => !each.includes('->') && each.split(/\s+/).includes(file));
    const pid = Number(line?.split(/\s+/)[4] ?? 0);
    if (!(pid > 0)) continue;
    const command = (await textOf(host, `/proc/${String(pid)}/comm`)).trim();
    return { kind: 'process', pid, command, words: `${command} (process ${String(pid)})` };
  }
  return undefined;
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}

async function textOf(host: ReadHost, path: string): Promise<string> {
  try {
    return new TextDecoder().decode(await host.readFile(path));
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found') return '';
    throw error;
  }
}
