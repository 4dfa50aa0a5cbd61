import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { CommandError, messageOf, RefusedError } from '../../core/errors.ts';
import { agentFreeze, agentThaw, frozenNow, usableAgent } from '../agent.ts';
import { type Domain, guestDomains } from '../domains.ts';
import { freezeRecovery } from '../manual-recovery.ts';
import { domainIn } from './running.ts';

const args = z.strictObject({
  /** Name of the running guest. */
  name: z.string().check(z.minLength(1)),
  /** UUID of the running domain. */
  uuid: z.string().check(z.minLength(1)),
});

const undoSchema = z.extend(args, {
  /** The domain that ran at prepare. A later domain is the guest after a new start. */
  domid: z.int(),
  /** The socket of its agent on this host. */
  socket: z.string().check(z.startsWith('/')),
});
type Undo = z.infer<typeof undoSchema>;

/**
 * Freezes all filesystems of a running guest (fsfreeze(8)), which has the QEMU guest agent. What writes in the guest
 * waits until the undo thaws them. The old state proves the step: nothing was frozen before.
 */
export const freeze = operation({
  kind: 'xen.domain.freeze',
  version: 1,
  args,
  undo: undoSchema,
  result: z.strictObject({ filesystems: z.int() }),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: asked, host }): Promise<Undo> => {
    const domain = await domainIn(host, asked, ['running']);
    const socket = await usableAgent(host, domain);
    if (socket === undefined)
      throw new RefusedError(`${asked.name} has no connected channel for the QEMU guest agent`, {
        remedy: `see its channels: xenstore-ls -f /local/domain/0/backend/console/${String(domain.id)}`,
      });
    return { ...asked, domid: domain.id, socket };
  },
  claims: ({ undo: { name, uuid } }) => ({ changes: [`dom:${name}`, `dom-uuid:${uuid}`] }),
  run: async ({ undo, host }) => {
    const command = agentFreeze(undo.socket);
    const filesystems = await host.run(command);
    if (filesystems > 0) return { filesystems };
    const { tool, argv } = command;
    throw new CommandError({ tool, argv, reason: 'unknown', what: 'the agent froze no filesystem' });
  },
  value: ({ undo: { socket }, result }) => ({ socket, ...result }),
  look: async ({ undo, host }) => {
    const domain = await frozenDomain(host, undo);
    if (domain === undefined) return { state: 'gone' };
    // The agent of a paused guest cannot answer, and the guest cannot thaw anything by itself.
    if (domain.state !== 'running') return { state: 'ours' };
    return { state: (await status(host, undo)) === 'frozen' ? 'ours' : 'gone' };
  },
  revert: async ({ undo, host }) => {
    const domain = await frozenDomain(host, undo);
    if (domain === undefined) return;
    if (domain.state !== 'running')
      throw new RefusedError(`the filesystems of ${undo.name} stay frozen while it is paused`, {
        // Not `bofh vm resume`: the unfinished sequence has the guest.
        remedy: `xl unpause ${undo.name}; then: bofh recover`,
      });
    await answering(undo, () => host.run(agentThaw(undo.socket)));
    if ((await status(host, undo)) === 'frozen') throw stillFrozen(undo, 'its agent did not thaw them');
  },
  describe: freezeRecovery,
});

/** The domain that was frozen; undefined if it has ended. */
async function frozenDomain(host: ReadHost, undo: Undo): Promise<Domain | undefined> {
  const [domain] = await guestDomains(host, ({ id, uuid }) => id === undo.domid && uuid === undo.uuid);
  // While xl shows no configuration of any guest, the state of a paused one reads as `building`.
  const runs = domain !== undefined && ['running', 'paused', 'building'].includes(domain.state);
  return runs ? domain : undefined;
}

function status(host: ReadHost, undo: Undo): Promise<'thawed' | 'frozen'> {
  return answering(undo, () => host.run(frozenNow(undo.socket)));
}

async function answering<T>(undo: Undo, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof CommandError) throw stillFrozen(undo, messageOf(cause), cause);
    throw cause;
  }
}

function stillFrozen({ name }: Undo, why: string, cause?: unknown): RefusedError {
  return new RefusedError(
    `the filesystems of ${name} may still be frozen, and then all that writes there waits: ${why}`,
    {
      remedy: `try again: bofh recover; if its agent does not answer, power the guest off (it loses what it has not written): xl destroy ${name}; then: bofh recover; bofh vm start ${name}`,
      cause,
    },
  );
}
