import { type FaultOptions, layFault, type Machine, until } from '../rig/index.ts';

/**
 * Runs bofh in the machine and kills it when a program of it has done its work, and only bofh: the
 * program ends afterwards. A fault that kills the caller of a program that changes something would
 * kill the shell around it alone.
 */
export async function killedAt(
  machine: Machine,
  line: string,
  at: Pick<FaultOptions, 'tool' | 'words' | 'nth'>,
): Promise<void> {
  const fault = await layFault(machine, { ...at, mode: 'act-then-hang', times: 1 });
  const { stdout } = await machine.run(`bofh ${line} > /dev/null 2>&1 & echo $!`);
  await until({
    what: `${at.tool} has done its work`,
    // An emulated processor applies a description in minutes.
    timeoutMs: 900_000,
    everyMs: 500,
    probe: async () => ((await fault.held()) ? true : undefined),
  });
  await machine.run(`kill -KILL ${stdout.trim()}`);
  await fault.release();
  await fault.remove();
}
