import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { bootDebian, dockerAt, type Machine } from '../support/containers/docker.ts';
import { type Release, releases } from '../support/containers/releases.ts';
import { wholeHost } from '../support/containers/whole-host.ts';
import { debianTar, withSystemd } from '../support/dom0/debian-root.ts';

const examples = join(import.meta.dirname, '..', '..', 'examples');
const files = [
  ...['web-host.ts', 'app-host.ts', 'hosting.ts', 'hosting/customers.json'],
  ...['hosting/app.service.liquid', 'hosting/site.conf.liquid'],
];
/** The packages themselves: the containers have no network. */
const download = `--customize-hook=mkdir --parents "$1/srv/archive/partial"; chroot "$1" apt-get --yes --no-install-recommends --download-only -o Dir::Cache::archives=/srv/archive install nginx mariadb-server openssl git python3-venv`;

/** What an application of a customer is here: a server that answers with its name and port. */
const app = `#!/usr/bin/node
require('node:http').createServer((_, response) => response.end(process.env.USER + ' ' + process.env.PORT)).listen(process.env.PORT, '127.0.0.1');
`;

/** Prints what a server answers. */
const get = `const [url, host] = process.argv.slice(2);
const { get } = require(url.startsWith('https:') ? 'node:https' : 'node:http');
get(url, { rejectUnauthorized: false, headers: host === undefined ? {} : { host } }, (answer) => answer.pipe(process.stdout));
`;

/** A version of the application of app-host.ts. */
const version = (text: string, first = ''): string => `import http.server, sys
${first}
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'${text}')
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Page).serve_forever()
`;

/** Its repository with three versions, of which the second does not start: a tar as text. */
function repository(): string {
  const at = mkdtempSync(join(tmpdir(), 'bofh-repository-'));
  try {
    const git = (...words: readonly string[]): void =>
      void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...words], {
        cwd: at,
      });
    git('init', '--quiet');
    writeFileSync(join(at, 'requirements.txt'), '');
    for (const [tag, text] of [
      ['v1.0', version('one')],
      ['v2.0', version('two', "sys.exit('no database')")],
      ['v3.0', version('three')],
    ] as const) {
      writeFileSync(join(at, 'shop.py'), text);
      git('add', '--all');
      git('commit', '--quiet', '--message', tag);
      git('tag', tag);
    }
    return execFileSync('tar', ['--create', '--gzip', '--directory', at, '.']).toString('base64');
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}

const containers = inject('containers');

const describing = 'skipped' in containers ? describe.skip : describe.concurrent;
describing.each(releases)('Debian $number', ({ suite }) => {
  describe('in a container', { concurrent: false }, () => examplesOn(suite));
});

