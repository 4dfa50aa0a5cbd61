import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { publicKeys } from '../../../src/core/public-key.ts';
import {
  checkHostname,
  checkNetwork,
  type GuestNetwork,
  type Identity,
  identityFiles,
} from '../../../src/vm/identity.ts';

const mac = '00:16:3e:12:34:56';
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0NUNRi3yPPq0GJGZDr7F9Tz4sIxS4mCmkbWv0kSxXv me@desk';
const both: GuestNetwork = {
  mac,
  ip: ['192.0.2.10/24', '2001:db8::10/64'],
  gateway: ['192.0.2.1', 'fe80::1'],
  dns: ['192.0.2.53', '2001:db8::53'],
};
const dhcp: GuestNetwork = { mac, ip: 'dhcp', gateway: [], dns: [] };

const written = (of: Partial<Identity>, paths: readonly string[]) => {
  const asked = { hostname: 'web1', sshKeys: [], network: undefined, timezone: undefined, ...of };
  const { files, ...rest } = identityFiles(asked, new Set(paths));
  const text = new Map(
    files.map((file) => [
      file.path,
      'link' in file ? `-> ${file.link}` : 'content' in file ? file.content : '',
    ]),
  );
  const mode = (path: string) =>
    files.flatMap((file) => (file.path === path && 'mode' in file ? [file.mode] : []))[0];
  return { ...rest, text, mode };
};

describe('the root of a new guest', () => {
  it('gets a host name, and hosts if the source has none', () => {
    expect([...written({}, []).text]).toEqual([
      ['etc/hostname', 'web1\n'],
      ['etc/hosts', expect.stringContaining('\n127.0.1.1 web1\n')],
    ]);
    expect([...written({ hostname: 'web1.example.org' }, ['etc/hosts']).text.keys()]).toEqual([
      'etc/hostname',
    ]);
    expect(written({ hostname: 'web1.example.org' }, []).text.get('etc/hosts')).toContain(
      '127.0.1.1 web1.example.org web1\n',
    );
  });

  it('of a source with SELinux is labelled at the first boot, and has the keys of its sshd in bin', () => {
    const { text, hostKey } = written({}, ['etc/selinux/config', 'usr/bin/sshd']);
    expect(text.get('.autorelabel')).toBe('');
    expect(hostKey).toMatch(/^SHA256:/);
    expect(written({}, ['usr/sbin/sshd']).text.has('.autorelabel')).toBe(false);
  });

  it('has none of the IDs and keys of the source', () => {
    const { remove, text, mode } = written({}, [
      ...['etc/machine-id', 'var/lib/dbus/machine-id', 'etc/ssh/sshd_config', 'usr/sbin/sshd'],
      ...['etc/ssh/ssh_host_rsa_key', 'etc/ssh/ssh_host_rsa_key.pub', 'etc/ssh/ssh_host_keys/x'],
    ]);
    expect(remove).toEqual([
      'var/lib/dbus/machine-id',
      'etc/ssh/ssh_host_rsa_key',
      'etc/ssh/ssh_host_rsa_key.pub',
    ]);
    expect(text.get('etc/machine-id')).toBe('');
    expect(mode('etc/ssh/ssh_host_ed25519_key')).toBe(0o600);
    // Without the file it would be a first boot, on which systemd enables every unit.
    expect(written({}, ['usr/lib/systemd/systemd']).text.get('etc/machine-id')).toBe('');
  });

  it('has a host key that ssh-keygen reads, with the printed fingerprint, a new one each time', () => {
    const work = mkdtempSync(join(tmpdir(), 'bofh-identity-'));
    try {
      const seen = [1, 2].map((at) => {
        const { text, hostKey } = written({}, ['usr/sbin/sshd']);
        const path = join(work, String(at));
        writeFileSync(path, text.get('etc/ssh/ssh_host_ed25519_key') ?? '', { mode: 0o600 });
        const open = execFileSync('ssh-keygen', ['-y', '-f', path], { encoding: 'utf8' });
        expect(open).toBe(text.get('etc/ssh/ssh_host_ed25519_key.pub'));
        expect(execFileSync('ssh-keygen', ['-l', '-f', path], { encoding: 'utf8' })).toBe(
          `256 ${String(hostKey)} root@web1 (ED25519)\n`,
        );
        return hostKey;
      });
      expect(new Set(seen).size).toBe(2);
    } finally {
      rmSync(work, { recursive: true });
    }
    expect(written({}, ['etc/ssh/ssh_host_rsa_key']).hostKey).toBeUndefined();
  });

  it('accepts the keys for root, and has its time zone', () => {
    const zone = 'usr/share/zoneinfo/Europe/Vienna';
    const { text, mode } = written({ sshKeys: [key], timezone: 'Europe/Vienna' }, [zone]);
    expect([text.get('root/.ssh/authorized_keys'), mode('root/.ssh/authorized_keys')]).toEqual([
      `${key}\n`,
      0o600,
    ]);
    expect([text.get('etc/timezone'), text.get('etc/localtime')]).toEqual(['Europe/Vienna\n', `-> /${zone}`]);
    expect(() => written({ timezone: 'Europe/Wien' }, [zone])).toThrow(/no time zone Europe\/Wien/);
  });
});

