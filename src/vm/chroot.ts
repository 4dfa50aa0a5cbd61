import type { Tool } from '../command/index.ts';
import type { TreePlan } from './tree.ts';

// The mounts are in a mount namespace of its own, over /run, which every host has; the processes in
// a process namespace, so that none of them lives on and keeps the mounts. The shell is its first
// process: as that the command would not get the signals that it does not handle.
const script = `fail() { echo "bofh: $*" >&2; exit 125; }
put() {
  at=$1; shift
  [ "$(readlink -e "$at")" = "$at" ] || fail "\${at#/run}: no such directory in the guest, or a symbolic link"
  mount --internal-only "$@" --target "$at" || exit 125
}
count=$1; shift
while [ "$count" -gt 0 ]; do
  put "/run$1" --types "$2" --options "$3" --source "$4"
  shift 4; count=$((count - 1))
done
put /run/proc --types proc --options nosuid,nodev,noexec --source proc
put /run/sys --options rbind --source /sys
put /run/dev --options rbind --source /dev
chroot /run "$@"
exit $?`;

/**
 * The program that mounts a tree in a private mount namespace and runs a command in it. The mounts and
 * all processes go with the command, and with the process that started it, whatever ends that.
 * Exit code 125: it could not be mounted.
 */
export function chroot(
  { mounts }: Pick<TreePlan, 'mounts'>,
  command: readonly string[],
): { readonly tool: Tool; readonly argv: readonly string[] } {
  const trees = mounts.flatMap(({ device, target, type, mode, options }) => [
    ...[target === '/' ? '' : target, type, [mode, ...options].join(','), device],
  ]);
  return {
    tool: 'setpriv',
    argv: [
      ...['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child'],
      ...['sh', '-c', script, 'bofh', String(mounts.length), ...trees, ...command],
    ],
  };
}
