import { runInThisContext } from 'node:vm';
import * as fc from 'fast-check';
import { defineHost, type Facts, type HostDescription } from '../../../src/index.ts';
import { collect } from '../../../src/provision/collect.ts';

/** One random description, and what interrupts it. */
export interface Trial {
  /** The calls of `h`, a line each. */
  readonly lines: readonly string[];
  /** It also removes what the ones before it created. */
  readonly prune: boolean;
  readonly fault:
    | { readonly kind: 'none'; readonly undo: boolean }
    | { readonly kind: 'fail'; readonly at: number }
    | { readonly kind: 'kill'; readonly afterLines: number };
}

const one = fc.constantFrom;
const paths = [
  '/srv/r',
  '/srv/r/a',
  '/srv/r/b',
  '/srv/r/a/one',
  '/srv/r/a/two',
  '/srv/r/b/one',
  '/srv/r/new',
];
const files = [
  ...paths.slice(3),
  '/etc/r/main.conf',
  '/etc/r/acl',
  '/etc/r/capable',
  '/etc/r/twice',
  '/etc/r/new',
];
const units = ['r-daemon', 'r-daemon', 'r-daemon', 'r-dies', 'r-timer.timer', 'r-socket.socket'];
const packages = ['lamp', 'lamp', 'lamp', 'lamp-lib', 'lamp-extra', 'dark', 'broken'];
const users = ['r-old', 'r-new', 'r-system'];
const groups = ['r-team', 'r-fresh'];

