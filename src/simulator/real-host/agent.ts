import type { Command } from '../../command/index.ts';
import { CommandError } from '../../core/errors.ts';
import { agentSocket } from '../../xen/index.ts';
import type { Overlay, World } from '../world/world.ts';
import { ask } from './ask.ts';

/**
 * Asks the real host for the channel of a guest agent, which no plan changes. From then on the model knows the agent,
 * and answers for it after the plan has frozen its filesystems.
 */
export async function prepareChannel<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const id = Number(command.argv.at(-1)?.split('/').at(-1));
  const domain = world.domains.find(({ domid }) => domid === id);
  try {
    const socket = await overlay.real.run(agentSocket({ id }));
    if (domain !== undefined && socket !== undefined && domain.agent === undefined)
      domain.agent = { socket, filesystems: 'thawed', answers: 'always' };
  } catch (error) {
    // The plan started this domain.
    if (error instanceof CommandError && error.reason === 'not-found') return undefined;
    throw error;
  }
  return ask(overlay, command);
}

/** Asks a real guest agent, unless the plan has frozen the filesystems of its guest. */
export function prepareAgent<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): (() => Promise<T>) | undefined {
  const isFrozen = world.domains.some(
    ({ agent }) => agent?.socket === command.argv[1] && agent?.filesystems === 'frozen',
  );
  return command.access !== 'read' || isFrozen ? undefined : ask(overlay, command);
}
