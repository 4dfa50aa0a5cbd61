import { expect, it } from 'vitest';
import { typed } from '../plan/support.ts';
import { hostWithServer, reachable } from '../simulator/support.ts';

const line =
  'vm create web1 --source tar:/srv/debian.tar --vg vg0 --size 64m --bridge xenbr0 --ip 192.0.2.10/24 --gateway 192.0.2.1 --ssh-key /root/key.pub';

it('a guest that can be reached: the answer says how, and nothing shows its host key', async () => {
  const host = hostWithServer();
  host.admin.writeFile('/root/key.pub', `${reachable.sshKeys?.[0] ?? ''}\n`);
  const words = line.split(' ');
  const planned = await typed(host, ['--dry-run', ...words]);
  const plannedJson = await typed(host, ['--dry-run', '--json', ...words]);
  const made = await typed(host, words);

  expect(made.stdout).toMatch(
    /^log in with: ssh root@192\.0\.2\.10\nits SSH host key is SHA256:\S{43} \(ED25519\)$/m,
  );
  expect(planned.stdout).toContain('etc/ssh/.bofh-');
  for (const { stdout, stderr } of [planned, plannedJson, made])
    expect(stdout + stderr).not.toMatch(/PRIVATE KEY|b3BlbnNzaC1rZXk/);
});
