import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { UnpackedFile } from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';

/** The network interface of a guest, as the root filesystem of the guest configures it. */
export interface GuestNetwork {
  readonly mac: string;
  /** `dhcp`, or one address with its prefix length per family: `192.0.2.10/24`. */
  readonly ip: 'dhcp' | readonly string[];
  readonly gateway: readonly string[];
  readonly dns: readonly string[];
}

/** The settings that make a copied root the root of one guest. */
export interface Identity {
  readonly hostname: string;
  /** Lines of `authorized_keys` of root. */
  readonly sshKeys: readonly string[];
  /** Undefined: the configuration of the source stays. */
  readonly network: GuestNetwork | undefined;
  readonly timezone: string | undefined;
}

/** The changes to an unpacked root. */
export interface IdentityFiles {
  readonly files: readonly UnpackedFile[];
  /** Paths that are removed: keys and ids of the source that a second guest must not have. */
  readonly remove: readonly string[];
  /** Fingerprint of the new SSH host key, as ssh shows it; undefined without OpenSSH in the source. */
  readonly hostKey: string | undefined;
}

/**
 * The files for a guest, depending on the files in its source. `paths`: every path of the source. Throws
 * RefusedError if no program in the source would read a requested setting.
 */
export function identityFiles(
  { hostname, sshKeys, network, timezone }: Identity,
  paths: ReadonlySet<string>,
): IdentityFiles {
  const has = (path: string): boolean => isIn(paths, path);
  const files: UnpackedFile[] = [{ path: 'etc/hostname', content: `${hostname}\n`, mode: 0o644 }];
  const remove: string[] = [];
  if (!has('etc/hosts')) files.push({ path: 'etc/hosts', content: hostsText(hostname), mode: 0o644 });
  // Empty: systemd fills it at boot. "uninitialized" would enable every unit as on a first boot (machine-id(5)).
  if (has('etc/machine-id') || has('lib/systemd/systemd'))
    files.push({ path: 'etc/machine-id', content: '', mode: 0o444 });
  if (has('var/lib/dbus/machine-id')) remove.push('var/lib/dbus/machine-id');
  if (sshKeys.length > 0)
    files.push({ path: 'root/.ssh/authorized_keys', content: `${sshKeys.join('\n')}\n`, mode: 0o600 });
  remove.push(...[...paths].filter((path) => /^etc\/ssh\/ssh_host_[\w.]+$/.test(path)));
  const key = has('sbin/sshd') ? newHostKey(`root@${hostname}`) : undefined;
  if (key !== undefined)
    files.push(
      { path: 'etc/ssh/ssh_host_ed25519_key', content: key.secret, mode: 0o600 },
      { path: 'etc/ssh/ssh_host_ed25519_key.pub', content: key.public, mode: 0o644 },
    );
  if (timezone !== undefined) {
    if (!has(`share/zoneinfo/${timezone}`))
      throw new RefusedError(`the source has no time zone ${timezone} (usr/share/zoneinfo/${timezone})`, {
        remedy: 'name one as in `timedatectl list-timezones`, or install tzdata in the source',
      });
    files.push(
      { path: 'etc/timezone', content: `${timezone}\n`, mode: 0o644 },
      { path: 'etc/localtime', link: `/usr/share/zoneinfo/${timezone}` },
    );
  }
  const cloudInit = has('bin/cloud-init');
  if (cloudInit) files.push(...seed(hostname));
  if (network !== undefined) files.push(...networkFiles(network, has));
  // With one of these, or cloud-init, static name servers need no file.
  const byItself = ['lib/systemd/systemd-resolved', 'sbin/resolvconf', 'sbin/NetworkManager', 'sbin/netplan'];
  if (network !== undefined && network.dns.length > 0 && !cloudInit && !byItself.some(has))
    files.push({
      path: 'etc/resolv.conf',
      content: network.dns.map((server) => `nameserver ${server}\n`).join(''),
      mode: 0o644,
    });
  // SELinux lets no service read files without a label: the first boot labels them, and restarts.
  if (has('etc/selinux/config')) files.push({ path: '.autorelabel', content: '', mode: 0o600 });
  return { files, remove, hostKey: key?.fingerprint };
}

