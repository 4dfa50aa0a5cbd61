/**
 * A hosting platform: bofh run hosting.ts customers.json
 *
 * Each active customer has a user, a directory, an application that runs as a service, a site of nginx and a database, in one
 * sequence: a customer whose application does not start leaves the host as it was. Events show what is being done.
 */
import { readFileSync } from 'node:fs';
import { defineHost, eventText, type HostDescription, provision } from 'bofh';

interface Customer {
  readonly name: string;
  readonly domain: string;
  readonly port: number;
  readonly active: boolean;
}

export function hosting(customers: readonly Customer[]): HostDescription {
  return defineHost((h) => {
    for (const name of ['nginx', 'mariadb-server']) h.package(name);
    const sites = customers
      .filter(({ active }) => active)
      .map(({ name, domain, port }) => {
        h.user(name, { system: true, comment: domain });
        h.directory(`/srv/customers`);
        h.directory(`/srv/customers/${name}`, { owner: name, group: name, mode: 0o750 });
        // The user logs in to its database by its name, without a password.
        h.script(`database-${name}`, {
          isDone: `mariadb -N -e "SHOW DATABASES LIKE '${name}'" | grep -q .`,
          run: `mariadb -e "CREATE DATABASE ${name}; CREATE USER ${name} IDENTIFIED VIA unix_socket; GRANT ALL ON ${name}.* TO ${name}"`,
          undo: `mariadb -e "DROP USER IF EXISTS ${name}; DROP DATABASE IF EXISTS ${name}"`,
        });
        const unit = h.template(`/etc/systemd/system/${name}.service`, {
          file: './hosting/app.service.liquid',
          data: { name, port },
        });
        h.service(name, { enabled: true, running: true, restartOn: [unit] });
        return h.template(`/etc/nginx/conf.d/${name}.conf`, {
          file: './hosting/site.conf.liquid',
          data: { domain, port },
        });
      });
    h.service('nginx', { enabled: true, running: true, reloadOn: sites });
  });
}

const [file = 'customers.json'] = process.argv.slice(2);
const customers = JSON.parse(readFileSync(file, 'utf8')) as readonly Customer[];
const changes = await provision.apply(hosting(customers), {
  onEvent: (event) => console.error(eventText(event)),
});
console.log(`${String(changes.length)} changes`);
