import { beforeEach, describe, expect, test } from 'vitest';
import {
  balanceStart,
  balanceStatus,
  scrubStart,
  scrubStatus,
} from '../../../src/btrfs/maintenance-commands.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { afflict, pool } from '../../support/undo/specimens/btrfs.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn } from '../simulator/support.ts';

describe.each(['6.2', '6.14'])('what btrfs-progs %s says', (version) => {
  // What happens too fast to be recorded by machine was recorded once.
  const once = (name: string) => recorded(`btrfs/${name}@6.2`);
  const at = (name: string) => recorded(`btrfs/${name}@${version}`);

  test('reads a scrub: the counters, and whether it ended', () => {
    expect(scrubStart('').parse(at('scrub'))).toMatchObject({ state: 'finished', uncorrectable: 0 });
    expect(scrubStart('').parse(at('scrub-errors'))).toMatchObject({ checksumErrors: 1, uncorrectable: 1 });
    expect(at('scrub-errors').exitCode).toBe(3);
    expect(scrubStatus('').parse(at('scrub-status')).dataBytes).toBeGreaterThan(0);
    expect(scrubStatus('').parse(at('scrub-status-never'))).toMatchObject({ state: 'never', dataBytes: 0 });
    expect(scrubStatus('').parse(once('scrub-status-running')).state).toBe('running');
  });

  test('reads a balance: what was moved, and its progress', () => {
    expect(balanceStart({ path: '', data: 1, metadata: 1 }).parse(at('balance'))).toEqual({
      ...{ relocated: 5, chunks: 6 },
    });
    expect(balanceStatus('').parse(at('balance-status-none'))).toEqual({ state: 'none' });
    expect(balanceStatus('').parse(once('balance-status-running'))).toEqual({
      ...{ state: 'running', relocated: 3, expected: 8, leftPercent: 62 },
    });
    expect(balanceStatus('').parse(once('balance-status-paused')).state).toBe('paused');
    // Paused by a mount with skip_balance.
    expect(balanceStatus('').parse(once('balance-status-skipped'))).toEqual({
      ...{ state: 'paused', relocated: 0, expected: 0, leftPercent: null },
    });
    const running = once('balance-status-running');
    const stdout = running.stdout.replace('62% left', '-12% left');
    expect(stdout).not.toBe(running.stdout);
    expect(balanceStatus('').parse({ ...running, stdout })).toMatchObject({ leftPercent: 0 });
    const busy = once('balance-busy');
    expect(balanceStart({ path: '', data: 1, metadata: 1 }).classify?.(busy)).toBe('busy');
    expect(balanceStart({ path: '', data: 1, metadata: 1 }).classify?.(once('balance-full'))).toBe(
      'no-space',
    );
  });

  test.each(['scrub', 'scrub-errors', 'scrub-status', 'scrub-status-never'])(
    '%s: refuses output without any one line, and an invalid counter',
    (name) => {
      const said = at(name);
      const { parse } = name.startsWith('scrub-status') ? scrubStatus('') : scrubStart('');
      const lines = said.stdout.split('\n');
      // Only 6.14 prints which device it begins with.
      const first = lines.findIndex((line) => !line.startsWith('Starting scrub on devid '));
      for (let nth = first; nth < lines.length; nth += 1)
        expect(() => parse({ ...said, stdout: lines.toSpliced(nth, 1).join('\n') })).toThrow();
      expect(() => parse({ ...said, stdout: said.stdout.replace(': 0', ': x') })).toThrow();
    },
  );

  test('refuses other output', () => {
    expect(() => balanceStart({ path: '', data: 1, metadata: 1 }).parse(at('scrub'))).toThrow();
    expect(() => balanceStatus('').parse({ ...at('balance-status-none'), exitCode: 1 })).toThrow();
    const unfinished = at('scrub').stdout.replace('finished', 'aborted');
    expect(() => scrubStart('').parse({ ...at('scrub'), stdout: unfinished })).toThrow(/aborted/);
  });
});

describe('on a host', () => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = simulatedHost();
    pool(host);
  });
  const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
    withBofh(bofhOn(host), () => atomic('maintains', body));

  test('a scrub reports what it read; errors fail it and undo the steps before it', async () => {
    expect(await does((tx) => tx.btrfs.scrub({ path: '/srv/pool' }))).toMatchObject({ dataBytes: 3145728 });
    afflict(host, '/srv/pool', { errors: 2 });
    const error = await failureOf(
      does(async (tx) => {
        await tx.btrfs.createSubvolume({ path: '/srv/pool/new' });
        await tx.btrfs.scrub({ path: '/srv/pool/home' });
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(/found errors: 2 wrong checksums, 2 uncorrectable/);
    expect(await host.readDir('/srv/pool')).not.toContain('new');
  });

  test.each<readonly [string, Parameters<typeof afflict>[2], (tx: Tx) => Promise<unknown>, RegExp]>([
    ['a second scrub', { scrubbed: 'running' }, (tx) => tx.btrfs.scrub({ path: '/srv/pool' }), /already/],
    [
      'a second balance',
      { balance: 'running' },
      (tx) => tx.btrfs.balance({ path: '/srv/pool', dataUsage: 5 }),
      /already has a balance, which is running/,
    ],
    [
      'one beside a paused one',
      { balance: 'paused' },
      (tx) => tx.btrfs.balance({ path: '/srv/pool', dataUsage: 5 }),
      /already has a balance, which is paused/,
    ],
    ['a balance without a filter', {}, (tx) => tx.btrfs.balance({ path: '/srv/pool' }), /needs a filter/],
    ['another filesystem', {}, (tx) => tx.btrfs.scrub({ path: '/etc' }), /not on btrfs/],
  ])('%s is refused', async (_what, state, body, words) => {
    afflict(host, '/srv/pool', state);
    const before = host.snapshot();
    const error = await failureOf(does(body));
    expect(String(error)).toMatch(words);
    expect(error).not.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
    if (error instanceof RefusedError) expect(error.remedy).not.toBe('');
  });

  test('a balance runs beside other steps on the filesystem, and not beside another one', async () => {
    const both = does(async (tx) => {
      await Promise.all([
        tx.btrfs.balance({ path: '/srv/pool', dataUsage: 5 }),
        tx.btrfs.createSubvolume({ path: '/srv/pool/new' }),
      ]);
    });
    await expect(both).resolves.toBeUndefined();
  });
});