/** The directories in which `identityFiles` looks for names, except those of time zones. */
export const identityDirectories: readonly string[] = [
  ...['etc', 'etc/selinux', 'etc/ssh', 'var/lib/dbus'],
  ...['bin', 'sbin', 'lib/systemd'].flatMap((path) => [path, `usr/${path}`]),
];

/** Whether a source has this file, also below /usr, and a program of `sbin` also in `bin`, where Fedora has it. */
export function isIn(paths: ReadonlySet<string>, path: string): boolean {
  return [path, path.replace(/^sbin\//, 'bin/')].some((each) => paths.has(each) || paths.has(`usr/${each}`));
}

/** Refuses SSH keys for a source without an SSH server. */
export function refuseWithoutServer(paths: ReadonlySet<string>): void {
  if (['sbin/sshd', 'sbin/dropbear'].some((path) => isIn(paths, path))) return;
  throw new RefusedError(`the source has no SSH server (usr/sbin/sshd), so the keys would have no effect`, {
    remedy: `install openssh-server in the source, or leave out ${option('--ssh-key', 'sshKeys')}`,
  });
}

function hostsText(hostname: string): string {
  const names = hostname.includes('.') ? `${hostname} ${hostname.split('.')[0] ?? ''}` : hostname;
  return `127.0.0.1 localhost\n127.0.1.1 ${names}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n`;
}

/** An ed25519 key in the format of OpenSSH (PROTOCOL.key), which OpenSSH 9.2 needs for ed25519. */
function newHostKey(comment: string): {
  readonly secret: string;
  readonly public: string;
  readonly fingerprint: string;
} {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const [open, secret] = [jwk.x, jwk.d].map((part) => Buffer.from(part ?? '', 'base64url'));
  if (open?.length !== 32 || secret?.length !== 32) throw new TypeError('a key of ed25519 has 32 bytes');
  const type = 'ssh-ed25519';
  const blob = Buffer.concat([sshString(type), sshString(open)]);
  const check = randomBytes(4);
  const inner = Buffer.concat([
    ...[check, check, blob, sshString(Buffer.concat([secret, open])), sshString(comment)],
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (inner.length % 8)) % 8 }, (_, at) => at + 1));
  const whole = Buffer.concat([
    ...[Buffer.from('openssh-key-v1\0'), sshString('none'), sshString('none'), sshString('')],
    ...[Buffer.from([0, 0, 0, 1]), sshString(blob), sshString(Buffer.concat([inner, padding]))],
  ]);
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  const frame = (word: string): string => `-----${word} OPENSSH PRIVATE KEY-----`;
  return {
    secret: `${[frame('BEGIN'), ...lines, frame('END')].join('\n')}\n`,
    public: `${type} ${blob.toString('base64')} ${comment}\n`,
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
  };
}

function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A NoCloud seed: without one, cloud-init asks the network for its settings, or uses those of the image. */
function seed(hostname: string): readonly UnpackedFile[] {
  const at = 'var/lib/cloud/seed/nocloud';
  return [
    {
      path: `${at}/meta-data`,
      content: `instance-id: ${hostname}\nlocal-hostname: ${hostname}\n`,
      mode: 0o644,
    },
    {
      path: `${at}/user-data`,
      content:
        '#cloud-config\n# The keys are in place already.\nssh_deletekeys: false\ndisable_root: false\n',
      mode: 0o600,
    },
  ];
}

/** Each way to configure a network, with the program that reads it. The first one that the source has is used. */
const ways: readonly {
  readonly program: string;
  readonly files: (network: GuestNetwork) => readonly UnpackedFile[];
}[] = [
  {
    program: 'bin/cloud-init',
    files: (network) => [
      { path: 'var/lib/cloud/seed/nocloud/network-config', content: netplanText(network, ''), mode: 0o600 },
    ],
  },
  {
    program: 'sbin/netplan',
    files: (network) => [
      {
        path: 'etc/netplan/50-bofh.yaml',
        content: `network:\n${netplanText(network, '  ')}`,
        mode: 0o600,
      },
    ],
  },
  {
    program: 'sbin/NetworkManager',
    files: (network) => [
      {
        path: 'etc/NetworkManager/system-connections/bofh.nmconnection',
        content: keyfileText(network),
        mode: 0o600,
      },
    ],
  },
  {
    program: 'sbin/ifup',
    files: (network) => [{ path: 'etc/network/interfaces', content: interfacesText(network), mode: 0o644 }],
  },
  {
    program: 'lib/systemd/systemd-networkd',
    files: (network) => [
      { path: 'etc/systemd/network/10-bofh.network', content: networkdText(network), mode: 0o644 },
      {
        path: 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service',
        link: '/lib/systemd/system/systemd-networkd.service',
      },
    ],
  },
];

