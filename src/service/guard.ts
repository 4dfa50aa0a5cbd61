import type { Engine } from '../atomic/index.ts';
import { changing } from '../atomic/engine.ts';
import type { Journal } from '../atomic/journal/journal-writer.ts';
import type { Confirmation } from '../atomic/recovery/await-confirmation.ts';
import { type Command, nothing, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { ownProgram } from '../core/own-program.ts';
import { sshConnection } from '../host/ssh-connection.ts';

const without = (): string => option('--confirm off', 'no `confirm`');

/**
 * Returns why no sequence of this host can wait for its confirmation; undefined if it can. On
 * another host nothing could roll the change back without the network.
 */
export async function refusalToWait(host: ReadHost): Promise<RefusedError | UsageError | undefined> {
  if (host.name !== '') return elsewhere(host.name);
  if ((await host.stat('/run/systemd/system')) === undefined)
    return new RefusedError(
      'systemd does not run here, so nothing could roll the change back at the deadline',
      { remedy: `to change it at once, without automatic rollback: ${without()}` },
    );
  const program = ownProgram();
  if ((await host.stat(program)) === undefined)
    return new RefusedError(
      `there is no ${program}, which bofh needs to roll the change back at the deadline`,
      { remedy: 'npm run build; or install the package bofh' },
    );
  return undefined;
}

function elsewhere(name: string): UsageError {
  return new UsageError('only a change of the host that bofh runs on can wait for a confirmation', {
    remedy: `run the command on ${name} itself; to change it at once, without automatic rollback: ${without()}`,
  });
}

/**
 * Returns how a sequence of this host waits for its confirmation, for `ms` milliseconds. Throws
 * UsageError for another host.
 */
export function confirmationOf(engine: Engine, stateDir: string, ms: number): Confirmation {
  const { host } = engine;
  if (host.name !== '') throw elsewhere(host.name);
  return {
    seconds: ms / 1000,
    connection: sshConnection(),
    startGuard: async (journal) => {
      const refusal = await refusalToWait(host);
      if (refusal !== undefined) throw refusal;
      await startGuard(engine, journal, [process.execPath, ownProgram(), '--state-dir', stateDir]);
    },
  };
}

async function startGuard(engine: Engine, journal: Journal, program: readonly string[]): Promise<void> {
  const { boot } = engine.processes.self;
  const host = changing(engine, journal, { n: 0, kind: 'confirmation', host: '', boot });
  await host.run(guardUnit(journal.id, program));
}

/**
 * Starts a transient service (systemd-run(1)) that rolls the sequence back at its deadline. The
 * service survives the end of the login, of its connection and of this process. At a shutdown
 * systemd sends SIGTERM only to bofh, which finishes the step that it is undoing.
 */
export function guardUnit(id: string, program: readonly string[]): Command<void, 'change'> {
  const properties = [
    'Restart=on-failure',
    // Exit codes 3 and 4: the undo is stuck, or the journal cannot be read. Another try would end
    // the same way.
    'RestartPreventExitStatus=3 4',
    'SuccessExitStatus=130',
    'KillMode=process',
    'SendSIGKILL=no',
    'TimeoutStopSec=10min',
    'OOMScoreAdjust=-900',
  ];
  return {
    tool: 'systemd-run',
    argv: [
      ...['--quiet', '--collect', '--service-type=exec', `--unit=bofh-confirm-${id}`],
      `--description=Roll back sequence ${id} of bofh unless it is confirmed`,
      ...properties.map((each) => `--property=${each}`),
      ...['--', ...program, 'recover', '--unconfirmed', id],
    ],
    access: 'change',
    parse: nothing,
    classify: ({ stderr }) => (/Access denied|authentication/.test(stderr) ? 'denied' : 'unknown'),
  };
}
