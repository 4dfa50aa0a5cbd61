import { canonicalKey } from '../../kernel/parameter.ts';
import { resolve } from './resolve.ts';
import type { World } from './world.ts';

/** A file below /proc/sys, by its path there. */
export interface Parameter {
  readonly value: string;
  readonly mode: number;
}

/** Parameters of a new kernel, as far as the model has them. */
const defaults: Readonly<Record<string, string>> = {
  'fs/file-max': '9223372036854775807',
  'net/ipv4/ip_forward': '0',
  ...Object.fromEntries(
    ['all', 'default', 'lo', 'eth0', 'eth0.100'].flatMap((name) => [
      [`net/ipv4/conf/${name}/forwarding`, '0'],
      [`net/ipv4/conf/${name}/accept_redirects`, '1'],
    ]),
  ),
  'net/ipv4/tcp_rmem': '4096\t131072\t6291456',
  'net/ipv6/conf/all/disable_ipv6': '0',
  'vm/dirty_bytes': '0',
  'vm/dirty_ratio': '20',
  'vm/swappiness': '60',
};

/** Returns what the boot sets: the defaults, then the files of systemd-sysctl. */
export function bootParameters(world: World): Map<string, Parameter> {
  const all = new Map<string, Parameter>([
    ...Object.entries(defaults).map(([path, value]) => [path, { value, mode: 0o644 }] as const),
    ['net/ipv4/route/flush', { value: '', mode: 0o200 }],
    ['kernel/hostname', { value: nameAtBoot(world), mode: 0o644 }],
    ['kernel/ngroups_max', { value: '65536', mode: 0o444 }],
  ]);
  const there = resolve(world, '/etc/sysctl.d', 'follow');
  for (const name of there.found ? [...(there.inode.entries?.keys() ?? [])].sort() : []) {
    const file = resolve(world, `/etc/sysctl.d/${name}`, 'follow');
    if (!name.endsWith('.conf') || !file.found) continue;
    for (const line of new TextDecoder().decode(file.inode.content).split('\n')) {
      const { key = '', value = '' } = /^(?<key>[^#=\s]+) = (?<value>.+)$/.exec(line)?.groups ?? {};
      const path = key.replaceAll(/[./]/g, (char) => (char === '.' ? '/' : '.'));
      const known = all.get(path);
      if (known !== undefined) all.set(path, { ...known, value: value.replaceAll(' ', '\t') });
    }
  }
  return all;
}

function nameAtBoot(world: World): string {
  const there = resolve(world, '/etc/hostname', 'follow');
  return there.found ? new TextDecoder().decode(there.inode.content).trim() : world.hostname;
}

/** Sets a parameter, and those that the kernel changes with it. */
export function setParameter(world: World, path: string, value: string): void {
  const set = (at: string, to: string): void =>
    void world.parameters.set(at, { mode: 0o644, ...world.parameters.get(at), value: to });
  set(path, value);
  world.revision += 1;
  if (path === 'vm/dirty_bytes' && value !== '0') set('vm/dirty_ratio', '0');
  if (path === 'vm/dirty_ratio') set('vm/dirty_bytes', '0');
  if (path !== 'net/ipv4/ip_forward') return;
  const imported = [...(world.overlay?.imported.keys() ?? [])].map((each) =>
    each.replace(/^\/proc\/sys\//, ''),
  );
  for (const each of [...world.parameters.keys(), ...imported])
    if (/^net\/ipv4\/conf\/[^/]+\/forwarding$/.test(each)) set(each, value);
  set('net/ipv4/conf/all/accept_redirects', value === '0' ? '1' : '0');
}

/** Returns the parameters that differ from a new kernel, as text. */
export function describeParameters({ parameters, hostname }: World): readonly string[] {
  return [...parameters].flatMap(([path, { value }]) =>
    value === (path === 'kernel/hostname' ? hostname : (defaults[path] ?? value))
      ? []
      : [`parameter ${canonicalKey(path)} ${value}`],
  );
}