function networkFiles(network: GuestNetwork, has: (path: string) => boolean): readonly UnpackedFile[] {
  const way = ways.find(({ program }) => has(program));
  if (way !== undefined) return way.files(network);
  throw new RefusedError(
    'the source has none of cloud-init, netplan, NetworkManager, ifupdown and systemd-networkd, so its network would not be configured',
    { remedy: `install one of them in the source, or leave out ${option('--ip', 'ip')}` },
  );
}

/** The addresses of one family, 4 or 6. */
const ofFamily = (family: 4 | 6, all: readonly string[]): readonly string[] =>
  all.filter((each) => isIP(each.split('/')[0] ?? '') === family);

function netplanText({ mac, ip, gateway, dns }: GuestNetwork, indent: string): string {
  const routes = gateway.map(
    (via) => `\n        - {to: "${isIP(via) === 4 ? '0.0.0.0/0' : '::/0'}", via: "${via}"}`,
  );
  const list = (of: readonly string[]): string => of.map((each) => `"${each}"`).join(', ');
  const lines = [
    ...['version: 2', 'ethernets:', '  guest:', `    match: {macaddress: "${mac}"}`],
    ...(ip === 'dhcp' ? ['    dhcp4: true'] : [`    addresses: [${list(ip)}]`]),
    ...(routes.length === 0
      ? []
      : [`    routes:${routes.join('').replaceAll('\n        ', `\n${indent}      `)}`]),
    ...(dns.length === 0 ? [] : [`    nameservers: {addresses: [${list(dns)}]}`]),
  ];
  return lines.map((line) => `${indent}${line}\n`).join('');
}

function keyfileText({ mac, ip, gateway, dns }: GuestNetwork): string {
  const section = (family: 4 | 6): string => {
    const [address] = ip === 'dhcp' ? [] : ofFamily(family, ip);
    const [via] = ofFamily(family, gateway);
    const servers = ofFamily(family, dns);
    return [
      `[ipv${String(family)}]`,
      // Without an address, IPv4 is off, and IPv6 follows the router.
      `method=${address !== undefined ? 'manual' : ip === 'dhcp' || family === 6 ? 'auto' : 'disabled'}`,
      ...(address === undefined ? [] : [`address1=${address}${via === undefined ? '' : `,${via}`}`]),
      ...(servers.length === 0 ? [] : [`dns=${servers.join(';')};`]),
    ].join('\n');
  };
  return `[connection]\nid=bofh\ntype=ethernet\n\n[ethernet]\nmac-address=${mac}\n\n${section(4)}\n\n${section(6)}\n`;
}

/** The interface is eth0 in Debian 12 and enX0 in Debian 13. With allow-hotplug, a missing interface is not an error. */
function interfacesText({ ip, gateway, dns }: GuestNetwork): string {
  const stanza = (name: string, family: 4 | 6): readonly string[] => {
    const inet = `iface ${name} ${family === 4 ? 'inet' : 'inet6'}`;
    if (ip === 'dhcp') return family === 4 ? [`${inet} dhcp`] : [];
    const [address] = ofFamily(family, ip);
    if (address === undefined) return [];
    return [
      `${inet} static`,
      `    address ${address}`,
      ...ofFamily(family, gateway).map((via) => `    gateway ${via}`),
      ...(dns.length === 0 ? [] : [`    dns-nameservers ${dns.join(' ')}`]),
    ];
  };
  const own = ['eth0', 'enX0'].flatMap((name) => [
    ...['', `allow-hotplug ${name}`, ...stanza(name, 4), ...stanza(name, 6)],
  ]);
  return `${['source /etc/network/interfaces.d/*', '', 'auto lo', 'iface lo inet loopback', ...own].join('\n')}\n`;
}

