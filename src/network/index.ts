import type { ReadHost } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';
import { type Interface, ipAddresses } from './commands.ts';
import { checkText } from '../core/checks.ts';

export type { Interface } from './commands.ts';

/** Lists every network interface in the network namespace of bofh. */
export async function interfaces(host: ReadHost): Promise<readonly Interface[]> {
  return host.run(ipAddresses());
}

/**
 * Returns an interface by its name or an alternative name. CommandError `not-found`, which lists
 * the existing interfaces.
 */
export async function interfaceNamed(host: ReadHost, name: string): Promise<Interface> {
  checkText('the name of the interface', name);
  const all = await interfaces(host);
  const found =
    all.find((each) => each.name === name) ??
    all.find(({ alternativeNames }) => alternativeNames.includes(name));
  if (found !== undefined) return found;
  const { tool, argv } = ipAddresses();
  throw new CommandError({
    ...{ tool, argv, reason: 'not-found' },
    what: `there is no network interface ${name}`,
    remedy: `there are ${all.map((each) => each.name).join(', ')}`,
  });
}

/**
 * Returns the domid of the guest that a backend interface belongs to, from the name that the
 * scripts of Xen give it: vif3.0, or vif3.0-emu for an emulated one.
 */
export function domidOf(name: string): number | undefined {
  const { domid } = /^vif(?<domid>\d+)\.\d+(?:-emu)?$/.exec(name)?.groups ?? {};
  return domid === undefined ? undefined : Number(domid);
}
