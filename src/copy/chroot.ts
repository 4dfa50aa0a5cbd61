import { type Answer, type Command, outputLines } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';

/** A filesystem and its path in the root of another system. The first one is the root, `/`. */
interface RootMount {
  readonly device: string;
  readonly target: string;
  readonly mode: 'ro' | 'rw';
  readonly type: string;
  readonly options: readonly string[];
}

// The mounts are in a separate mount namespace, over /run, which every host has. The processes are
// in a separate process namespace, so that none of them survives and keeps the mounts. The shell is
// the first process of it: if the command were, signals that it does not handle would not reach it.
const mounted = `fail() { echo "bofh: $*" >&2; exit 125; }
put() {
  at=$1; shift
  [ "$(readlink -e "$at")" = "$at" ] || fail "\${at#/run}: no such directory in the guest, or a symbolic link"
  mount --no-mtab --internal-only "$@" --target "$at" || exit 125
}
count=$1; shift
while [ "$count" -gt 0 ]; do
  put "/run$1" --types "$2" --options "$3" --source "$4"
  shift 4; count=$((count - 1))
done
put /run/proc --types proc --options nosuid,nodev,noexec --source proc
put /run/sys --options rbind --source /sys
put /run/dev --options rbind --source /dev
`;

const runCommand = `chroot /run "$@"
exit $?`;

// Descriptor 8 has the name servers of this host. It is opened before /run is covered, because
// resolv.conf may be a link into /run. Descriptor 9 is the script, so that it needs no file in the
// root. The name servers become a file in the /run of the root, in memory: either where resolv.conf
// links to, or mounted on resolv.conf. No link of the root is followed.
const open = `[ ! -r /etc/resolv.conf ] || exec 8</etc/resolv.conf
`;
const nameServers = `servers=/run/etc/resolv.conf new=
[ "$(readlink -e /run/run)" != /run/run ] || put /run/run --types tmpfs --options nosuid,nodev,mode=755 --source tmpfs
if [ "$(readlink -e /run/run)" = /run/run ] && [ "$(readlink -e /run/etc)" = /run/etc ] && [ -e /proc/self/fd/8 ]; then
  cat <&8 >/run/run/resolv.conf
  exec 8<&-
  if [ -L "$servers" ]; then
    to=$(readlink "$servers")
    case $to in /run/*) to=\${to#/run/} ;; ../run/*) to=\${to#../run/} ;; *) to=.. ;; esac
    case /$to/ in
      */../*|/resolv.conf/) ;;
      *) mkdir -p "$(dirname "/run/run/$to")"; cp /run/run/resolv.conf "/run/run/$to" ;;
    esac
  else
    [ -e "$servers" ] || { new=yes; : >"$servers"; }
    mount --no-mtab --internal-only --options bind --source /run/run/resolv.conf --target "$servers" || exit 125
  fi
fi
inside() { env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" 2>&1; }
`;
/** The last line of a script that succeeded: the exit code 0 alone does not prove that it ran. */
export const scriptEnded = 'bofh: the script has ended';
const end = `[ -z "$new" ] || { umount --no-mtab "$servers" && { [ -s "$servers" ] || rm "$servers"; }; }
[ "$code" -ne 0 ] || echo '${scriptEnded}'
exit $code`;
const runScript = `exec 9<"$1"
shift
${nameServers}inside "$@" chroot /run /proc/self/fd/9
code=$?
${end}`;