function networkdText({ mac, ip, gateway, dns }: GuestNetwork): string {
  const lines = [
    ...['[Match]', `MACAddress=${mac}`, '', '[Network]'],
    ...(ip === 'dhcp' ? ['DHCP=yes'] : ip.map((each) => `Address=${each}`)),
    ...gateway.map((each) => `Gateway=${each}`),
    ...dns.map((each) => `DNS=${each}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The settings of the network, checked against each other. Throws UsageError. */
export function checkNetwork(asked: {
  readonly ip: string | readonly string[] | undefined;
  readonly gateway: readonly string[];
  readonly dns: readonly string[];
  readonly mac: string;
  readonly bridge: string | undefined;
}): GuestNetwork | undefined {
  const { gateway, dns, mac, bridge } = asked;
  const names = {
    ip: option('--ip', 'ip'),
    gateway: option('--gateway', 'gateway'),
    dns: option('--dns', 'dns'),
  };
  if (asked.ip === undefined) {
    const [without] = [gateway.length > 0 ? names.gateway : [], dns.length > 0 ? names.dns : []].flat();
    if (without === undefined) return undefined;
    throw new UsageError(`${without} needs ${names.ip}: else the network of the source stays as it is`);
  }
  if (bridge === undefined)
    throw new UsageError(
      `${names.ip} needs ${option('--bridge', 'bridge')}: without one the guest has no network interface`,
    );
  for (const [name, all] of [
    [names.gateway, gateway],
    [names.dns, dns],
  ] as const)
    for (const each of all)
      if (isIP(each) === 0) throw new UsageError(`${name} ${each}: must be an IP address, such as 192.0.2.1`);
  const ip = [asked.ip].flat();
  if (ip.join() === 'dhcp') {
    if (gateway.length > 0)
      throw new UsageError(
        `${names.gateway}: leave it out with ${names.ip} dhcp, because the DHCP server names the gateway`,
      );
    return { mac, ip: 'dhcp', gateway, dns };
  }
  for (const family of [4, 6] as const) {
    const [own, ...more] = ofFamily(family, ip);
    const [via, ...others] = ofFamily(family, gateway);
    if (more.length > 0 || others.length > 0)
      throw new UsageError(`${names.ip}, ${names.gateway}: one IPv4 and one IPv6 address at most`);
    if (via !== undefined && (own === undefined || own.split('/')[0] === via || !within(own, via, family)))
      throw new UsageError(
        `${names.gateway} ${via}: must be another address in the network of ${names.ip} ${ip.join(',')}`,
      );
  }
  for (const each of ip)
    if (!isOwnAddress(each))
      throw new UsageError(
        `${names.ip} ${each}: must be dhcp, or an address of a host with its prefix length, such as 192.0.2.10/24`,
      );
  return { mac, ip, gateway, dns };
}

function within(own: string, address: string, family: 4 | 6): boolean {
  const [net = '', prefix = ''] = own.split('/');
  if (!isPrefix(prefix, family)) return false;
  const block = new BlockList();
  block.addSubnet(net, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  // A link-local gateway is in every network of IPv6.
  return block.check(address, family === 4 ? 'ipv4' : 'ipv6') || (family === 6 && /^fe80:/i.test(address));
}

const isPrefix = (prefix: string, family: number): boolean =>
  /^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= (family === 4 ? 32 : 128);

/** Whether a host can have the address: it is neither the network address nor the broadcast address. */
function isOwnAddress(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || !isPrefix(prefix, family)) return false;
  if (family === 6 || Number(prefix) > 30) return true;
  const bits = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const hosts = 2 ** (32 - Number(prefix));
  return bits % hosts !== 0 && bits % hosts !== hosts - 1;
}

const hostLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** Throws UsageError for an invalid host name (RFC 1123, at most 64 bytes: hostname(7)). */
export function checkHostname(name: string): void {
  if (name.length <= 64 && name.split('.').every((label) => hostLabel.test(label))) return;
  throw new UsageError(
    `${option('--hostname', 'hostname')} ${name}: must be letters, digits, "-" and ".", 64 at most`,
  );
}
