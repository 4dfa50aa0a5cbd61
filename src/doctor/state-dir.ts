import { posix } from 'node:path';
import type { Store } from '../atomic/journal/store.ts';
import { mountAt, volatile } from '../blockdevice/index.ts';
import { exposedOn, kindInWords, type ReadHost } from '../command/index.ts';
import { formatSize } from '../core/units.ts';
import { type Finding, finding, looking } from './finding.ts';

const mib = 1024 * 1024;
/**
 * Free space that a sequence needs: 64 KiB as a reserve of its journal, and some for its lines and the output
 * of programs.
 */
const least = mib;
const comfortable = 64 * mib;

/** Filesystems on which flock(2) and fdatasync(2) work differently, or not at all. */
const remote: ReadonlySet<string> = new Set(['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'ceph', 'fuse.sshfs']);

/**
 * Checks the owner of the journal directory, and that a journal written there survives a power cut.
 */
export async function stateDirectory(
  host: ReadHost,
  store: Pick<Store, 'directory' | 'freeBytes'>,
  root: boolean,
): Promise<readonly Finding[]> {
  const at = { check: 'state directory', what: store.directory, root };
  const found = await Promise.all([
    looking(at, () => owners(host, store.directory)),
    looking(at, () => filesystem(host, store)),
  ]);
  return found.flat();
}

async function owners(host: ReadHost, directory: string): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const path of [posix.dirname(directory), directory]) {
    const stat = await host.stat(path);
    if (stat === undefined) continue;
    const say = (level: Finding['level'], says: string, repair: readonly (readonly string[])[]): void =>
      void found.push(finding('state directory', level, `${path} ${says}`, repair));
    const modes = [['chmod', path === directory ? '700' : 'go-w', path]];
    const isOpen = (stat.mode & (path === directory ? 0o077 : 0o022)) !== 0;
    if (stat.kind !== 'directory')
      say('problem', `is ${kindInWords(stat)}, not a directory: nothing can be changed`, [
        ['ls', '-ld', path],
      ]);
    else if (stat.uid !== 0)
      say('problem', `belongs to user ${String(stat.uid)} and not to root`, [
        ['chown', 'root:root', path],
        ...(isOpen ? modes : []),
      ]);
    else if ((stat.mode & 0o022) !== 0)
      say(
        'problem',
        `can be written by others (mode ${stat.mode.toString(8)}): nothing can be changed`,
        modes,
      );
    else if ((stat.mode & 0o077) !== 0 && path === directory)
      say('warning', `can be read by others (mode ${stat.mode.toString(8)})`, modes);
  }
  if (found.some(({ level }) => level === 'problem')) return found;
  const above = await exposedOn(host, directory, 'content');
  if (above !== undefined) {
    const says = `${above.at} ${above.why}, so another user could replace ${directory}: nothing can be changed`;
    return [...found, finding('state directory', 'problem', says, [above.repair.split(' ')])];
  }
  if (found.length > 0) return found;
  const there = (await host.stat(directory)) !== undefined;
  const says = there
    ? `${directory} is accessible only to root`
    : `${directory} will be made by the first change`;
  return [finding('state directory', 'ok', says)];
}

async function filesystem(
  host: ReadHost,
  store: Pick<Store, 'directory' | 'freeBytes'>,
): Promise<readonly Finding[]> {
  const { directory } = store;
  const mount = await mountAt(host, directory);
  if (mount === undefined) return [finding('state directory', 'problem', `${directory} is on no filesystem`)];
  const { path, type, options, superOptions } = mount;
  const found: Finding[] = [];
  const say = (level: Finding['level'], says: string, run: readonly (readonly string[])[] = []): void =>
    void found.push(finding('state directory', level, says, run));
  const on = `${directory} is on the ${type} of ${path}`;
  if (volatile.has(type)) say('problem', `${on}: a reboot deletes the journals`);
  if (remote.has(type)) say('problem', `${on}: its locks have no effect on other hosts`);
  const readOnly = `${options},${superOptions}`.split(',').includes('ro');
  if (readOnly)
    say('problem', `${on}, which is read-only: every change is refused`, [
      ['mount', '-o', 'remount,rw', path],
    ]);
  const free = store.freeBytes();
  if (!readOnly && free !== undefined && free < comfortable) {
    const says = `${on}, which has only ${formatSize(free)} left`;
    say(free < least ? 'problem' : 'warning', free < least ? `${says}: changes are refused` : says, [
      ['bofh', 'journal', 'prune', '--keep', '30d'],
      ['df', path],
    ]);
  }
  const room = free === undefined ? '' : `, ${formatSize(free)} free`;
  return found.length > 0 ? found : [finding('state directory', 'ok', `${on}${room}`)];
}
