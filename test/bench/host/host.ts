import { defineHost } from 'bofh';

const keys = {
  alice: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9IKNenA7C5AkYQQbDkb3aCfufpNDKgUCFlvgiju+oR alice',
  bob: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIbT/YzVx8W+JGb1D4GrLPECcN7NM6q1I5UTyGnjwyrr bob',
  carol: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk3RfdH/B3AoaT74OPNrYMxSjhvdwsGNOCA72seGl8F carol',
};

export default defineHost((h) => {
  const data = { port: 8080, shops: ['one', 'two', 'three'] };
  h.package('shop-tools');
  h.package('shop-data');
  h.group('shop', { gid: 2001 });
  h.group('shopkeepers', { gid: 2002 });
  for (const [name, key] of Object.entries(keys))
    h.user(name, { groups: ['shop', 'shopkeepers'], shell: '/bin/bash', authorizedKeys: [key] });
  h.directory('/etc/shop');
  h.directory('/etc/shop/conf.d');
  h.directory('/srv/shop');
  h.directory('/srv/shop/incoming', { group: 'shop', mode: 0o2770 });
  h.directory('/usr/local/lib/shop');
  h.directory('/var/lib/shop', { group: 'shop', mode: 0o750 });
  h.template('/etc/shop/shop.conf', { file: './shop.conf.template', data });
  h.template('/etc/shop/conf.d/hosts.conf', { file: './hosts.conf.template', data });
  h.template('/srv/shop/index.html', { file: './index.html.template', data });
  h.file('/etc/shop/port.conf', { content: 'port=8080\n' });
  h.file('/etc/shop/conf.d/cache.conf', { content: 'cache = 64\n', mode: 0o640, group: 'shop' });
  h.file('/etc/shop/conf.d/tls.conf', { content: 'tls = on\n' });
  h.file('/etc/logrotate.d/shop', { content: '/var/log/shop.log {\n  weekly\n  missingok\n}\n' });
  h.file('/etc/motd', { content: 'The shop.\n' });
  h.file('/usr/local/lib/shop/serve', { content: '#!/bin/sh\nexec sleep infinity\n', mode: 0o755 });
  h.file('/etc/systemd/system/shop.service', {
    content: `[Service]
ExecStartPre=/bin/grep -Eqx port=[0-9]+ /etc/shop/port.conf
ExecStart=/usr/local/lib/shop/serve
[Install]
WantedBy=multi-user.target
`,
  });
  h.link('/etc/shop/pages', { to: '/srv/shop' });
  // WATCH=0: the peers do not watch what they started.
  const seconds = Number(process.env['WATCH'] ?? 5);
  h.service('shop', { enabled: true, running: true, seconds });
  h.cron('shop', { schedule: '17 3 * * *', user: 'root', command: '/usr/local/lib/shop/serve --once' });
  h.lines('/etc/profile', { present: ['umask 027'] });
  h.lines('/etc/login.defs', { replace: { 'UMASK\t': 'UMASK\t\t027' } });
  h.edit('/etc/systemd/journald.conf', { ini: { Journal: { SystemMaxUse: '200M' } } });
  h.link('/usr/local/bin/shop', { to: '/usr/local/lib/shop/serve' });
});