describe('the network of a new guest', () => {
  it.each<readonly [string, readonly string[], GuestNetwork, Readonly<Record<string, string>>]>([
    [
      'netplan',
      ['usr/sbin/netplan', 'usr/sbin/NetworkManager', 'usr/lib/systemd/systemd-networkd'],
      both,
      {
        'etc/netplan/50-bofh.yaml': `network:
  version: 2
  ethernets:
    guest:
      match: {macaddress: "00:16:3e:12:34:56"}
      addresses: ["192.0.2.10/24", "2001:db8::10/64"]
      routes:
        - {to: "0.0.0.0/0", via: "192.0.2.1"}
        - {to: "::/0", via: "fe80::1"}
      nameservers: {addresses: ["192.0.2.53", "2001:db8::53"]}
`,
      },
    ],
    [
      'cloud-init',
      ['usr/bin/cloud-init', 'usr/sbin/netplan'],
      dhcp,
      {
        'var/lib/cloud/seed/nocloud/network-config': `version: 2
ethernets:
  guest:
    match: {macaddress: "00:16:3e:12:34:56"}
    dhcp4: true
`,
        'var/lib/cloud/seed/nocloud/meta-data': 'instance-id: web1\nlocal-hostname: web1\n',
        'var/lib/cloud/seed/nocloud/user-data': `#cloud-config
# The keys are in place already.
ssh_deletekeys: false
disable_root: false
`,
      },
    ],
    [
      'NetworkManager',
      ['usr/sbin/NetworkManager'],
      both,
      {
        'etc/NetworkManager/system-connections/bofh.nmconnection': `[connection]
id=bofh
type=ethernet

[ethernet]
mac-address=00:16:3e:12:34:56

[ipv4]
method=manual
address1=192.0.2.10/24,192.0.2.1
dns=192.0.2.53;

[ipv6]
method=manual
address1=2001:db8::10/64,fe80::1
dns=2001:db8::53;
`,
      },
    ],
    [
      'ifupdown',
      ['sbin/ifup', 'usr/lib/systemd/systemd-networkd'],
      { ...both, ip: ['192.0.2.10/24'], gateway: ['192.0.2.1'], dns: [] },
      {
        'etc/network/interfaces': `source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1

allow-hotplug enX0
iface enX0 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1
`,
      },
    ],
    [
      'systemd-networkd',
      ['usr/lib/systemd/systemd-networkd'],
      { ...both, ip: ['192.0.2.10/24'], gateway: ['192.0.2.1'], dns: ['192.0.2.53'] },
      {
        'etc/systemd/network/10-bofh.network': `[Match]
MACAddress=00:16:3e:12:34:56

[Network]
Address=192.0.2.10/24
Gateway=192.0.2.1
DNS=192.0.2.53
`,
        'etc/systemd/system/multi-user.target.wants/systemd-networkd.service':
          '-> /lib/systemd/system/systemd-networkd.service',
        'etc/resolv.conf': 'nameserver 192.0.2.53\n',
      },
    ],
  ])('is written for %s', (_, paths, network, expected) => {
    const { text } = written({ network }, ['etc/hosts', ...paths]);
    expect(Object.fromEntries(text)).toEqual({ 'etc/hostname': 'web1\n', ...expected });
  });

  it('is refused when no program in the source would read it', () => {
    expect(() => written({ network: dhcp }, ['bin/busybox'])).toThrow(RefusedError);
  });

  const asked = { ip: undefined, gateway: [], dns: [], mac, bridge: 'br0' };
  it.each([
    ['needs a bridge', { ip: '192.0.2.10/24', bridge: undefined }, /needs/],
    ['gateway without an address', { gateway: ['192.0.2.1'] }, /needs/],
    ['no prefix', { ip: '192.0.2.10' }, /must be dhcp, or an address/],
    ['a prefix that is too long', { ip: '192.0.2.10/33' }, /must be dhcp/],
    ['the network itself', { ip: '192.0.2.0/24' }, /must be dhcp/],
    ['its broadcast address', { ip: '192.0.2.255/24' }, /must be dhcp/],
    ['two of one family', { ip: ['192.0.2.10/24', '192.0.2.11/24'] }, /at most/],
    [
      'a gateway in another network',
      { ip: '192.0.2.10/24', gateway: ['198.51.100.1'] },
      /must be another address in the network/,
    ],
    ['itself as the gateway', { ip: '192.0.2.10/24', gateway: ['192.0.2.10'] }, /must be another address/],
    [
      'a gateway of another family',
      { ip: '192.0.2.10/24', gateway: ['2001:db8::1'] },
      /must be another address in the network/,
    ],
    ['a gateway that is no address', { ip: '192.0.2.10/24', gateway: ['router'] }, /must be an IP address/],
    ['a gateway with dhcp', { ip: 'dhcp', gateway: ['192.0.2.1'] }, /the DHCP server names the gateway/],
    ['a line break', { ip: '192.0.2.10/24\n', gateway: [] }, /must be dhcp/],
    ['a name server that is none', { ip: 'dhcp', dns: ['dns.example.org'] }, /must be an IP address/],
  ])('is refused: %s', (_, more, message) => {
    const refused = () => checkNetwork({ ...asked, ...more });
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(message);
  });

  it('accepts a complete combination', () => {
    expect(checkNetwork(asked)).toBeUndefined();
    expect(checkNetwork({ ...asked, ip: both.ip, gateway: both.gateway, dns: both.dns })).toEqual(both);
    expect(checkNetwork({ ...asked, ip: '192.0.2.0/31', gateway: ['192.0.2.1'] })?.ip).toEqual([
      '192.0.2.0/31',
    ]);
    expect(checkNetwork({ ...asked, ip: 'dhcp' })).toEqual(dhcp);
  });
});

