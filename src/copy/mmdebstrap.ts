import * as z from 'zod/mini';
import { type Answer, type Command, nothing, type ReadCommand } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';

/** The code name of a release of Debian. */
export const debianSuite = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9.-]{2,}$/, 'must be the code name of a release, such as trixie'));

/** What to install, and from where. */
export const debianRequest = z.strictObject({
  /** The release: `trixie`. */
  suite: debianSuite,
  /** Packages in addition to those of priority required and important. */
  packages: z.exactOptional(
    z.readonly(z.array(z.string().check(z.regex(/^[a-z0-9][a-z0-9+.-]+$/, 'must be the name of a package')))),
  ),
  /**
   * URL of a mirror, which is then the only source of packages, also in the new system (default:
   * the sources of mmdebstrap, for Debian with the security updates).
   */
  mirror: z.exactOptional(
    z.string().check(
      z.regex(/^[a-z][a-z+]*:\/*[^\s/][^\s]*$/, 'must be a URL such as http://deb.debian.org/debian'),
      z.refine(
        (url) => !/^[^/]*\/\/[^/]*@/.test(url),
        'must have no password, because the journal stores it',
      ),
    ),
  ),
  /**
   * Absolute path of the keys that sign the packages of the mirror (default: the keys that apt on
   * the host trusts).
   */
  keyring: z.exactOptional(absolutePath),
});

/** The request for a Debian system, and the archive to write. */
export const debianArgs = z.extend(debianRequest, {
  /** Absolute path of the new archive. RefusedError `exists` if the path is taken. */
  file: absolutePath,
});

type Args = z.infer<typeof debianArgs>;

/** Checks that mmdebstrap is installed. Throws ToolError if not. */
export function mmdebstrapVersion(): ReadCommand<void> {
  return { tool: 'mmdebstrap', argv: ['--version'], access: 'read', parse: nothing };
}

/**
 * `mmdebstrap` into an existing empty file. In a separate mount namespace, because a killed
 * mmdebstrap leaves /proc and /sys mounted in its tree (1.3). With a temporary directory of this
 * step, because Debian 13 keeps /tmp in memory, and because the undo can then remove everything
 * that a power cut leaves.
 */
export function mmdebstrap(
  of: Omit<Args, 'file'> & { readonly file: string; readonly work: string },
): Command<void, 'change'> {
  const { suite, packages = [], mirror, keyring, file, work } = of;
  return {
    tool: 'unshare',
    argv: [
      ...['--mount', 'env', `TMPDIR=${work}`, 'sh', '-s', '--'],
      ...['mmdebstrap', '--format=tar', '--architectures=amd64'],
      ...(packages.length === 0 ? [] : [`--include=${packages.join(',')}`]),
      ...(keyring === undefined ? [] : [`--keyring=${keyring}`]),
      ...[suite, file],
      ...(mirror === undefined ? [] : [mirror]),
    ],
    access: 'change',
    stdin: Buffer.from(withProxy),
    stop: 'safe',
    parse: nothing,
    classify,
    progress: (output) => {
      const at = phases.findLastIndex((phase) => output.includes(`I: ${phase}`));
      return at < 0 ? undefined : at / phases.length;
    },
  };
}

/**
 * Runs its words with the proxy of apt on this host, which mmdebstrap does not read (1.3); by the environment,
 * because mmdebstrap would leave an option of apt in the new system. Read from stdin, because a proxy can have a
 * password.
 */
const withProxy = `eval "$(apt-config shell http Acquire::http::Proxy https Acquire::https::Proxy)"
case $http in ''|DIRECT|false) ;; *) export http_proxy="$http" ;; esac
case $https in ''|DIRECT|false) ;; *) export https_proxy="$https" ;; esac
exec "$@" </dev/null
`;

/** The phases that mmdebstrap reports, in this order (1.3 and 1.5). */
const phases = [
  'running apt-get update',
  'downloading packages',
  'extracting archives',
  'installing essential packages',
  'installing remaining packages',
  'cleaning package lists',
  'creating tarball',
];

function classify({ stderr }: Answer): Reason {
  if (/No space left on device/.test(stderr)) return 'no-space';
  return 'unknown';
}
