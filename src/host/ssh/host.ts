import { type Command, type Host, tools } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { factsOf } from '../facts.ts';
import { type KeyOptions, keyFetcher } from '../keys.ts';
import { endInShell, notInstalled, placesOf, type ProgramOptions } from '../program.ts';
import { type Collect, type Reading, runRead, telling, versions } from '../read.ts';
import { baseEnvironment, type HostEvent } from '../setting.ts';
import { checkDestination, type SshDestination } from './destination.ts';
import { remoteFiles } from './files.ts';
import { type Link, sshLink } from './link.ts';

/** Another host, and how ssh reaches it. */
export interface SshHostOptions extends Partial<SshDestination>, KeyOptions, Pick<ProgramOptions, 'tools'> {
  /** What it is called here. Without a `destination` it is also the name that ssh knows it by. */
  readonly name: string;
  /** `terminal`: ssh may ask the person who sits there, once. Default: it asks nobody. */
  readonly ask?: 'terminal' | 'never';
  readonly log?: (event: HostEvent) => void;
}

/** A host over ssh. */
export interface SshHost extends Host {
  /** Ends the connection; without it, it ends with this process, or when it was not used for a minute. */
  close(): Promise<void>;
}

/**
 * A host that OpenSSH reaches: with its own configuration, keys, agent, jump hosts and known_hosts, over one connection for
 * all commands, which is made at the first one. There it needs a POSIX shell, util-linux, coreutils, findutils and the
 * tools. It can be read, and not yet changed. What cannot be reached is a ConnectionError.
 */
export function sshHost(options: SshHostOptions): SshHost {
  const { name, destination = name, ask = 'never', ...more } = options;
  const link = sshLink(name, checkDestination({ ...more, destination }), ask);
  const files = remoteFiles(link);
  return {
    name,
    ...files,
    facts: () => factsOf(files),
    run: reader(link, options),
    during: () => {
      throw unchangeable(name);
    },
    flock: async () => {
      throw unchangeable(name);
    },
    close: () => link.close(),
  };
}

/** Said of every change of a host that bofh does not run on. */
export function unchangeable(host: string, what = 'this'): RefusedError {
  return new RefusedError(`${what} changes ${host}, and bofh can only read a host that it does not run on`, {
    remedy: `give the command on ${host} itself`,
  });
}

function reader(link: Link, options: SshHostOptions): SshHost['run'] {
  const collect = collecting(link);
  const reading: Reading = {
    log: telling(options.log),
    fetchInput: keyFetcher(options, baseEnvironment),
    version: versions(collect),
    collect,
  };
  return async <T>(command: Command<T>): Promise<T> => {
    if (command.access !== 'read') throw unchangeable(options.name);
    const { tool, argv } = command;
    const file = options.tools?.[tool] ?? (await link.find(tool));
    if (file === undefined) throw notInstalled(tool, tools[tool].package, placesOf(tool));
    return await runRead({ tool, file, argv }, command, reading);
  };
}

/** cd of a shell exports where it is. */
const withInput = 'exec env -u PWD -u OLDPWD "$@"';
const withoutInput = `${withInput} </dev/null`;

function collecting(link: Link): Collect {
  return async (program, options) => {
    const script = options.stdin === undefined ? withoutInput : withInput;
    const words = [program.file, ...program.argv];
    const { exitCode, stdout, stderr } = await link.read({ program, script, words, ...options });
    return { end: endInShell(exitCode), stdout, stderr };
  };
}
