import {
  type ChangeHost,
  type Command,
  type Host,
  type Reservations,
  Secret,
  tools,
} from '../../command/index.ts';
import { UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { noCoreDumps } from '../core-dumps.ts';
import { runChange } from '../change.ts';
import { factsOf } from '../facts.ts';
import { type KeyOptions, keyFetcher } from '../keys.ts';
import { localPrograms } from '../local.ts';
import {
  endInShell,
  notInstalled,
  ownTools,
  placesOf,
  type Program,
  type ProgramOptions,
} from '../program.ts';
import { type Collect, type Reading, runRead, telling, versions } from '../read.ts';
import { baseEnvironment, type HostEvent } from '../setting.ts';
import { type Changing, changeThere } from './change.ts';
import { checkDestination, type SshDestination } from './destination.ts';
import { remoteFileChanges } from './file-changes.ts';
import { remoteFiles } from './files.ts';
import { type Link, sshLink } from './link.ts';
import { sshReservations } from './reservations.ts';
import { callable, parsed, text } from '../../core/request.ts';
import * as z from 'zod/mini';

/** Another host, and how ssh reaches it. */
export interface SshHostOptions extends Partial<SshDestination>, KeyOptions, Pick<ProgramOptions, 'tools'> {
  /** The name of the host in bofh; without a `destination` also its name for ssh. */
  readonly name: string;
  /** `terminal`: ssh may ask the user at the terminal, once (default: ssh cannot ask). */
  readonly ask?: 'terminal' | 'never';
  /** The journal directory of bofh on that host, its --state-dir (default: /var/lib/bofh). */
  readonly stateDir?: string;
  /** The run directory of bofh on that host (default: /run/bofh). */
  readonly runDir?: string;
  /** Called for each program that is started or has ended. */
  readonly log?: (event: HostEvent) => void;
}

/** A host over ssh. */
export interface SshHost extends Host {
  readonly reservations: Reservations;
  /** Ends the connection. Otherwise it ends with this process, or after a minute without use. */
  close(): Promise<void>;
}

const sshOptions = z.strictObject({
  name: text,
  destination: z.optional(text),
  configFile: z.optional(text),
  options: z.optional(z.record(z.string(), z.string())),
  become: z.optional(z.enum(['root', 'login'])),
  ask: z.optional(z.enum(['terminal', 'never'])),
  stateDir: z.optional(text),
  runDir: z.optional(text),
  log: z.optional(callable()),
  siteKeys: z.optional(callable()),
  askKey: z.optional(callable()),
  tools: z.optional(ownTools),
});

/**
 * A host reached with OpenSSH and the user's configuration, keys, agent, jump hosts and known_hosts, over one
 * connection for all commands, opened by the first command. The host needs a POSIX shell, util-linux,
 * coreutils, findutils and the tools. Commands throw ConnectionError if the host is unreachable.
 */
export function sshHost(options: SshHostOptions): SshHost {
  parsed('sshHost', sshOptions, options);
  const {
    name,
    destination = name,
    ask = 'never',
    stateDir = '/var/lib/bofh',
    runDir = '/run/bofh',
  } = options;
  const { configFile, options: more, become } = options;
  const to = checkDestination({ destination, configFile, options: more, become });
  const link = sshLink(name, to, ask);
  const files = remoteFiles(link);
  const reading = readingOver(link, options);
  const programFor = async ({ tool, argv }: Pick<Command<unknown>, 'tool' | 'argv'>): Promise<Program> => {
    const file = options.tools?.[tool] ?? (await link.find(tool));
    if (file === undefined) throw notInstalled(tool, tools[tool].package, placesOf(tool));
    return { tool, file, argv };
  };
  const place = { stateDir, runDir };
  const near = localPrograms(present({ log: options.log }));
  const changing: Changing = {
    ...reading,
    near,
    host: name,
    link,
    place,
    settle: () => settle(files, programFor, reading),
  };
  const read = async <T>(command: Command<T>): Promise<T> => {
    if (command.access === 'read') return await runRead(await programFor(command), command, reading);
    throw new UsageError(
      `${[command.tool, ...command.argv].join(' ')} changes ${name}, and so runs only in a step of a sequence`,
    );
  };
  const common = { name, ...files, facts: () => factsOf(files) };
  return {
    ...common,
    run: read,
    during: (step): ChangeHost => ({
      ...common,
      ...remoteFileChanges(changing, files, step),
      run: async (command) =>
        command.access === 'read'
          ? await read(command)
          : await changeThere(
              changing,
              [{ command, program: await programFor(command) }],
              command.parse,
              step,
            ),
      pipe: async ({ commands: [first, ...rest], parse }) => {
        const stage = async (command: Command<unknown>) => ({
          command,
          program: await (command.here === true ? near.programFor(command) : programFor(command)),
        });
        const stages = [await stage(first), ...(await Promise.all(rest.map(stage)))] as const;
        return stages.every(({ command }) => command.here === true)
          ? await runChange(stages, parse, step, near.setting)
          : await changeThere(changing, stages, parse, step);
      },
    }),
    reservations: sshReservations(name, link, { ...to, ...place }),
    close: () => link.close(),
  };
}

function readingOver(link: Link, options: SshHostOptions): Reading {
  const collect = collecting(link);
  return {
    log: telling(options.log),
    fetchInput: keyFetcher(options, baseEnvironment),
    version: versions(collect),
    collect,
  };
}

/**
 * Called before a busy command is tried again: waits until udev has handled its events. Ignores errors,
 * because the next attempt shows whether the object is free.
 */
async function settle(
  files: Pick<Host, 'stat'>,
  programFor: (of: Pick<Command<unknown>, 'tool' | 'argv'>) => Promise<Program>,
  { collect }: Reading,
): Promise<void> {
  try {
    // Without udevd, `udevadm settle` has nothing to wait for.
    if ((await files.stat('/run/udev/control')) === undefined) return;
    const program = await programFor({ tool: 'udevadm', argv: ['settle', '--timeout=5'] });
    await collect(program, { timeoutMs: 10_000 });
  } catch {
    // The next attempt shows whether the object is free.
  }
}

/** The cd of the shell exports PWD and OLDPWD; the program must not get them. */
const withInput = 'exec env -u PWD -u OLDPWD "$@"';
const withoutInput = `${withInput} </dev/null`;

function collecting(link: Link): Collect {
  return async (program, options) => {
    const plain = options.stdin === undefined ? withoutInput : withInput;
    const script = options.stdin instanceof Secret ? `${noCoreDumps}; ${plain}` : plain;
    const words = [program.file, ...program.argv];
    const how = options.stdin === undefined ? ({ plain: 'program' } as const) : {};
    const { exitCode, stdout, stderr } = await link.read({ program, script, words, ...how, ...options });
    return { end: endInShell(exitCode), stdout, stderr };
  };
}
