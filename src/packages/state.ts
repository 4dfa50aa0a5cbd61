import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { lockHolder } from '../file/lock-holder.ts';
import { autoPackages, dpkgAudit, packageStates } from './commands.ts';
import type { PackageState } from './output.ts';

/** A package, with its marks. */
export interface Known extends PackageState {
  readonly auto: boolean;
}

/** Returns what dpkg and apt know about the packages of a host, by name. */
export async function knownPackages(host: ReadHost): Promise<ReadonlyMap<string, Known>> {
  const keyOf = (name: string, architecture: string): string => `${name.replace(/:.*/, '')}:${architecture}`;
  const [marks, all] = await Promise.all([host.run(autoPackages()), host.run(packageStates())]);
  const auto = new Set(marks.map(({ name, architecture }) => keyOf(name, architecture)));
  return new Map(
    all.map((each) => {
      const isAuto = auto.has(keyOf(each.name, each.architecture)) && each.status !== 'config-files';
      return [each.name, { ...each, auto: isAuto }];
    }),
  );
}

/** RefusedError while another program changes packages, or after one was interrupted. */
export async function refuseUnready(host: ReadHost): Promise<void> {
  const holder = await lockHolder(host, locks);
  if (holder !== undefined)
    throw new RefusedError(`another program changes the packages: ${holder.words}`, {
      code: 'busy',
      holders: [holder],
      remedy: 'wait until it has ended, then run the command again',
    });
  const audit = await host.run(dpkgAudit());
  if (audit !== '')
    throw new RefusedError(`dpkg was interrupted, or a package is broken: ${audit.split('\n')[0] ?? ''}`, {
      remedy: 'finish it: dpkg --configure -a; see what is left: dpkg --audit',
    });
}

const locks = ['/var/lib/dpkg/lock-frontend', '/var/lib/dpkg/lock'];
