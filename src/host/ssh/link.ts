import { type Tool, toolDirectories, tools } from '../../command/index.ts';
import { CommandError, ConnectionError, RefusedError } from '../../errors.ts';
import { text } from '../answer.ts';
import type { Program } from '../program.ts';
import type { SshDestination } from './destination.ts';
import { lost, notConnected } from './failures.ts';
import { type Master, openMaster } from './master.ts';
import { type Errand, type Outcome, runOnce } from './session.ts';
import { type Turns, turns } from './turns.ts';

/** What an errand came to, in a shell's words: 128 and more is a signal. */
export type Ended = Outcome & { readonly how: 'ended' };

/** The way to a host. It connects when it is first needed, and again when the connection has ended in between. */
export interface Link {
  /** Runs a read: one of which nothing has come back is sent again. */
  read(errand: Errand): Promise<Ended>;
  /** Runs what changes something, once. ConnectionError `lost`: it may have begun, and may be at work yet. */
  change(errand: Errand): Promise<Ended>;
  /** Where a tool is over there; undefined when it is not. */
  find(tool: Tool): Promise<string | undefined>;
  close(): Promise<void>;
}

/** sshd's MaxSessions is 10 unless somebody has set it (sshd_config(5)). */
const sessions = 8;
const helloLimitMs = 30_000;

interface Connected {
  readonly master: Master;
  readonly as: 'login' | 'sudo';
  readonly files: ReadonlyMap<string, string>;
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
  const read = async (errand: Errand, again: 'again' | 'once' = 'again'): Promise<Ended> => {
    const with_ = connected();
    const { master, as } = await with_;
    const full = (): Error => noSession(host, errand.program);
    const outcome = await withRoom(room, full, () => runOnce(master, errand, as));
    if (outcome.how === 'ended') return outcome;
    const broken = outcome.how === 'lost' || outcome.exitCode === 255 || outcome.exitCode === undefined;
    if (!broken) throw notRun(host, errand, outcome.said);
    forget(await with_, with_);
    // Whatever of it ran has changed nothing, so it may run twice.
    if (outcome.how === 'not-begun' && again === 'again') return read(errand, 'once');
    throw lost(host, errand.program.tool);
  };
  const change = async (errand: Errand): Promise<Ended> => {
    const with_ = connected();
    const made = await with_;
    // One that was not used for a while has ended. To find that out by sending would leave open whether it was sent.
    if (!(await made.master.stands())) {
      forget(made, with_);
      return change(errand);
    }
    const full = (): Error => noSession(host, errand.program);
    const outcome = await withRoom(room, full, () => runOnce(made.master, errand, made.as));
    if (outcome.how === 'ended') return outcome;
    if (outcome.how === 'not-begun' && outcome.exitCode !== 255 && outcome.exitCode !== undefined)
      throw notRun(host, errand, outcome.said);
    forget(made, with_);
    throw lost(host, errand.program.tool);
  };
  return {
    read: (errand) => read(errand),
    change,
    find: async (tool) => {
      const known = (await connected()).files.get(tool);
      // One that was not there may have been installed since.
      return known ?? found(await read(lookFor([tool]))).get(tool);
    },
    close: async () => {
      const open = connecting;
      connecting = undefined;
      await (await open?.catch(() => undefined))?.master.close();
    },
  };
}

type Answered = Exclude<Outcome, { readonly how: 'full' }>;

/** Sends it again while the server has no room for so many at a time; alone, it is the caller who may. */
async function withRoom(room: Turns, full: () => Error, run: () => Promise<Outcome>): Promise<Answered> {
  for (;;) {
    const outcome = await room.take(async () => {
      const came = await run();
      // While it still counts as one that runs.
      if (came.how === 'full' && !room.fewer()) throw full();
      return came;
    });
    if (outcome.how !== 'full') return outcome;
  }
}

function noSession(host: string, program: Program): CommandError {
  const what = `${host} opens no session for it (MaxSessions of its sshd)`;
  return new CommandError({ ...program, reason: 'busy', what });
}

/** Says hello as the login, and where that is not root once more with sudo. */
async function connect(host: string, to: SshDestination, ask: 'terminal' | 'never'): Promise<Connected> {
  const master = await openMaster(host, to, ask);
  try {
    const first = await hello(host, to, master, 'login');
    if (first.uid === 0 || to.become === 'login') return { master, as: 'login', files: first.files };
    const { files } = await hello(host, to, master, 'sudo');
    return { master, as: 'sudo', files };
  } catch (error) {
    await master.close();
    throw error;
  }
}

/** Every character that a shell could take for something else. */
const torture = ' a"b\'c\\d\\\\e$HOME`id`*?[x]~!#&;|<>(){}\n\té-';

async function hello(host: string, to: SshDestination, master: Master, as: 'login' | 'sudo') {
  const errand = lookFor(Object.keys(tools), torture);
  const outcome = await runOnce(master, errand, as);
  if (outcome.how === 'ended' && outcome.exitCode === 0) {
    const [uid = '', word] = text(outcome.stdout).split('\0');
    if (word === torture) return { uid: Number(uid), files: found(outcome) };
  }
  if (outcome.how === 'lost' || (outcome.how === 'not-begun' && outcome.exitCode === 255))
    throw notConnected(host, to.destination, outcome.how === 'lost' ? '' : outcome.said);
  if (outcome.how === 'full') throw noSession(host, errand.program);
  const said = outcome.how === 'not-begun' ? outcome.said.replaceAll('\n', '; ') : '';
  if (as === 'sudo')
    throw new RefusedError(`the login on ${host} is not root, and may not become it: ${said}`, {
      remedy: `log in as root, or let it use sudo without a password; or say become: 'login' in hosts of the site file`,
    });
  throw new ConnectionError(
    `the login shell on ${host} hands no commands on as a POSIX shell does: ${said}`,
    {
      ...{ host, connection: 'none' },
      remedy: 'give the login another shell (chsh -s /bin/sh)',
    },
  );
}

/** Who we are there, a word as it came over, and the tools that are there. No program but id is started for it. */
const look = `printf '%s\\0' "$(id -u)" "$1"
shift
for t do for d in ${toolDirectories.join(' ')}; do
  if [ -f "$d/$t" ] && [ -x "$d/$t" ]; then printf '%s\\0' "$t" "$d/$t"; break; fi
done; done
exit 0`;

function lookFor(names: readonly string[], word = ''): Errand {
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

/** The login shell or sudo gave up before it came to the errand. */
function notRun(host: string, { program }: Errand, said: string): CommandError {
  return new CommandError({
    ...program,
    reason: 'unknown',
    what: `${host} did not run it`,
    stderr: said,
  });
}
