import { ConnectionError } from '../../core/errors.ts';

/**
 * Why there is no connection: the messages of ssh (OpenSSH 8.4 to 9.9: sshconnect.c, sshconnect2.c,
 * packet.c), and their meaning.
 */
interface Meaning {
  readonly says: RegExp;
  readonly means: (host: string, said: string) => string;
  readonly remedy: (destination: string) => string;
}

const manualRecovery = (destination: string): string => `ssh ${destination} shows more`;

// The order matters: the messages for a changed key also contain those for an unverified one.
const meanings: readonly Meaning[] = [
  {
    says: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    means: (host, said) =>
      `the key of ${host} is not the one in ${/^Offending \S+ key in (?<where>.+)$/m.exec(said)?.groups?.where ?? 'known_hosts'}: the host was reinstalled, or another machine answers in its place`,
    remedy: () =>
      'compare its key on its own console; only when that is right, remove the old one (ssh-keygen -R)',
  },
  {
    says: /Host key verification failed/,
    means: (host) => `the key of ${host} is not in known_hosts`,
    remedy: (destination) => `ssh ${destination} once by hand, and compare the fingerprint`,
  },
  {
    says: /Could not resolve hostname/,
    means: (host) => `there is no host ${host}: its name is not known`,
    remedy: () => 'see hosts in the site file, ~/.ssh/config, /etc/hosts and DNS',
  },
  {
    says: /Permission denied \((?<methods>[^)]*(?:password|keyboard-interactive)[^)]*)\)/,
    means: (host) => `${host} accepts none of your keys, and asks for a password that could not be typed`,
    remedy: (destination) =>
      `give it a key (ssh-copy-id ${destination}), or load yours into the agent (ssh-add)`,
  },
  {
    says: /Permission denied|Too many authentication failures/,
    means: (host) => `${host} accepts none of your keys`,
    remedy: (destination) =>
      `see that yours is in its authorized_keys, and loaded (ssh-add -l): ssh -v ${destination}`,
  },
  {
    says: /Connection refused|No route to host|Network is unreachable|Host is down|timed out|not responding/,
    means: (host) => `${host} does not answer`,
    remedy: (destination) => `see whether it runs, and sshd on it: ssh ${destination}`,
  },
];

/** The error for a connection that could not be established; `said` is the output of ssh. */
export function notConnected(host: string, destination: string, said: string): ConnectionError {
  for (const { says, means, remedy } of meanings) {
    if (!says.test(said)) continue;
    return new ConnectionError(`${means(host, said)}${quoted(said)}`, {
      ...{ host, connection: 'none' },
      remedy: remedy(destination),
    });
  }
  return new ConnectionError(`no connection to ${host}${quoted(said)}`, {
    ...{ host, connection: 'none' },
    remedy: manualRecovery(destination),
  });
}

/** The error for a connection that was lost while a program ran. */
export function lost(host: string, what: string): ConnectionError {
  return new ConnectionError(
    `the connection to ${host} was lost while ${what} ran there: how that ended is not known`,
    { host, connection: 'lost', remedy: 'see whether the host runs, then run the command again' },
  );
}

function quoted(said: string): string {
  const last = said.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? '' : ` (ssh: ${last})`;
}
