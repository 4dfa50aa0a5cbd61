import type { ReadHost } from '../../command/index.ts';
import type { MountEntry } from '../mountinfo.ts';
import type { MountHolder } from './mounts.ts';

/** The directories of systemd units (systemd.unit(5)). */
const folders = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/run/systemd/generator',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
] as const;

/**
 * Adds the systemd unit to a mount, if there is one: a plain umount does not last then, because
 * systemd mounts it again at the next access (automount) or when a unit needs it.
 */
export async function withUnit(
  host: ReadHost,
  holder: MountHolder,
  mounts: readonly MountEntry[],
): Promise<MountHolder> {
  if (holder.free === undefined) return holder;
  // sd_booted(3)
  if ((await host.stat('/run/systemd/system')) === undefined) return holder;
  const name = escapePath(holder.path);
  const mountUnit = await findUnit(host, `${name}.mount`);
  const isAutomounted = mounts.some(({ path, type }) => path === holder.path && type === 'autofs');
  const automount = isAutomounted ? await findUnit(host, `${name}.automount`) : undefined;
  const unit = automount ?? mountUnit;
  if (unit === undefined) return holder;
  const again = automount === undefined ? 'mounts it' : 'mounts it again at each access';
  const from = unit.folder === '/run/systemd/generator' ? 'from /etc/fstab' : `in ${unit.folder}`;
  const stop = [...(automount === undefined ? [] : [`${name}.automount`]), `${name}.mount`];
  return {
    ...holder,
    unit: unit.name,
    words: `${holder.words}, where systemd ${again} (${unit.name}, ${from})`,
    free: ['systemctl', 'stop', ...stop],
  };
}

async function findUnit(
  host: ReadHost,
  name: string,
): Promise<{ readonly name: string; readonly folder: string } | undefined> {
  for (const folder of folders)
    if ((await host.stat(`${folder}/${name}`)) !== undefined) return { name, folder };
  return undefined;
}

/** Escapes a path as `systemd-escape --path` does (systemd.unit(5), "String escaping"). */
export function escapePath(path: string): string {
  const inner = path.split('/').filter((part) => part !== '');
  if (inner.length === 0) return '-';
  return inner.map((part, index) => escapePart(part, index === 0)).join('-');
}

function escapePart(part: string, first: boolean): string {
  return [...new TextEncoder().encode(part)]
    .map((byte, index) => {
      const char = String.fromCharCode(byte);
      const plain = /[A-Za-z0-9:_.]/.test(char) && !(char === '.' && first && index === 0);
      return plain ? char : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