// The root has no Node.js: the one of this host runs there with the libraries of this host, from
// read-only mounts in the /run of the root, which is in memory. bofh starts the programs of the
// root. A new Debian has no lists of packages.
const applyDescription = `file=$1 node=$2 program=$3 libraries= loader=
shift 3
${nameServers}[ "$(readlink -e /run/run)" = /run/run ] || fail "/run: no such directory in the guest, or a symbolic link"
give() {
  mkdir --parents "/run/run/bofh-host$1" && mount --no-mtab --internal-only --bind "$1" "/run/run/bofh-host$1" || exit 125
  mount --no-mtab --internal-only --options remount,bind,ro "/run/run/bofh-host$1" || exit 125
}
for each in $(ldd "$node" | sed -n 's|^[^/]*\\(/[^ ]*\\) (0x[0-9a-f]*)$|\\1|p'); do
  each=$(readlink -e "$each") at=$(dirname "$each")
  case $each in */ld-*) loader=/run/bofh-host$each ;; esac
  case $libraries: in *":/run/bofh-host$at:"*) ;; *) give "$at"; libraries=$libraries:/run/bofh-host$at ;; esac
done
[ -n "$loader" ] || fail "ldd does not name the loader of $node"
for each in "$node" "$program" "$file"; do give "$(dirname "$each")"; done
if [ -x /run/usr/bin/apt-get ] && grep -qs 'package(' "$(dirname "$file")"/*.*s && ! ls /run/var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
  inside "$@" chroot /run apt-get -qq update || exit 100
fi
inside BOFH_CACHE_DIR=/run/bofh-cache "$@" chroot /run "$loader" --library-path "\${libraries#:}" "/run/bofh-host$node" \\
  "/run/bofh-host$program" --yes --state-dir /run/bofh-state host apply "/run/bofh-host$file" --confirm off
code=$?
chroot /run rmdir /var/lib/bofh/scripts /var/lib/bofh 2>/dev/null
${end}`;

const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child'] as const;

const trees = (mounts: readonly RootMount[]): readonly string[] => [
  String(mounts.length),
  ...mounts.flatMap(({ device, target, type, mode, options }) => [
    ...[target === '/' ? '' : target, type, [mode, ...options].join(','), device],
  ]),
];

/**
 * Returns the program that mounts a tree in a private mount namespace and runs a command in it. The
 * mounts and all processes end with the command, and with the process that started it, whatever
 * ends that. Exit code 125: the tree could not be mounted.
 */
export function chroot({ mounts }: { readonly mounts: readonly RootMount[] }, command: readonly string[]) {
  return {
    tool: 'setpriv',
    argv: [
      ...['--pdeathsig', 'KILL', ...namespaces, 'sh', '-c', `${mounted}${runCommand}`, 'bofh'],
      ...[...trees(mounts), ...command],
    ],
  } as const;
}

/**
 * Like `chroot`, for an executable file of this host that is not in the tree, with the name servers
 * of this host and only the given environment. Its errors are part of the output. `applyWith`: the
 * file is a description, which this bofh applies with this Node.js.
 */
export function chrootScript(of: {
  readonly mounts: readonly RootMount[];
  readonly script: string;
  readonly applyWith?: { readonly node: string; readonly program: string } | undefined;
  readonly environment: Readonly<Record<string, string>>;
}) {
  const [tool, ...argv] = namespaces;
  const variables = Object.entries(of.environment).map(([name, text]) => `${name}=${text}`);
  const { applyWith: by } = of;
  const act = by === undefined ? runScript : applyDescription;
  return {
    tool,
    argv: [
      ...[...argv, 'sh', '-c', `${open}${mounted}${act}`, 'bofh', ...trees(of.mounts)],
      ...[of.script, ...(by === undefined ? [] : [by.node, by.program]), ...variables],
    ],
  } as const;
}

/**
 * Like `chrootScript`, as a change with a time limit. It may be ended at any time, and reports the
 * output of the script.
 */
export function scriptCommand(of: {
  /** The command in words. */
  readonly title: string;
  readonly script: string;
  readonly applyWith: { readonly node: string; readonly program: string } | undefined;
  readonly mounts: readonly { readonly device: string; readonly type: string; readonly target: string }[];
  readonly environment: Readonly<Record<string, string>>;
  readonly seconds: number;
}): Command<void, 'change'> {
  const { title, script: path, applyWith, environment, seconds } = of;
  const mounts = of.mounts.map(({ device, type, target }) => ({
    ...{ device, type, target, mode: 'rw' as const },
    options: ['nosuid', 'nodev'],
  }));
  return {
    ...chrootScript({ mounts, script: path, applyWith, environment }),
    title,
    access: 'change',
    stop: 'safe',
    timeoutMs: seconds * 1000,
    parse: ({ stdout }) => {
      if (outputLines(stdout).at(-1) !== scriptEnded) throw new ParseError(`${title} was not run to its end`);
    },
    classify: ({ stdout }: Answer) => (/No space left on device/.test(stdout) ? 'no-space' : 'unknown'),
    says: (output) => outputLines(output).findLast((line) => line !== scriptEnded),
  };
}
