import * as z from 'zod/mini';
import { mountEntries, mountOver } from '../blockdevice/index.ts';
import { type Command, inShell, nothing, type ReadHost, textOf } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';

/** A kernel parameter as sysctl.d(5) spells it: `net.ipv4.ip_forward`, `net/ipv4/conf/eth0.100/forwarding`. */
export const parameterKey = z
  .string()
  .check(
    z.refine(
      (key) => namesIn(key).every((name) => /^[\w:@+.-]+$/.test(name) && !/^\.*$/.test(name)),
      'must be a kernel parameter: net.ipv4.ip_forward',
    ),
  );

/** A value of one line. */
export const parameterValue = z.string().check(z.regex(/^\S(?:[^\n\r\0]*\S)?$/, 'must be one line of text'));

/**
 * Splits a key into the names below /proc/sys. The first `.` or `/` in the key decides which of the
 * two separates names; the other one is part of a name.
 */
function namesIn(key: string): readonly string[] {
  const first = /[./]/.exec(key)?.[0];
  const names = first === undefined ? [key] : key.split(first);
  return first === '.' ? names.map((name) => name.replaceAll('/', '.')) : names;
}

/** Spells a key as bofh does: with dots between the names, and `/` for a dot in a name. */
export function canonicalKey(key: string): string {
  return namesIn(key)
    .map((name) => name.replaceAll('.', '/'))
    .join('.');
}

/** Returns the path of a parameter below /proc/sys. */
export function parameterPath(key: string): string {
  return `/proc/sys/${namesIn(key).join('/')}`;
}

/**
 * Whether two values are equal. Several values of one parameter may be separated by tabs or spaces.
 */
export function isSameValue(one: string | undefined, other: string | undefined): boolean {
  const words = (text: string | undefined) => text?.trim().split(/\s+/).join(' ');
  return words(one) === words(other);
}

/** Returns the value in the running kernel; undefined if the kernel has no such parameter. */
export async function runningValue(host: ReadHost, key: string): Promise<string | undefined> {
  return (await textOf(host, parameterPath(key)))?.replace(/\n$/, '');
}

/**
 * Sets a parameter of the running kernel. sysctl(8) of procps 4.0.2 exits with 0 for some
 * parameters that it cannot set.
 */
export function setValue(key: string, value: string): Command<void, 'change'> {
  return {
    tool: 'sysctl',
    argv: ['--quiet', '--write', `${key}=${value}`],
    access: 'change',
    parse: nothing,
    classify: ({ stderr }) =>
      /No such file/.test(stderr)
        ? 'not-found'
        : /permission denied|Read-only|not permitted/i.test(stderr)
          ? 'denied'
          : 'unknown',
  };
}

/**
 * Returns the current value of a parameter. RefusedError if the parameter cannot be set, or the
 * undo could not set it back.
 */
export async function settable(host: ReadHost, key: string, value: string): Promise<string> {
  const path = parameterPath(key);
  const stat = await host.stat(path);
  if (stat?.kind !== 'file')
    throw new RefusedError(`this kernel has no parameter ${key}: there is no file ${path}`, {
      code: 'not-found',
      remedy: 'correct its name, or load the kernel module that provides it: modprobe MODULE',
    });
  if (/(?:^|\.)(?:stable_secret|tcp_fastopen_key)$/.test(key))
    throw new RefusedError(`${key} is a secret, and bofh would show it in its plan and journal`, {
      remedy: `describe its file in /etc/sysctl.d with h.file and a Secret, then: systemctl restart systemd-sysctl`,
    });
  if ((stat.mode & 0o222) === 0)
    throw readOnly(key, `no write permission on ${path}`, 'remove it from the description');
  if ((stat.mode & 0o444) === 0)
    throw new RefusedError(`writing ${key} starts an action, which bofh could not undo`, {
      remedy: `do it once, by hand: sysctl --write ${key}=${value}`,
    });
  const covering = mountOver(await mountEntries(host), path);
  if (covering?.options.split(',').includes('ro'))
    throw readOnly(
      key,
      `${covering.path} is mounted read-only, as in a container`,
      'set it on the host that runs the container',
    );
  const now = await runningValue(host, key);
  if (now === undefined || now.includes('\n'))
    throw new RefusedError(`${key} has more than one line, so it is not a single value`, {
      remedy: `look at it: cat ${inShell(path)}`,
    });
  if (isOneWay(key, value) && !isSameValue(now, value))
    throw new RefusedError(`an undo could not restore ${key} after ${value}`, {
      remedy: 'describe its file in /etc/sysctl.d with h.file, and reboot',
    });
  return now;
}

/**
 * Whether setting the old value would not undo the change: the parameter keeps its value until the
 * next reboot, or its change removes something that the old value does not restore.
 */
