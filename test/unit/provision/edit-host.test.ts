import { expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { type RefusedError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, provision, type HostBuilder, Secret } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const apply = (host: SimulatedHost, describe: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(describe)));

function before(): SimulatedHost {
  const host = simulatedHost();
  host.admin.writeFile('/etc/app.yaml', '# app\nserver:\n  port: 80 # web\n  debug: true\n', 0o640);
  return host;
}

it('edits files, creates a missing one, and has nothing to do the second time', async () => {
  const host = before();
  const describe = (h: HostBuilder): void => {
    h.edit('/etc/app.yaml', { yaml: { server: { port: 8080 } }, absent: [['server', 'debug']] });
    h.edit('/etc/app.yaml', { yaml: { log: 'journal', server: { port: 8080 } } });
    h.edit('/etc/docker.json', { json: { 'log-driver': 'journald' } });
  };
  const changes = await apply(host, describe);
  expect(changes.map(({ action, kind, name, details }) => [action, kind, name, ...details])).toEqual([
    ['change', 'file', '/etc/app.yaml', 'sets server.port', 'removes server.debug'],
    ['change', 'file', '/etc/app.yaml', 'sets log'],
    ['create', 'file', '/etc/docker.json', 'sets log-driver'],
  ]);
  expect(host.admin.readFile('/etc/app.yaml')).toBe('# app\nserver:\n  port: 8080 # web\nlog: journal\n');
  expect(host.admin.readFile('/etc/docker.json')).toBe('{\n  "log-driver": "journald"\n}\n');
  expect((await host.stat('/etc/app.yaml'))?.mode).toBe(0o640);
  const [after, count] = [host.snapshot(), host.changes.length];
  expect(await apply(host, describe)).toEqual([]);
  expect([host.snapshot(), host.changes.length]).toEqual([after, count]);
});

it('is undone when a later step fails', async () => {
  const host = before();
  const start = host.snapshot();
  await rejectionOf(
    apply(host, (h) => {
      h.edit('/etc/app.yaml', { yaml: { server: { port: 8080 } } });
      h.edit('/etc/new.toml', { toml: { a: 1 } });
      h.ensure.mount.mount({ device: '/dev/none', path: '/mnt', mode: 'rw' });
    }),
  );
  expect(host.changes.length).toBeGreaterThan(0);
  expect(host.snapshot()).toBe(start);
});

it('keeps a secret out of the plan', async () => {
  const host = before();
  const changes = await apply(host, (h) => {
    h.edit('/etc/app.yaml', { yaml: { server: { password: new Secret('Geheim-7f') } } });
    h.edit('/etc/new.ini', { ini: { db: { password: new Secret('Geheim-7f') } } });
  });
  expect(JSON.stringify(changes)).not.toContain('Geheim');
  expect(changes.every(({ content }) => content === undefined)).toBe(true);
  expect(host.admin.readFile('/etc/app.yaml')).toContain('  password: Geheim-7f\n');
  expect((await host.stat('/etc/new.ini'))?.mode).toBe(0o600);
});

it('names the line of the description when a file cannot be parsed, before the first step', async () => {
  const host = before();
  host.admin.writeFile('/etc/bad.json', '{\n');
  const error = await rejectionOf(
    apply(host, (h) => {
      h.file('/etc/new', { content: '' });
      h.edit('/etc/bad.json', { json: { a: 1 } });
    }),
  );
  expect(String(error)).toMatch(
    /edit-host\.test\.ts:\d+: \/etc\/bad\.json:2 is not JSON: close brace expected/,
  );
  expect(host.changes).toEqual([]);
});

it.each<readonly [string, (h: HostBuilder) => unknown]>([
  ['lines', (h) => h.lines('/etc/link', { present: ['x'] })],
  ['an edit', (h) => h.edit('/etc/link', { json: { a: 1 } })],
])('names the target of a symbolic link for %s', async (_, describe) => {
  const host = before();
  host.admin.writeFile('/etc/target', '{}\n');
  host.admin.symlink('/etc/link', 'target');
  const error = await rejectionOf(apply(host, describe));
  expect((error as RefusedError).remedy).toBe('describe the file that it points to: readlink -f /etc/link');
});

it('refuses anything but a file, and other bytes than UTF-8', async () => {
  const host = before();
  host.admin.mkdir('/etc/d');
  await expect(apply(host, (h) => h.edit('/etc/d', { yaml: { a: 1 } }))).rejects.toThrow(
    '/etc/d is a directory',
  );
  host.admin.writeFile('/etc/latin1', Buffer.from([0xe4, 10]));
  await expect(apply(host, (h) => h.edit('/etc/latin1', { ini: { a: 1 } }))).rejects.toThrow('is not UTF-8');
});

it.each<readonly [string, (h: HostBuilder) => unknown, string]>([
  ['no syntax', (h) => h.edit('/etc/x', { absent: [['a']] }), 'name one syntax: yaml, json, toml or ini'],
  ['two syntaxes', (h) => h.edit('/etc/x', { yaml: {}, json: {} }), 'name one syntax'],
  ['a list', (h) => h.edit('/etc/x', { yaml: [] as never }), 'yaml must be an object'],
  ['a function', (h) => h.edit('/etc/x', { yaml: { a: (() => 1) as never } }), 'yaml.a is Function'],
  ['null in TOML', (h) => h.edit('/etc/x', { toml: { a: [{ b: null }] } }), 'a: TOML has no null'],
  ['a deep INI', (h) => h.edit('/etc/x', { ini: { a: { b: { c: 1 } } } }), 'a.b.c: an INI file has sections'],
  ['lines in an INI', (h) => h.edit('/etc/x', { ini: { a: 'b\nc' } }), 'a: an INI file has sections'],
  ['one value twice', (h) => h.edit('/etc/x', { yaml: { a: 1 }, absent: [['a']] }), 'a is described twice'],
  [
    'another value elsewhere',
    (h) => {
      h.edit('/etc/x', { yaml: { a: { b: 1 } } });
      h.edit('/etc/x', { yaml: { a: { b: 2 } } });
    },
    'the description contradicts itself: edit /etc/x at ',
  ],
  [
    'another syntax elsewhere',
    (h) => {
      h.edit('/etc/x', { yaml: { a: 1 } });
      h.edit('/etc/x', { json: { b: 1 } });
    },
    'the description contradicts itself: edit /etc/x at ',
  ],
])('refuses %s', async (_, describe, message) => {
  const host = before();
  const error = await rejectionOf(apply(host, describe));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

it('keeps no old file for bofh undo if a secret was replaced in it', async () => {
  const host = before();
  const kept = () =>
    host.changes.filter(
      (each) => each.what === 'command' && each.command.argv.some((word) => /\.kept\//.test(word)),
    );
  const set = (password: string | Secret) =>
    apply(host, (h) => h.edit('/etc/app.yaml', { yaml: { server: { password } } }));
  await set('public');
  expect(kept()).toHaveLength(1);

  await set(new Secret('Geheim-7f'));
  await set(new Secret('Geheim-8f'));
  expect(kept()).toHaveLength(1);
});
