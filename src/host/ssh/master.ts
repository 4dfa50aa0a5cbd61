import { withoutCoreDumps } from '../core-dumps.ts';
import { CommandError } from '../../core/errors.ts';
import { text } from '../answer.ts';
import { findProgram } from '../program.ts';
import { collect, type Collected } from '../start.ts';
import { type SshDestination, wordsOf } from './destination.ts';
import { notConnected } from './failures.ts';
import { atExit, closeNow, makePlace, type Place } from './place.ts';

/** One connection for all commands to a host. */
export interface Master {
  /** Path of the ssh program, and the words before a command line for the other host. */
  readonly ssh: string;
  readonly client: readonly string[];
  /** Whether the connection still exists. */
  readonly isConnected: () => Promise<boolean>;
  /** Ends the connection. */
  readonly close: () => Promise<void>;
  /** Removes the local files of a broken connection. */
  readonly forget: () => void;
}

/** Seconds after which ssh closes an unused connection: longer than any pause between two commands. */
const idleSeconds = 60;
const connectLimitMs = 60_000;
/** Time limit with a user at the terminal, who may have to look up a password. */
const askLimitMs = 600_000;

/** The environment variables passed to ssh: for its agent, and for the user's files. */
const passed = ['HOME', 'USER', 'LOGNAME', 'SSH_AUTH_SOCK', 'KRB5CCNAME', 'XDG_RUNTIME_DIR', 'TERM'] as const;

/** The environment of ssh. English, because bofh parses its messages. */
export function sshEnvironment(): Readonly<Record<string, string>> {
  const given = passed.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(given), LC_ALL: 'C', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
}

/** Connects. Throws ConnectionError with the reason, ToolError if there is no ssh. */
export async function openMaster(
  host: string,
  to: SshDestination,
  ask: 'terminal' | 'never',
): Promise<Master> {
  // Every key for a program there passes through the memory of ssh.
  await withoutCoreDumps(sshEnvironment());
  const file = await findProgram('ssh', 'openssh-client');
  const place = makePlace();
  try {
    const argv = masterWords(place, to, ask);
    const { end, stderr } = await collect(
      { tool: 'ssh', file, argv },
      {
        env: sshEnvironment(),
        timeoutMs: ask === 'terminal' ? askLimitMs : connectLimitMs,
        ...(ask === 'terminal' ? { terminal: 'ours' } : {}),
      },
    ).catch((error: unknown) => {
      const late = error instanceof CommandError && error.reason === 'timeout';
      throw late ? notConnected(host, to, 'the connection timed out') : error;
    });
    if (end.how !== 'exit' || end.exitCode !== 0) throw notConnected(host, to, text(stderr));
    return opened(file, place);
  } catch (error) {
    place.remove();
    throw error;
  }
}

function opened(ssh: string, place: Place): Master {
  // Without the configuration, which only the master needs. These options also prevent that the client
  // connects by itself, and asks, if there is no master.
  const common = ['-F', 'none', '-S', place.socket, '-o', 'ControlMaster=no', '-o', 'ProxyCommand=false'];
  const ask = (what: 'check' | 'exit') => [...common, '-O', what, '--', 'bofh'];
  const stay = atExit(() => {
    closeNow(ssh, ask('exit'));
    place.remove();
  });
  const forget = (): void => {
    stay();
    place.remove();
  };
  return {
    ssh,
    client: [...common, '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', '-T', '--', 'bofh'],
    forget,
    isConnected: async () => {
      const end = (await tell(ssh, ask('check')))?.end;
      return end?.how === 'exit' && end.exitCode === 0;
    },
    close: async () => {
      await tell(ssh, ask('exit'));
      forget();
    },
  };
}

async function tell(ssh: string, argv: readonly string[]): Promise<Collected | undefined> {
  const program = { tool: 'ssh', file: ssh, argv };
  return collect(program, { env: sshEnvironment(), timeoutMs: 5000 }).catch(() => undefined);
}

/**
 * The words that start the master. The options of the host come first, because ssh uses the first of two
 * values (ssh_config(5)).
 */
function masterWords(place: Place, to: SshDestination, ask: 'terminal' | 'never'): readonly string[] {
  const options = {
    ControlMaster: 'yes',
    ControlPath: place.socket,
    ControlPersist: String(idleSeconds),
    BatchMode: ask === 'never' ? 'yes' : 'no',
    // ssh detects a frozen link within 15 s.
    ServerAliveInterval: '5',
    ServerAliveCountMax: '3',
    ConnectTimeout: '15',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    LogLevel: 'INFO',
  };
  const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return [...wordsOf(to), ...words, '-N', '-f', '-T', '--', to.destination];
}
