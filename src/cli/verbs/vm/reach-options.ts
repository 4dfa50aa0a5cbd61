import { commaList, value } from '../../runtime/verb.ts';

/** An option with a list of words. */
const list = (placeholder: string, help: string) => value(placeholder, help, { read: commaList });

/** The options for the access to a new guest; `keys` and `network` describe the defaults. */
export function reachOptions({ keys, network }: { readonly keys: string; readonly network: string }) {
  return {
    hostname: value('<NAME>', 'host name inside the new guest (default: its name)'),
    sshKey: list('<FILE>', `file with public SSH keys, whose owners may log in as root (default: ${keys})`),
    ip: list('<ADDRESS/PREFIX|dhcp>', `IP address of the new guest (default: ${network})`),
    gateway: list('<ADDRESS>', 'gateway of the new guest (default: guestGateway of the site file)'),
    dns: list('<ADDRESS>', 'name servers of the new guest (default: guestDns of the site file)'),
  };
}
