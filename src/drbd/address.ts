import type { Command, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { interfaces } from '../network/index.ts';
import { missingAddresses } from './problems.ts';
import { moduleVersion, type Resource } from './reads.ts';

/**
 * Subcommands of drbdadm that exit with 10 if no interface has the address that the resource has
 * for this host (`verify_ips` of the commands in v84/drbdadm_main.c and v9/drbdadm_main.c, 9.22).
 */
const verifying = {
  any: ['adjust', 'connect', 'up'],
  before9: ['invalidate-remote', 'pause-sync', 'resize', 'resume-sync', 'verify'],
} as const;

/**
 * Throws RefusedError, with the address and how to restore it, if drbdadm would refuse a command because this
 * host lacks an address of the resource.
 */
export async function refuseWithoutAddress(
  host: ReadHost,
  resource: Pick<Resource, 'name' | 'here' | 'configured'>,
  { argv: [verb = ''] }: Pick<Command<void>, 'argv'>,
): Promise<void> {
  if (resource.configured?.anyAddress === true || !(await isVerified(host, verb))) return;
  const missing = missingAddresses(resource, await interfaces(host));
  const [first] = missing;
  if (first === undefined) return;
  const words = missing.map((each) => each.words).join('; ');
  throw new RefusedError(`${resource.name}: ${words}. Without it drbdadm refuses ${verb}`, {
    remedy: missing.map(({ remedy }) => remedy).join('; '),
  });
}

/**
 * Whether drbdadm checks the addresses for a command. For `up`, which may load the module, the
 * answer does not depend on its version.
 */
async function isVerified(host: ReadHost, verb: string): Promise<boolean> {
  if ((verifying.any as readonly string[]).includes(verb)) return true;
  if (!(verifying.before9 as readonly string[]).includes(verb)) return false;
  return (await moduleVersion(host))?.startsWith('8.') ?? false;
}
