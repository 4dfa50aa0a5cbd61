import { expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { canLockOut } from '../../../src/provision/lockout.ts';
import { guardUnit } from '../../../src/service/guard.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';

test('the guard is a service that no logout ends, and in which no bofh is killed', () => {
  const { argv } = guardUnit('3f0c', ['/usr/bin/node', '/opt/bofh.cjs', '--state-dir', '/srv/bofh']);

  expect(argv.slice(-8)).toEqual(
    '-- /usr/bin/node /opt/bofh.cjs --state-dir /srv/bofh recover --unconfirmed 3f0c'.split(' '),
  );
  expect(argv).toEqual(
    expect.arrayContaining([
      ...['--unit=bofh-confirm-3f0c', '--service-type=exec', '--property=Restart=on-failure'],
      ...['--property=KillMode=process', '--property=SendSIGKILL=no'],
    ]),
  );
});

test('without systemd nothing is changed', async () => {
  const host = simulatedHost();
  const before = host.snapshot();
  const asked = { path: '/etc/motd', content: 'x', mode: 0o644 };

  const changing = withBofh({ ...simulatedBofh({ host }), signals: {} }, () =>
    atomic('confirmed', (tx) => tx.file.create(asked), { confirm: 1000 }),
  );

  await expect(changing).rejects.toMatchObject({
    message: expect.stringContaining('systemd does not run here') as string,
    remedy: expect.stringContaining('no `confirm`') as string,
  });
  expect(host.snapshot()).toBe(before);
});

test.each([
  ['file', '/etc/ssh/sshd_config.d/10-own.conf', true],
  ['directory', '/etc/netplan', true],
  ['lines', '/etc/nsswitch.conf', true],
  ['file', '/root/.ssh/authorized_keys', true],
  ['file', '/home/ann/.ssh/known_hosts', false],
  ['service', 'ssh.socket', true],
  ['service', 'nginx.service', false],
  ['packages', 'htop openssh-server', true],
  ['packages', 'sudo-ldap', false],
  ['file', '/etc/nologin', true],
  ['lines', '/etc/passwd', true],
  ['file', '/etc/default/ssh', true],
  ['file', '/etc/default/grub', false],
  ['file', '/etc/wireguard/wg0.conf', true],
  ['file', '/etc/sshd', false],
  ['file', '/etc/systemd/system/nftables.service.d/own.conf', true],
  ['link', '/etc/systemd/system/sshd.service', true],
  ['file', '/etc/systemd/system/nginx.service.d/own.conf', false],
] as const)('a change of the %s %s can cut the connection: %s', (kind, name, can) => {
  expect(canLockOut({ action: 'change', kind, name, details: [] })).toBe(can);
});