function isOneWay(key: string, value: string): boolean {
  return (
    /^kernel\.(?:modules_disabled|kexec_load_disabled|kexec_load_limit_\w+)$/.test(key) ||
    (key === 'kernel.unprivileged_bpf_disabled' && value === '1') ||
    (key === 'kernel.yama.ptrace_scope' && value === '3') ||
    // With another value than 0 the kernel removes the IPv6 addresses and routes of the interface. It
    // sets `all` on every interface, so the undo of `all` = 0 would remove them too.
    key === 'net.ipv6.conf.all.disable_ipv6' ||
    (/^net\.ipv6\.conf\.(?!default\.)[^.]+\.disable_ipv6$/.test(key) && value !== '0')
  );
}

/**
 * Whether the kernel accepts a value that it has shown. It shows 0 for the bytes while it uses the
 * ratio, and accepts no 0: setting the ratio sets it (mm/page-writeback.c).
 */
export function isAccepted(key: string, value: string): boolean {
  return !(/^vm\.dirty(?:_background)?_bytes$/.test(key) && isSameValue(value, '0'));
}

const ipv6Route =
  /^(?<to>[0-9a-f]{32} [0-9a-f]{2}) [0-9a-f]{32} [0-9a-f]{2} [0-9a-f]{32}(?: [0-9a-f]{8}){3} (?<flags>[0-9a-f]{8}) +(?<device>\S+)$/;
/** RTF_DEFAULT or RTF_ADDRCONF (linux/ipv6_route.h): the route is from a router advertisement. */
const learned = 0x0001_0000 | 0x0004_0000;

/**
 * RefusedError if the kernel would remove an IPv6 default route that it has learned from a router,
 * because the undo could not restore it. A host that forwards has such routes only from interfaces
 * with accept_ra=2 (rt6_purge_dflt_routers, net/ipv6/route.c).
 */
export async function refuseRouteLoss(host: ReadHost, key: string, value: string): Promise<void> {
  if (!/^net\.ipv6\.conf\.(?!default\.)[^.]+\.forwarding$/.test(key) || Number(value) === 0) return;
  const path = '/proc/net/ipv6_route';
  for (const line of (await textOf(host, path))?.split('\n').filter((each) => each !== '') ?? []) {
    const { to, flags = '', device = '' } = ipv6Route.exec(line)?.groups ?? {};
    if (to === undefined) throw new ParseError(`${path}: the output could not be parsed: ${line}`);
    if (!/^0+ 00$/.test(to) || (Number.parseInt(flags, 16) & learned) === 0) continue;
    const accept = canonicalKey(`net/ipv6/conf/${device}/accept_ra`);
    if (isSameValue(await runningValue(host, accept), '2')) continue;
    throw new RefusedError(
      `${key}=${value} would remove the IPv6 default route of ${device}, which a router announces, and an undo could not restore it`,
      { remedy: `keep the route: sysctl --write ${accept}=2; then run the command again` },
    );
  }
}

function readOnly(key: string, why: string, remedy: string): RefusedError {
  return new RefusedError(`${key} is read-only here: ${why}`, { remedy });
}

/** Lists the parameters that the kernel changes together with this one. */
export async function movedBy(host: ReadHost, key: string): Promise<readonly string[]> {
  const ip = /^net\.(?<ip>ipv[46])\.(?:ip_forward|conf\.all\.forwarding)$/.exec(key)?.groups?.ip;
  // net/ipv6/addrconf.c
  const each = /^net\.ipv6\.conf\.all\.(?<each>addr_gen_mode|ignore_routes_with_linkdown)$/.exec(key)?.groups
    ?.each;
  const dirty = /^vm\.(?<which>dirty|dirty_background)_(?:ratio|bytes)$/.exec(key)?.groups?.which;
  const all =
    ip !== undefined
      ? [
          ...(ip === 'ipv4' ? ['net.ipv4.ip_forward', 'net.ipv4.conf.all.accept_redirects'] : []),
          ...(await host.readDir(`/proc/sys/net/${ip}/conf`)).map((name) =>
            canonicalKey(`net/${ip}/conf/${name}/forwarding`),
          ),
        ]
      : each !== undefined
        ? (await host.readDir('/proc/sys/net/ipv6/conf')).map((name) =>
            canonicalKey(`net/ipv6/conf/${name}/${each}`),
          )
        : dirty !== undefined
          ? [`vm.${dirty}_ratio`, `vm.${dirty}_bytes`]
          : key === 'vm.overcommit_ratio' || key === 'vm.overcommit_kbytes'
            ? ['vm.overcommit_ratio', 'vm.overcommit_kbytes']
            : [];
  return all.filter((moved) => moved !== key);
}
