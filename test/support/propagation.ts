import { spawnSync } from 'node:child_process';

/** Below a chroot whose root is no mount point, unshare(1) cannot change how mounts spread; they are private there. */
export function propagation(wanted: 'slave' | 'private'): string {
  const tried = spawnSync('unshare', ['--mount', '--propagation', wanted, 'true']);
  return tried.status === 0 ? wanted : 'unchanged';
}
