import { expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { defineHost, provision, type HostBuilder, type ScriptRequest } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const apply = (host: SimulatedHost, describe: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(describe)));

const index: ScriptRequest = { isDone: 'test -e /srv/index', run: 'make-index', undo: ['rm', '/srv/index'] };

it('runs scripts in the order of the description, and none of them a second time', async () => {
  const host = simulatedHost();
  const describe = (h: HostBuilder): void => {
    h.file('/etc/a', { content: '' });
    h.script('index', index);
    h.script('mail', { isDone: ['test', '-e', '/x'], run: 'send', undo: 'none' });
    h.file('/etc/b', { content: '' });
  };
  expect(
    (await apply(host, describe)).map(({ action, kind, name, details }) => [action, kind, name, ...details]),
  ).toEqual([
    ['create', 'file', '/etc/a'],
    ['change', 'script', 'index'],
    ['change', 'script', 'mail', 'after all other steps; cannot be undone'],
    ['create', 'file', '/etc/b'],
  ]);
  const count = host.changes.length;
  expect(await apply(host, describe)).toEqual([]);
  expect(host.changes).toHaveLength(count);
});

it('is undone with the rest', async () => {
  const host = simulatedHost();
  const before = host.snapshot();
  await rejectionOf(
    apply(host, (h) => {
      h.script('index', index);
      h.ensure.mount.mount({ device: '/dev/none', path: '/mnt', mode: 'rw' });
    }),
  );
  expect(host.points.some(({ tool }) => tool === 'sh')).toBe(true);
  expect(host.snapshot()).toBe(before);
});

it.each<readonly [string, unknown, string]>([
  ['no undo', { isDone: 'a', run: 'b' }, 'undo'],
  ['no probe', { run: 'b', undo: 'c' }, 'isDone'],
  ['an empty command', { ...index, run: ' ' }, 'run'],
  ['no program', { ...index, run: [] }, 'run'],
  ['a time of nothing', { ...index, seconds: 0 }, 'seconds'],
])('refuses %s before anything runs', async (_, request, key) => {
  const host = simulatedHost();
  const error = await rejectionOf(apply(host, (h) => h.script('index', request as ScriptRequest)));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(key);
  expect(host.changes).toEqual([]);
});

it('refuses two scripts of one name, and an invalid name', async () => {
  const host = simulatedHost();
  const twice = (h: HostBuilder): void => {
    h.script('index', index);
    h.script('index', { ...index, run: 'other' });
  };
  await expect(apply(host, twice)).rejects.toThrow('the description contradicts itself: script index at ');
  await expect(apply(host, (h) => h.script('a b', index))).rejects.toThrow('must be letters, digits');
});