/** The examples of docs/provisioning.md with the real nginx and MariaDB. */
function examplesOn(suite: Release['suite']): void {
  let machine: Machine;
  beforeAll(async () => {
    if ('skipped' in containers) return;
    const tar = await debianTar({ packages: withSystemd, suite, options: [download] });
    const docker = dockerAt(containers.host);
    const image = await docker.run('import', tar);
    machine = await bootDebian(docker, { image, volumes: containers.volumes, network: 'none' });
    await machine.must(
      `ln -s /usr/lib/bofh/dist/bofh.cjs /usr/local/bin/bofh; ip link set lo up; mkdir -p /root/hosting
       cd /srv/archive; dpkg-scanpackages . >Packages 2>/dev/null; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
       echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list; apt-get -qq update`,
    );
    for (const file of files) await machine.put(`/root/${file}`, readFileSync(join(examples, file), 'utf8'));
    await machine.put('/usr/local/bin/app', app);
    await machine.put('/root/get.cjs', get);
    await machine.must('chmod 755 /usr/local/bin/app');
    // On a new machine the root is made first, with packages of the network.
  }, 1_200_000);
  afterAll(() => machine.remove());

  const described = 'the host is as described\n';

  test('web-host.ts: a server that cannot start leaves nothing behind', async () => {
    const before = await wholeHost(machine);
    await machine.must("sed 's/root .srv.web;/nonsense;/' /root/web-host.ts >/root/wrong.ts");

    const { exitCode, text } = await machine.run('bofh --yes host apply /root/wrong.ts --confirm off');

    expect([exitCode, text]).toEqual([5, expect.stringMatching(/nginx/)]);
    // What the scripts of packages leave: docs/provisioning.md.
    const after = await wholeHost(machine);
    const left = after.filter((fact) => !before.includes(fact) && !fact.includes('network-online.target'));
    expect(left.filter((fact) => /^(?:package|unit active|unit failed) /.test(fact))).toEqual([]);
    expect(
      left.filter((fact) => !/^file \/etc\/(?:passwd|group|g?shadow) |mysql|nginx|\/var\/www/.test(fact)),
    ).toEqual([]);
  });

  test('web-host.ts serves a page over TLS, and the second time nothing differs', async () => {
    await machine.must('bofh --yes host apply /root/web-host.ts --confirm off');

    expect(await machine.must('node /root/get.cjs https://127.0.0.1/')).toMatch(/^<h1>.+<\/h1>\n$/);
    expect(await machine.must('mariadb -N -e "SELECT @@max_connections"')).toBe('200\n');
    expect(await machine.must('stat -c %a /etc/ssl/private/web.key')).toBe('600\n');
    expect(await machine.must('bofh host plan /root/web-host.ts')).toBe(described);
  });

  test('app-host.ts: if a version does not start, the one before stays and serves', async () => {
    await machine.put('/root/shop.base64', repository());
    await machine.must(
      'mkdir /srv/shop.git; base64 -d /root/shop.base64 | tar -xz -C /srv/shop.git --no-same-owner',
    );
    const apply = (tag: string) =>
      machine.run(
        `REPOSITORY=/srv/shop.git REVISION=${tag} bofh --yes host apply /root/app-host.ts --confirm off`,
      );
    const page = () => machine.must('node /root/get.cjs http://127.0.0.1:8080/');
    const releases = async () =>
      (await machine.must('ls /srv/shop/releases')).split('\n').map((name) => name.replace(/-[^-]*$/, ''));

    expect((await apply('v1.0')).text).toContain('release-srv-shop');
    expect(await page()).toBe('one');
    const before = await wholeHost(machine);
    const failed = await apply('v2.0');
    expect(failed).toMatchObject({ exitCode: 5 });
    expect(failed.text).toMatch(/shop\.service (?:did not stay up|does not run|ended)/);
    expect(await page()).toBe('one');
    const left = (await wholeHost(machine)).filter((fact) => !before.includes(fact));
    expect(left.filter((fact) => !fact.includes('__pycache__'))).toEqual([]);

    expect(await apply('v3.0')).toMatchObject({ exitCode: 0 });
    expect(await page()).toBe('three');
    expect(await releases()).toEqual(['v1.0', 'v3.0', '']);
    expect((await apply('v3.0')).text).toContain('the host is as described');
    // An older revision is not built again.
    expect(await apply('v1.0')).toMatchObject({ exitCode: 0 });
    expect(await page()).toBe('one');
  });

  test('hosting.ts creates all customers or none, and adds one later', async () => {
    const apply = 'cd /root; bofh run hosting.ts hosting/customers.json';
    const before = await wholeHost(machine);
    await machine.must('sed -i "s/8002/80/" /root/hosting/customers.json');
    const failed = await machine.run(apply);
    expect(failed).toMatchObject({ exitCode: 5 });
    expect(failed.text).toMatch(/beta\.service (?:ended|did not stay up|does not run)/);
    // The database rewrites its own files.
    const left = (await wholeHost(machine)).filter((fact) => !before.includes(fact));
    expect(left.filter((fact) => !fact.includes(' /var/lib/mysql/'))).toEqual([]);

    await machine.must('sed -i "s/\\"port\\": 80,/\\"port\\": 8002,/" /root/hosting/customers.json');
    expect(await machine.must(apply)).toContain('start -- alpha.service');
    const site = (name: string) => machine.must(`node /root/get.cjs http://127.0.0.1/ ${name}.example`);
    expect([await site('alpha'), await site('beta')]).toEqual(['alpha 8001', 'beta 8002']);
    expect(
      await machine.must(`setpriv --reuid alpha --regid alpha --clear-groups mariadb -N -e 'SHOW DATABASES'`),
    ).toContain('alpha');
    expect(await machine.must(apply)).toMatch(/^0 changes$/m);

    await machine.must('sed -i "s/false/true/" /root/hosting/customers.json');
    await machine.must(apply);
    expect(await site('gamma')).toBe('gamma 8003');
  });
}
