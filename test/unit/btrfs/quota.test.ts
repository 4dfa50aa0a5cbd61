import { beforeEach, describe, expect, test } from 'vitest';
import { subvolume } from '../../../src/btrfs/index.ts';
import { qgroupLimit, quotaOf, quotaSet } from '../../../src/btrfs/quota.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { failureOf } from '../concurrency/support.ts';
import { typed } from '../plan/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectUndone } from '../simulator/recovery.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
});
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('quotas', body));
const limited = (tx: Tx, limit: number | null) =>
  tx.btrfs.limitSubvolume({ path: '/srv/pool/home', what: 'referenced', limit });
const failNow = async (): Promise<never> => Promise.reject(new Error('later'));

test('the commands are those recorded with btrfs-progs 6.2', () => {
  expect(quotaSet('/p', 'on').argv).toEqual(['quota', 'enable', '/p']);
  expect(quotaSet('/p', 'off').argv).toEqual(['quota', 'disable', '/p']);
  const of = { path: '/p', id: 256 };
  expect(qgroupLimit({ ...of, what: 'referenced', limit: 5 }).argv).toEqual([
    ...['qgroup', 'limit', '5', '0/256', '/p'],
  ]);
  expect(qgroupLimit({ ...of, what: 'exclusive', limit: null }).argv).toEqual([
    ...['qgroup', 'limit', '-e', 'none', '0/256', '/p'],
  ]);
});

