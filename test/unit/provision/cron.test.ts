import { beforeEach, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { type CronRequest, defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

let host: SimulatedHost;
const job: CronRequest = { schedule: '30 4 * * mon-fri', user: 'root', command: 'date +%F >>/var/log/day' };
const apply = (describe: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(describe)));

beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir('/etc/cron.d');
});

it('writes a file for cron, once', async () => {
  expect((await apply((h) => h.cron('day', job))).map(({ kind, name }) => [kind, name])).toEqual([
    ['file', '/etc/cron.d/day'],
  ]);
  expect(Buffer.from(await host.readFile('/etc/cron.d/day')).toString()).toBe(
    '30 4 * * mon-fri root date +\\%F >>/var/log/day\n',
  );
  expect(await host.stat('/etc/cron.d/day')).toMatchObject({ mode: 0o644, uid: 0, gid: 0 });
  expect(await apply((h) => h.cron('day', job))).toEqual([]);
});

it('comes after its user, and is refused without one', async () => {
  const user = (h: HostBuilder): unknown => h.cron('day', { ...job, user: 'jobs' });
  const error = await rejectionOf(apply(user));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('there is no user jobs in /etc/passwd');
  expect(host.changes).toEqual([]);
  const changes = await apply((h) => {
    user(h);
    h.user('jobs', { system: true });
  });
  expect(changes.map(({ kind }) => kind)).toEqual(['user', 'file']);
});

it.each(['@daily', '@reboot', '* * * * *', '*/5 0-23/2 1,15 JAN-mar 0,7', '* * * * fri-7', '0 0 31 12 sun'])(
  'accepts the schedule %s',
  async (schedule) => {
    expect(await apply((h) => h.cron('day', { ...job, schedule }))).toHaveLength(1);
  },
);

it.each<readonly [string, string, unknown, string]>([
  ['a dot in its name', 'day.sh', job, 'cron ignores other files'],
  ...[
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '5/2 * * * *',
    '*/0 * * * *',
  ].map(
    (schedule) => [`the schedule ${schedule}`, 'day', { ...job, schedule }, 'must be five fields'] as const,
  ),
  ...['* * * * sat-sun', '* * * * fri-mon', '* * * dec-feb *', '* * * * 5-mon'].map(
    (schedule) => [`the schedule ${schedule}`, 'day', { ...job, schedule }, 'a range ascends'] as const,
  ),
  ...['9-5 * * * *', '1-2-3 * * * *', '@never', '* * * * *  ', ''].map(
    (schedule) => [`the schedule ${schedule}`, 'day', { ...job, schedule }, 'must be five fields'] as const,
  ),
  ['a command of two lines', 'day', { ...job, command: 'a\nb' }, 'must be one line'],
  ['an escaped %', 'day', { ...job, command: 'date +\\%F' }, 'must have % without a backslash'],
  // cron 3.0pl1-162 of Debian 12: "command too long" from 999 bytes on.
  ['a long command', 'day', { ...job, command: `${'é'.repeat(498)}%%` }, 'must have at most 998 bytes'],
  ['no user', 'day', { schedule: '@daily', command: 'a' }, 'user'],
])('refuses %s', async (_, name, request, message) => {
  const error = await rejectionOf(apply((h) => h.cron(name, request as CronRequest)));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});
