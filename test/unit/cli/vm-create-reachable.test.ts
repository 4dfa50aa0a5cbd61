import { expect, it } from 'vitest';
import { typed } from '../plan/support.ts';
import { hostWithServer, reachable } from '../simulator/support.ts';

const line =
  'vm create web1 --source tar:/srv/debian.tar --vg vg0 --size 64m --bridge xenbr0 --ip 192.0.2.10/24 --ip 2001:db8::10/64 --gateway 192.0.2.1 --ssh-key /root/key.pub --ssh-key /root/second.pub';

const second = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 you';

it('the answer for a reachable guest says how to log in, and does not show its host key', async () => {
  const host = hostWithServer();
  host.admin.writeFile('/root/key.pub', `${reachable.sshKeys?.[0] ?? ''}\n`);
  host.admin.writeFile('/root/second.pub', `${second}\n`);
  const words = line.split(' ');
  const planned = await typed(host, ['--dry-run', ...words]);
  const plannedJson = await typed(host, ['--dry-run', '--json', ...words]);
  const made = await typed(host, words);

  expect(made.stdout).toMatch(
    /^log in with: ssh root@192\.0\.2\.10\nits SSH host key is SHA256:\S{43} \(ED25519\)$/m,
  );
  expect(planned.stdout).toContain('etc/ssh/.bofh-');
  // Both keys, both addresses.
  host.admin.mount('/dev/vg0/web1-root', '/mnt');
  expect(host.admin.readFile('/mnt/root/.ssh/authorized_keys')).toBe(
    `${reachable.sshKeys?.[0] ?? ''}\n${second}\n`,
  );
  expect(host.admin.readFile('/mnt/etc/systemd/network/10-bofh.network')).toContain(
    'Address=192.0.2.10/24\nAddress=2001:db8::10/64\n',
  );
  for (const { stdout, stderr } of [planned, plannedJson, made])
    expect(stdout + stderr).not.toMatch(/PRIVATE KEY|b3BlbnNzaC1rZXk/);
});