/** The keys that are not `undefined`, as an object of TypeScript. */
const object = (of: Readonly<Record<string, string | undefined>>): string =>
  `{ ${Object.entries(of)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${value}`]))
    .join(', ')} }`;
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const quoted = (...of: readonly string[]): fc.Arbitrary<string> => one(...of.map((text) => `'${text}'`));
const record = (of: Readonly<Record<string, fc.Arbitrary<string | undefined>>>): fc.Arbitrary<string> =>
  fc.record(of).map(object);
const call = (name: string, ...args: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...args).map((all) => `h.${name}(${all.join(', ')});`);

const owned = {
  owner: maybe(quoted('root', 'r-old', 'www-data')),
  group: maybe(quoted('root', 'r-team')),
  mode: maybe(one('0o600', '0o644', '0o755', '0o2770')),
  xattrs: maybe(
    one(
      `{ 'user.note': 'new', 'trusted.bytes': new Uint8Array([0, 255]) }`,
      `{ 'user.note': null, 'user.empty': '' }`,
      `{ 'user.note': 'mine', 'trusted.bytes': null }`,
    ),
  ),
  acl: maybe(one('[]', `['user:daemon:rx']`, `['u:33:rwx', 'mask::rwx']`, `['group:r-team:r', 'u:7:0']`)),
};
const defaultAcl = maybe(one('[]', `['group:r-team:rwx']`, `['u:33:rx', 'other::0']`));
const truth = maybe(one('true', 'false'));
const absent = maybe(one('true'));

const file = call(
  'file',
  quoted(...files),
  record({ content: quoted('', 'one\\n', 'two\\n', 'no newline'), ...owned }),
);
const directory = call(
  'directory',
  quoted(...paths.slice(0, 3), '/etc/r/new', '/srv/r/new'),
  record({ ...owned, defaultAcl }),
);
const link = call(
  'link',
  quoted('/srv/r/link', '/etc/r/link', '/srv/r/a/two'),
  record({ to: quoted('a', '/srv/r/b', 'lost') }),
);
const lines = call(
  'lines',
  quoted('/etc/r/lines', '/etc/r/main.conf'),
  record({ present: maybe(one(`['new line']`, `['first', 'last']`)), absent: maybe(one(`['first']`)) }),
);
const edit = fc.oneof(
  call(
    'edit',
    one(`'/etc/r/app.yaml'`),
    record({
      yaml: one('{ server: { port: 1 } }', `{ list: ['a'], other: 'yes' }`),
      absent: maybe(one(`[['server', 'debug']]`)),
    }),
  ),
  call('edit', one(`'/etc/r/app.json'`), record({ json: one('{ a: { b: 1 } }', '{ c: null }') })),
  call('edit', one(`'/etc/r/app.toml'`), record({ toml: one('{ database: { pool: 20 } }', '{ first: 1 }') })),
  call(
    'edit',
    one(`'/etc/r/app.ini'`),
    record({ ini: one('{ web: { port: 80 } }', '{ root: 1, web: { flag: null } }') }),
  ),
);
const script = fc
  .constantFrom('a', 'b')
  .map(
    (name) =>
      `h.script('${name}', { isDone: 'test -e /srv/script-${name}', run: 'echo made >/srv/script-${name}', undo: 'rm -f /srv/script-${name}' });`,
  );
const cron = call(
  'cron',
  quoted('r-rotate', 'r-clean'),
  record({
    schedule: quoted('30 4 * * *', '@daily'),
    user: quoted('root', 'r-old'),
    command: quoted('true', 'date +%F'),
  }),
);
const parameter = fc.oneof(
  call('sysctl', one(`'net.ipv4.ip_forward'`), one('0', '1')),
  call('sysctl', one(`'net.ipv4.conf.lo.rp_filter'`), one('0', '1', '2')),
);
const group = call('group', quoted(...groups), record({ system: truth, absent }));
const user = call(
  'user',
  quoted(...users),
  fc.oneof(
    one('{ absent: true }'),
    record({
      system: truth,
      groups: maybe(one(`['r-team']`, `['r-team', 'r-fresh']`)),
      shell: maybe(quoted('/bin/sh', '/usr/sbin/nologin')),
      comment: maybe(quoted('Someone', '')),
      password: maybe(quoted('locked')),
      authorizedKeys: maybe(one('[]', `['${sshKey('A')}']`, `['${sshKey('B')} desk']`)),
    }),
  ),
);
const package_ = call(
  'package',
  quoted(...packages),
  fc.oneof(
    one('{}', `{ version: '1.0' }`, `{ version: 'latest' }`, '{ absent: true }', `{ hold: true }`),
    one(`{ hold: false }`),
  ),
);
const service = call(
  'service',
  quoted(...units),
  record({
    enabled: truth,
    running: truth,
    seconds: one('1'),
    restartOn: maybe(one(`['/etc/r']`, `['/srv/r/a/one']`)),
  }),
);
const unit = call(
  'file',
  quoted('/etc/systemd/system/r-daemon.service.d/r.conf', '/etc/systemd/system/r-daemon.service'),
  record({
    content: quoted(
      '[Service]\\nNice=1\\n',
      '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n',
    ),
  }),
);
const absentPath = call('absent', quoted(...files, '/srv/r/link', '/etc/r/lines', '/etc/cron.d/r-rotate'));

const drawn = fc.record({
  lines: fc.array(
    fc.oneof(
      file,
      file,
      directory,
      link,
      lines,
      edit,
      edit,
      script,
      cron,
      parameter,
      group,
      user,
      user,
      package_,
      service,
      service,
      unit,
      absentPath,
    ),
    { minLength: 1, maxLength: 12 },
  ),
  place: fc.nat({ max: 1_000 }),
  fault: one('none', 'fail', 'kill', 'kill', 'kill'),
  undo: fc.boolean(),
  prune: fc.boolean(),
});

/** A trial of a seed, with a description that does not contradict itself. */
export async function draw(seed: number): Promise<Trial> {
  for (const { lines, place, fault, undo, prune } of fc.sample(drawn, { seed, numRuns: 100 })) {
    const describe = runInThisContext(`(h) => {${lines.join('\n')}}`) as HostDescription['describe'];
    const isRight = await collect(defineHost(describe), facts).then(
      () => true,
      () => false,
    );
    if (!isRight) continue;
    if (fault === 'none') return { lines, prune, fault: { kind: 'none', undo } };
    if (fault === 'fail') return { lines, prune, fault: { kind: 'fail', at: place % (lines.length + 1) } };
    return { lines, prune, fault: { kind: 'kill', afterLines: 1 + (place % (3 * lines.length + 3)) } };
  }
  throw new Error(`seed ${String(seed)}: every description contradicts itself`);
}

const facts: Facts = { hostname: 'h', os: null, kernel: '', memory: 0, xen: 'none', addresses: null };

/** A public key of no one. */
function sshKey(letter: string): string {
  return `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${letter.repeat(43)}`;
}
