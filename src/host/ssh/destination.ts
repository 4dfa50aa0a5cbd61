import { UsageError } from '../../core/errors.ts';

/** How ssh reaches a host. Missing values come from ssh's own configuration. */
export interface SshDestination {
  /**
   * The destination for `ssh`: a name of its configuration, `host`, `user@host` or
   * `ssh://user@host:port`.
   */
  readonly destination: string;
  /** Replaces ~/.ssh/config and /etc/ssh/ssh_config (`ssh -F`). */
  readonly configFile?: string | undefined;
  /** More options, with the names of ssh_config(5). */
  readonly options?: Readonly<Record<string, string>> | undefined;
  /** `login`: runs programs as the login user (default: with `sudo -n`, if the login user is not root). */
  readonly become?: 'root' | 'login' | undefined;
}

/** Options that decide which host keys are trusted. They stay in ssh's own files, where an administrator looks for them. */
const ofHostKeys =
  /^(?:stricthostkeychecking|userknownhostsfile|globalknownhostsfile|nohostauthenticationforlocalhost|knownhostscommand|verifyhostkeydns|hostkeyalias|checkhostip|updatehostkeys)$/i;
/** Options that bofh needs for the shared connection. */
const ours =
  /^(?:control(?:master|path|persist)|batchmode|remotecommand|sessiontype|forkafterauthentication)$/i;

/** Throws UsageError for a destination or options that ssh would not accept. */
export function checkDestination(to: SshDestination): SshDestination {
  const { destination, options = {} } = to;
  if (!/^[^\s\0-][^\s\0]*$/.test(destination))
    throw new UsageError(
      `"${destination}" is not a destination of ssh: it is empty, begins with "-" or has blanks`,
    );
  for (const [name, value] of Object.entries(options)) {
    if (!/^[A-Za-z]+$/.test(name) || /[\0\n]/.test(value))
      throw new UsageError(`"${name} ${value}" is not an option of ssh`);
    if (ofHostKeys.test(name))
      throw new UsageError(
        `${name} decides which host keys are trusted: set it only in the configuration of ssh`,
        {
          remedy: `write it into ~/.ssh/config under "Host ${hostIn(destination)}"`,
        },
      );
    if (ours.test(name))
      throw new UsageError(`${name} is chosen by bofh`, {
        remedy: 'remove it from the options of this host',
      });
  }
  return to;
}

/** The name that `Host` in ssh_config(5) is compared with: without user, and without the port of a URI. */
function hostIn(destination: string): string {
  const uri = /^ssh:\/\/(?:[^@]*@)?(?<host>\[[^\]]*\]|[^:/]*)/.exec(destination)?.groups?.host;
  return uri?.replace(/^\[|\]$/g, '') ?? destination.slice(destination.lastIndexOf('@') + 1);
}

/** The words of every ssh command line for a destination. */
export function wordsOf({ configFile, options = {} }: SshDestination): readonly string[] {
  return [
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
  ];
}
