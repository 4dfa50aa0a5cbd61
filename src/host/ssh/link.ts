import { type Tool, toolDirectories, tools } from '../../command/index.ts';
import { CommandError, ConnectionError, RefusedError } from '../../core/errors.ts';
import { text } from '../answer.ts';
import type { Program } from '../program.ts';
import type { SshDestination } from './destination.ts';
import { lost, notConnected } from './failures.ts';
import { type Master, openMaster } from './master.ts';
import { type Readers, readers } from './readers.ts';
import { type Answered, type RemoteScript, type Outcome, runOnce } from './session.ts';
import { turns } from '../turns.ts';

/** The result of a remote script. Its exit code is that of a shell: above 128 it means a signal. */
export type Ended = Outcome & { readonly how: 'ended' };

/** The connection to a host. It connects at the first use, and again if the connection ended. */
export interface Link {
  /** Runs a read: sends it again if no output came back. */
  read(remoteScript: RemoteScript): Promise<Ended>;
  /** Runs a change, once. After a ConnectionError with `lost`, the change may have started, and may still run. */
  change(remoteScript: RemoteScript): Promise<Ended>;
  /** The path of a tool there; undefined if it is missing. */
  find(tool: Tool): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Sessions for one command each, and shells for reads: together fewer than MaxSessions of sshd,
 * which is 10 by default (sshd_config(5)).
 */
const [sessions, readShells] = [4, 4];
const helloLimitMs = 30_000;

interface Connected {
  readonly master: Master;
  readonly as: 'login' | 'sudo';
  readonly files: ReadonlyMap<string, string>;
  readonly readers: Readers;
}

export function sshLink(host: string, to: SshDestination, ask: 'terminal' | 'never'): Link {
  let connecting: Promise<Connected> | undefined;
  const room = turns(sessions);
  const connected = (): Promise<Connected> => {
    connecting ??= connect(host, to, ask).catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };
  const forget = (broken: Connected, was: Promise<Connected> | undefined): void => {
    broken.master.forget();
    if (connecting === was) connecting = undefined;
  };
  const inOwnSession = async (current: Connected, remoteScript: RemoteScript): Promise<Answered> => {
    for (;;) {
      const outcome = await room.take(async () => {
        const came = await runOnce(current.master, remoteScript, current.as);
        // If sshd refuses the session, closes the shells for reads; if there are none, lowers the
        // limit by one. Inside `take`, so that this command still counts as running.
        if (came.how === 'full' && !(await current.readers.retire()) && !room.fewer())
          throw noSession(host, remoteScript.program);
        return came;
      });
      if (outcome.how !== 'full') return outcome;
    }
  };
  const read = async (remoteScript: RemoteScript, again: 'again' | 'once' = 'again'): Promise<Ended> => {
    const pending = connected();
    const current = await pending;
    const outcome = (await current.readers.run(remoteScript)) ?? (await inOwnSession(current, remoteScript));
    if (outcome.how === 'ended') return outcome;
    const broken = outcome.how === 'lost' || outcome.exitCode === 255 || outcome.exitCode === undefined;
    if (!broken) throw notRun(host, remoteScript, outcome.said);
    forget(current, pending);
    // A read changes nothing, so it may run twice.
    if (outcome.how === 'not-begun' && again === 'again') return read(remoteScript, 'once');
    throw lost(host, to, remoteScript.program.tool);
  };
  const change = async (remoteScript: RemoteScript): Promise<Ended> => {
    const pending = connected();
    const current = await pending;
    // An unused connection may have ended. Checks that first: after a failed attempt it would be
    // unknown whether the change was sent.
    if (!current.readers.connected() && !(await current.master.isConnected())) {
      forget(current, pending);
      return change(remoteScript);
    }
    const outcome = await inOwnSession(current, remoteScript);
    if (outcome.how === 'ended') return outcome;
    if (outcome.how === 'not-begun' && outcome.exitCode !== 255 && outcome.exitCode !== undefined)
      throw notRun(host, remoteScript, outcome.said);
    forget(current, pending);
    throw lost(host, to, remoteScript.program.tool);
  };
  return {
    read: (remoteScript) => read(remoteScript),
    change,
    find: async (tool) => {
      const known = (await connected()).files.get(tool);
      // A missing tool may have been installed since.
      return known ?? found(await read(lookFor([tool]))).get(tool);
    },
    close: async () => {
      const open = connecting;
      connecting = undefined;
      const current = await open?.catch(() => undefined);
      await current?.master.close();
      await current?.readers.retire();
    },
  };
}

function noSession(host: string, program: Program): CommandError {
  const what = `the sshd of ${host} refuses another session (MaxSessions in sshd_config)`;
  return new CommandError({ ...program, reason: 'busy', what });
}

/** Tests the connection as the login user, and, if that is not root, again with sudo. */
async function connect(host: string, to: SshDestination, ask: 'terminal' | 'never'): Promise<Connected> {
  const master = await openMaster(host, to, ask);
  try {
    const first = await hello(host, to, master, 'login');
    const as = first.uid === 0 || to.become === 'login' ? 'login' : 'sudo';
    const { files } = as === 'login' ? first : await hello(host, to, master, as);
    return { master, as, files, readers: readers(master, as, readShells) };
  } catch (error) {
    await master.close();
    throw error;
  }
}

/** Every character that a shell could interpret: a POSIX shell passes the word unchanged. */
const testWord = ' a"b\'c\\d\\\\e$HOME`id`*?[x]~!#&;|<>(){}\n\té-';

async function hello(host: string, to: SshDestination, master: Master, as: 'login' | 'sudo') {
  const remoteScript = lookFor(Object.keys(tools), testWord);
  const outcome = await runOnce(master, remoteScript, as);
  if (outcome.how === 'ended' && outcome.exitCode === 0) {
    const [uid = '', word] = text(outcome.stdout).split('\0');
    if (word === testWord) return { uid: Number(uid), files: found(outcome) };
  }
  if (outcome.how === 'lost' || (outcome.how === 'not-begun' && outcome.exitCode === 255))
    throw notConnected(host, to, outcome.how === 'lost' ? '' : outcome.said);
  if (outcome.how === 'full') throw noSession(host, remoteScript.program);
  const said = outcome.how === 'not-begun' ? outcome.said.replaceAll('\n', '; ') : '';
  if (as === 'sudo')
    throw new RefusedError(
      `the login user on ${host} is not root, and cannot become root with sudo: ${said}`,
      {
        remedy: `log in as root, or allow this user sudo without a password (sudoers(5), NOPASSWD); or set become: 'login' in hosts of the site file`,
      },
    );
  throw new ConnectionError(
    `the login shell on ${host} does not run commands as a POSIX shell does: ${said}`,
    {
      ...{ host, connection: 'none' },
      remedy: 'change the login shell, on that host: chsh -s /bin/sh',
    },
  );
}

/**
 * Prints the uid of the remote user, the test word as the remote shell passed it, and the paths of the tools. Starts no program
 * except id.
 */
const look = `printf '%s\\0' "$(id -u)" "$1"
shift
for t do for d in ${toolDirectories.join(' ')}; do
  if [ -f "$d/$t" ] && [ -x "$d/$t" ]; then printf '%s\\0' "$t" "$d/$t"; break; fi
done; done
exit 0`;

function lookFor(names: readonly string[], word = ''): RemoteScript {
  return {
    program: { tool: 'sh', file: '/bin/sh', argv: ['-c', 'look for programs'] },
    script: look,
    words: [word, ...names],
    timeoutMs: helloLimitMs,
  };
}

function found({ stdout }: Ended): ReadonlyMap<string, string> {
  const words = text(stdout).split('\0').slice(2, -1);
  const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] ?? ''] as const] : []));
  return new Map(pairs);
}

/** The login shell or sudo failed before the script ran. */
function notRun(host: string, { program }: RemoteScript, said: string): CommandError {
  return new CommandError({
    ...program,
    reason: 'unknown',
    what: `${host} did not start the command`,
    stderr: said,
  });
}