describe('quotas', () => {
  test('a subvolume name that looks like a group is not one, and is not left out', async () => {
    host.admin.btrfs('quota', 'enable', '/srv/pool');
    const before = await quotaOf(host, '/srv/pool');
    host.admin.mkdir('/srv/pool/a\n0');
    const forged = '0/999   16384   16384   77   none -        -       x';
    host.admin.btrfs('subvolume', 'create', `/srv/pool/a\n${forged}`);
    const after = await quotaOf(host, '/srv/pool');
    if (before.mode === 'off' || after.mode === 'off') throw new Error('quotas are off');
    expect(after.state).toBe('exact');
    expect(after.groups).toHaveLength(before.groups.length + 1);
    expect(after.groups.map(({ id }) => id)).not.toContain('0/999');
  });

  test('are shown with a warning while they are counted', async () => {
    host.admin.btrfs('quota', 'enable', '/srv/pool');
    const run: SimulatedHost['run'] = async (command) => {
      if (command.argv[0] !== 'qgroup') return host.run(command);
      const { parse } = command;
      const stderr = 'WARNING: rescan is running, qgroup data may be incorrect\n';
      return host.run({ ...command, parse: (answer) => parse({ ...answer, stderr }) });
    };
    const { stderr } = await typed({ ...host, run }, ['btrfs', 'quota', 'show', '/srv/pool']);
    expect(stderr).toContain('these numbers are not complete');
  });

  test('a subvolume whose quota group is gone is refused with the command that creates it', async () => {
    host.admin.btrfs('quota', 'enable', '/srv/pool');
    const { id } = await subvolume(host, '/srv/pool/home');
    const run: SimulatedHost['run'] = async (command) => {
      if (command.argv[0] !== 'qgroup') return host.run(command);
      const { parse } = command;
      const without = (text: string) => text.replace(new RegExp(`^0/${id} .*\n`, 'm'), '');
      return host.run({
        ...command,
        parse: (answer) => parse({ ...answer, stdout: without(answer.stdout) }),
      });
    };
    const error = await failureOf(
      withBofh(bofhOn({ ...host, run }), () => atomic('quotas', (tx) => limited(tx, 4096))),
    );
    expect(error).toMatchObject({
      message: expect.stringContaining(`/srv/pool/home has no quota group 0/${id}`) as unknown,
      remedy: `create the group: btrfs qgroup create 0/${id} /srv/pool; then run the command again`,
    });
  });

  test('that were enabled, and a limit, are undone', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await tx.btrfs.setQuota({ path: '/srv/pool', mode: 'on' });
        await limited(tx, 4096);
        await limited(tx, 8192);
        expect(host.snapshot()).toContain('limit of "/home": 8192, none');
        await failNow();
      }),
    );
  });

  test('stay enabled when another limit was set meanwhile: stuck until it is removed', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.btrfs.setQuota({ path: '/srv/pool', mode: 'on' });
        host.admin.btrfs('qgroup', 'limit', '77', '0/257', '/srv/pool');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(host.snapshot()).toContain('limit of "/web10": 77, none');
    host.admin.btrfs('qgroup', 'limit', 'none', '0/257', '/srv/pool');
    await recoverAll(host);
    expect(host.snapshot()).not.toContain('quotas are on');
  });

  test('simple quotas are not disabled: an undo could not enable them as they were', async () => {
    host.admin.btrfs('quota', 'enable', '--simple', '/srv/pool');
    const before = host.snapshot();
    expect(before).toContain('simple quotas are on');
    const error = await failureOf(does((tx) => tx.btrfs.setQuota({ path: '/srv/pool', mode: 'off' })));
    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).remedy).toBe('disable them yourself: btrfs quota disable /srv/pool');
    expect(host.snapshot()).toBe(before);
  });

  test('simple quotas that others enabled meanwhile stay', async () => {
    await failureOf(
      does(async (tx) => {
        await tx.btrfs.setQuota({ path: '/srv/pool', mode: 'on' });
        host.admin.btrfs('quota', 'disable', '/srv/pool');
        host.admin.btrfs('quota', 'enable', '--simple', '/srv/pool');
        await failNow();
      }),
    );
    expect(host.snapshot()).toContain('simple quotas are on');
  });

  test('a limit that was changed meanwhile stays', async () => {
    host.admin.btrfs('quota', 'enable', '/srv/pool');
    await failureOf(
      does(async (tx) => {
        await limited(tx, 4096);
        host.admin.btrfs('qgroup', 'limit', '77', '0/256', '/srv/pool');
        await failNow();
      }),
    );
    expect(host.snapshot()).toContain('limit of "/home": 77, none');
  });

  test.each<readonly [string, (tx: Tx) => Promise<unknown>, RegExp]>([
    ['that are off already', (tx) => tx.btrfs.setQuota({ path: '/srv/pool', mode: 'off' }), /already/],
    ['a limit while they are off', (tx) => limited(tx, 5), /quota accounting is disabled/],
    [
      'a limit of a directory that is not a subvolume',
      (tx) => tx.btrfs.limitSubvolume({ path: '/srv/pool/snapshots', what: 'exclusive', limit: 5 }),
      /not a subvolume/,
    ],
    ['of no btrfs', (tx) => tx.btrfs.setQuota({ path: '/etc', mode: 'on' }), /not on btrfs/],
  ])('%s: refused', async (_what, body, words) => {
    const before = host.snapshot();
    expect(String(await failureOf(does(body)))).toMatch(words);
    expect(host.snapshot()).toBe(before);
  });

  test('is refused for the limit that is already set', async () => {
    host.admin.btrfs('quota', 'enable', '/srv/pool');
    await expect(does((tx) => limited(tx, null))).rejects.toThrow(/that limit already/);
  });

  test.each([
    ['a limit', ['qgroup', 'limit', '77', '0/257'], /would be lost: 0\/257$/],
    ['a limit of what it has alone', ['qgroup', 'limit', '-e', '77', '0/257'], /would be lost: 0\/257$/],
    ['a group that others created', ['qgroup', 'create', '1/7'], /would be lost: 1\/7$/],
  ])('are not disabled over %s: refused before anything changes', async (_what, theirs, words) => {
    host.admin.btrfs('quota', 'enable', '/srv/pool');
    host.admin.btrfs(...theirs, '/srv/pool');
    const before = host.snapshot();

    const error = await failureOf(does((tx) => tx.btrfs.setQuota({ path: '/srv/pool', mode: 'off' })));

    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).message).toMatch(words);
    expect(host.snapshot()).toBe(before);
  });
});