describe('typed names and keys', () => {
  it.each(['web1', 'web1.example.org', 'a', 'A-1'])('host name %s', (name) => {
    expect(() => {
      checkHostname(name);
    }).not.toThrow();
  });
  it.each(['', '-a', 'a_b', 'a..b', 'a b', 'ä', 'a\n', 'x'.repeat(64), `${'a.'.repeat(32)}a`])(
    '%j is no host name',
    (name) => {
      expect(() => {
        checkHostname(name);
      }).toThrow(UsageError);
    },
  );

  it('keys are lines of OpenSSH, with options or without', () => {
    const restricted = `from="192.0.2.0/24",no-pty ${key}`;
    expect(publicKeys(`# mine\n${key}\r\n\n${restricted}\n`, '/k')).toEqual([key, restricted]);
  });
  it.each([
    [
      'a private key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n',
      /is a private key: name the public one, \/k\.pub/,
    ],
    ['nothing', '# none\n', /has no public key/],
    ['a key that was cut off', 'ssh-ed25519 AAAAC3Nz', /line 1: is not a public key/],
    ['another type than it says', key.replace('ssh-ed25519', 'ssh-rsa'), /line 1: is not a public key/],
    ['words', `${key}\nsecret words\n`, /line 2: is not a public key/],
  ])('refuses %s as a key, without quoting it', (_, text, message) => {
    const refused = () => publicKeys(text, '/k');
    expect(refused).toThrow(message);
    expect(refused).not.toThrow(/c2VjcmV0|secret/);
  });
});
