import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { describe, type Domain, guestDomains } from '../domains.ts';
import { domainRemedy } from '../domains.ts';

/** A running guest by its name and the UUID of its domain. */
export interface RunningGuest {
  readonly name: string;
  readonly uuid: string;
  /**
   * Its domain when the step was journalled: it may be renamed since. Missing in an older journal.
   */
  readonly domid?: number;
}

/**
 * The domain of a guest, also after `xl rename`; undefined if it has ended, or if another guest has
 * its name. A guest that was rebooted has another domain ID. Its uuid alone proves nothing: xl
 * starts a second domain with it.
 */
export async function domainOf(
  host: ReadHost,
  { name, uuid, domid }: RunningGuest,
): Promise<Domain | undefined> {
  const found = await guestDomains(host, (each) => each.uuid === uuid);
  return found.find((each) => each.name === name) ?? found.find((each) => each.id === domid);
}

/** The domain of a guest. Throws RefusedError if it is in none of these states. */
export async function domainIn(
  host: ReadHost,
  guest: RunningGuest,
  states: readonly Domain['state'][],
): Promise<Domain> {
  const domain = await domainOf(host, guest);
  if (domain !== undefined && states.includes(domain.state)) return domain;
  throw new RefusedError(
    domain === undefined
      ? `no domain ${guest.name} with the uuid ${guest.uuid} runs`
      : `${guest.name} is not running: ${describe(domain)}`,
    { remedy: domain === undefined ? 'see what runs: bofh vm list' : domainRemedy(domain) },
  );
}

/** Throws RefusedError if an undo cannot change the guest, because it is paused, or has stopped. */
export function refuseNotRunning(domain: Domain, { name }: Pick<RunningGuest, 'name'>): void {
  if (domain.state === 'running') return;
  // Not `bofh vm resume`: the unfinished sequence still claims the guest, so bofh would refuse it.
  const first = domain.state === 'paused' ? `xl unpause ${domain.id}` : domainRemedy(domain);
  throw new RefusedError(`${name} is not running: ${describe(domain)}`, {
    remedy: `${first}; then: bofh recover`,
  });
}
