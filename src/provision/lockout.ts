import type { HostChange } from './steps.ts';

/**
 * Files that decide whether an administrator can still log in over the network. A directory ends in
 * `/`.
 */
const files = [
  ...['/etc/network/', '/etc/netplan/', '/etc/systemd/network/', '/etc/NetworkManager/'],
  ...['/etc/ssh/', '/etc/pam.d/', '/etc/security/', '/etc/sudoers', '/etc/sudoers.d/', '/etc/nsswitch.conf'],
  ...['/etc/nftables.conf', '/etc/nftables/', '/etc/iptables/', '/etc/ufw/', '/etc/firewalld/'],
  ...['/etc/hosts.allow', '/etc/hosts.deny', '/etc/systemd/system/ssh.service.d/'],
  ...['/etc/dhcp/', '/etc/dhcpcd.conf', '/etc/wpa_supplicant/', '/etc/wireguard/'],
  // SSHD_OPTS of /etc/default/ssh, for example, can keep sshd from starting.
  ...['ssh', 'networking', 'ufw', 'netfilter-persistent'].map((name) => `/etc/default/${name}`),
  ...['passwd', 'shadow', 'group', 'gshadow', 'nologin'].map((name) => `/etc/${name}`),
];

const units = [
  ...['ssh', 'sshd', 'networking', 'systemd-networkd', 'NetworkManager', 'systemd-resolved'],
  ...['nftables', 'netfilter-persistent', 'ufw', 'firewalld', 'wpa_supplicant'],
];

const packages = [
  ...['openssh-server', 'sudo', 'ifupdown', 'netplan.io', 'network-manager', 'isc-dhcp-client', 'dhcpcd'],
  ...['nftables', 'iptables', 'iptables-persistent', 'ufw', 'firewalld', 'libpam-modules', 'libpam-runtime'],
];

/** Whether a change can lock an administrator out: network, firewall, sshd, PAM, sudo, keys. */
export function canLockOut({ action, kind, name, details }: HostChange): boolean {
  if (kind === 'packages')
    return packages.some((each) => [name, ...details].some((text) => mentions(text, each)));
  if (kind === 'service')
    return units.some((each) => name === `${each}.service` || name === `${each}.socket`);
  // A change of the running kernel counts, also a rule for filtering or forwarding; a change of
  // only the file has an effect at the next boot.
  if (kind === 'sysctl') return name.startsWith('net.') && details.some((each) => each.startsWith('now '));
  if (kind === 'user')
    return (
      action === 'remove' ||
      (action === 'change' &&
        details.some((each) =>
          /^(?:removes the key|shell|home|sets the password|locks the password)/.test(each),
        ))
    );
  const { unit } =
    /^\/etc\/systemd\/system\/(?<unit>[^/]+)\.(?:service|socket)(?:\.d(?:\/|$)|$)/.exec(name)?.groups ?? {};
  if (unit !== undefined && units.includes(unit)) return true;
  if (/\/\.ssh(?:\/authorized_keys2?)?$/.test(name)) return true;
  return files.some((each) =>
    each.endsWith('/') ? `${name}/`.startsWith(each) || each.startsWith(`${name}/`) : name === each,
  );
}

/** Whether a text contains a name as a word: `sudo` is not part of `sudo-ldap`. */
function mentions(text: string, name: string): boolean {
  return text.split(/[\s,:=]+/).includes(name);
}
