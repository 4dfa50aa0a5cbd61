import { inShell } from '../../command/index.ts';
import { ConnectionError } from '../../core/errors.ts';
import { type SshDestination, wordsOf } from './destination.ts';

/**
 * Why there is no connection: the messages of ssh (OpenSSH 8.4 to 9.9: sshconnect.c, sshconnect2.c,
 * packet.c), and their meaning.
 */
interface Meaning {
  readonly says: RegExp;
  readonly means: (host: string, said: string) => string;
  /** `words`: those of ssh for the destination, with its options. */
  readonly remedy: (words: string, destination: string) => string;
}

const seeWhy = (words: string): string => `see why: ssh -v ${words}`;

// The order matters: the messages for a changed key also contain those for an unverified one.
const meanings: readonly Meaning[] = [
  {
    says: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    means: (host, said) =>
      `the key of ${host} is not the one in ${/^Offending \S+ key in (?<where>.+)$/m.exec(said)?.groups?.where ?? 'known_hosts'}: the host was reinstalled, or another machine answers in its place`,
    remedy: (words, destination) =>
      `compare the key on the console of the host; only if it is right, remove the old one: ssh-keygen -R ${destination.replace(/^.*@/, '')}; then accept the new one: ssh ${words}`,
  },
  {
    says: /Host key verification failed/,
    means: (host) => `the key of ${host} is not in known_hosts`,
    remedy: (words) => `compare the fingerprint, and accept it: ssh ${words}`,
  },
  {
    says: /Could not resolve hostname/,
    means: (host) => `there is no host ${host}: its name cannot be resolved`,
    remedy: () => 'correct the name, or add it to hosts in the site file, ~/.ssh/config, /etc/hosts or DNS',
  },
  {
    says: /Permission denied \((?<methods>[^)]*(?:password|keyboard-interactive)[^)]*)\)/,
    means: (host) => `${host} accepts none of your keys, and asks for a password that could not be typed`,
    remedy: (words) => `copy your key to it: ssh-copy-id ${words}; or load your key into the agent: ssh-add`,
  },
  {
    says: /Permission denied|Too many authentication failures/,
    means: (host) => `${host} accepts none of your keys`,
    remedy: (words) =>
      `see which keys are offered: ssh -v ${words}; yours must be in its authorized_keys, and in the agent: ssh-add -l`,
  },
  {
    says: /Connection refused|No route to host|Network is unreachable|Host is down|timed out|not responding/,
    means: (host) => `${host} does not answer`,
    remedy: (words) => `see whether the host and its sshd run: ssh ${words}`,
  },
];

/** The error for a connection that could not be established; `said` is the output of ssh. */
export function notConnected(host: string, to: SshDestination, said: string): ConnectionError {
  for (const { says, means, remedy } of meanings) {
    if (!says.test(said)) continue;
    return new ConnectionError(`${means(host, said)}${quoted(said)}`, {
      ...{ host, connection: 'none' },
      remedy: remedy(typed(to), to.destination),
    });
  }
  return new ConnectionError(`no connection to ${host}${quoted(said)}`, {
    ...{ host, connection: 'none' },
    remedy: seeWhy(typed(to)),
  });
}

/** The error for a connection that was lost while a program ran. */
export function lost(host: string, to: SshDestination, what: string): ConnectionError {
  return new ConnectionError(
    `the connection to ${host} was lost while ${what} ran there: whether that succeeded is unknown`,
    {
      host,
      connection: 'lost',
      remedy: `see whether the host runs: ssh ${typed(to)} true; then run the command again`,
    },
  );
}

/** The words after `ssh`, as typed in a shell. */
function typed(to: SshDestination): string {
  return [...wordsOf(to), to.destination].map(inShell).join(' ');
}

function quoted(said: string): string {
  const last = said.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? '' : ` (ssh: ${last})`;
}
