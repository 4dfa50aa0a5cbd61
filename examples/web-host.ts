/**
 * A web server with TLS, and a database with a volume of its own: bofh host apply web-host.ts
 *
 * DATABASE_VG=vg0 puts the database on a new volume of that group; without it, it is on the root filesystem.
 */
import { defineHost } from 'bofh';

export default defineHost((h, { hostname }) => {
  const vg = process.env.DATABASE_VG;
  if (vg !== undefined) {
    const [device, path] = [`/dev/${vg}/mysql`, '/var/lib/mysql'];
    h.directory(path);
    h.ensure.lvm.createLv({ vg, name: 'mysql', size: '2g' });
    h.ensure.filesystem.create({ device, type: 'ext4' });
    // Before the package, which puts its files there.
    h.ensure.mount.mount({ device, path, mode: 'rw' });
    h.ensure.mount.addFstab({ source: device, target: path, type: 'ext4' });
  }
  h.package('mariadb-server');
  h.edit('/etc/mysql/mariadb.conf.d/90-web.cnf', { ini: { mysqld: { 'max-connections': 200 } } });
  h.service('mariadb', {
    enabled: true,
    running: true,
    restartOn: ['/etc/mysql/mariadb.conf.d/90-web.cnf'],
  });

  h.package('nginx');
  h.package('openssl');
  const [key, certificate] = ['/etc/ssl/private/web.key', '/etc/ssl/certs/web.pem'];
  // Signed by itself, until one of your own takes its place.
  h.script('certificate', {
    isDone: `test -s ${certificate}`,
    run: `umask 077
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 -subj '/CN=${hostname}' -keyout ${key} -out ${certificate}
      chmod 644 ${certificate}`,
    undo: `rm -f ${key} ${certificate}`,
  });
  h.directory('/srv/web');
  h.file('/srv/web/index.html', { content: `<h1>${hostname}</h1>\n` });
  const site = h.file('/etc/nginx/conf.d/web.conf', {
    content: `server {
  listen 443 ssl;
  server_name ${hostname};
  ssl_certificate ${certificate};
  ssl_certificate_key ${key};
  root /srv/web;
}
`,
  });
  h.service('nginx', { enabled: true, running: true, reloadOn: [site] });
});
