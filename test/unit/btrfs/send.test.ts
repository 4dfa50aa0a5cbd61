import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { unnamed } from '../simulator/sweep.ts';
import { expectRecovery, expectUndone } from '../simulator/recovery.ts';

const snap = '/srv/pool/snapshots/home.foreign';

function withPools(): SimulatedHost {
  const made = simulatedHost();
  pool(made);
  secondPool(made);
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = withPools();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('sends', body));
const copy = (tx: Tx, more: object = {}) =>
  tx.btrfs.copySubvolume({ source: snap, into: '/srv/second', ...more });

/** A chain: all of it, then an increment upon what came, and once more by way of a file. */
async function chain(tx: Tx): Promise<void> {
  await copy(tx, { name: 'first' });
  await tx.btrfs.snapshot({ source: '/srv/pool/home', path: '/srv/pool/snapshots/two', mode: 'ro' });
  await copy(tx, { source: '/srv/pool/snapshots/two', parent: snap });
  await tx.btrfs.sendToFile({ source: '/srv/second/two', file: '/srv/two.stream' });
  await tx.btrfs.receiveSubvolume({ file: '/srv/two.stream', into: '/srv/second', name: 'again' });
}

describe('a chain of increments', { timeout: 300_000 }, () => {
  test('completes, and leaves nothing of bofh behind', async () => {
    await does(chain);
    expect(await host.readDir('/srv/second')).toEqual(['again', 'first', 'two', 'web10']);
    expect(await host.readDir('/srv/second/two')).toEqual(await host.readDir('/srv/pool/snapshots/two'));
    expect(await openJournals(bofhOn(host).engine)).toEqual([]);
  });

  test('is undone when the sequence fails afterwards', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await chain(tx);
        throw new Error('later');
      }),
    );
  });

  test('is undone or completed by recovery after a kill at any point', async () => {
    const plain = (on: SimulatedHost): string =>
      unnamed(on.snapshot()).replaceAll(/^.*two\.stream.*$/gm, 'two.stream');
    await expectRecovery({ start: withPools, work: (on) => does(chain, on), plain });
  });
});

describe('concurrent changes', () => {
  test('a file in the private directory stays: stuck until it is removed', async () => {
    host.fault({ argvIncludes: 'receive', mode: 'acts then crash' });
    await failureOf(does((tx) => copy(tx)));
    host.clearFaults();
    const next = host.restart();
    const [inbox = ''] = (await next.readDir('/srv/second')).filter((name) => name.startsWith('.bofh-in-'));
    next.admin.writeFile(`/srv/second/${inbox}/theirs`, 'x');
    await failureOf(recoverAll(next));
    expect(next.admin.readFile(`/srv/second/${inbox}/theirs`)).toBe('x');
    next.admin.removeFile(`/srv/second/${inbox}/theirs`);

    await recoverAll(next);

    expect(await next.readDir('/srv/second')).toEqual(['web10']);
  });

  test('a name that was taken meanwhile stays', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await copy(tx);
        host.admin.rename('/srv/second/home.foreign', '/srv/second/aside');
        host.admin.mkdir('/srv/second/home.foreign');
        throw new Error('later');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(await host.readDir('/srv/second')).toEqual(['home.foreign', 'web10']);
  });
});

describe('is refused before anything changes', () => {
  test.each<readonly [string, (tx: Tx) => Promise<unknown>, RegExp]>([
    ['a writable source', (tx) => copy(tx, { source: '/srv/pool/home' }), /is writable/],
    ['a writable parent', (tx) => copy(tx, { parent: '/srv/pool/home' }), /is writable/],
    ['itself as the parent', (tx) => copy(tx, { parent: snap }), /the subvolume itself/],
    [
      'another one than meant',
      (tx) => copy(tx, { uuid: '0c0ffee0-0000-4000-8000-000000000001' }),
      /another subvolume is at/,
    ],
    ['a place that is no btrfs', (tx) => copy(tx, { into: '/srv' }), /not on btrfs/],
    ['a name that is taken', (tx) => copy(tx, { name: 'web10' }), /exists already/],
    ['a name with a slash', (tx) => copy(tx, { name: '../x' }), /cannot be the name/],
    [
      'a file that is taken',
      (tx) => tx.btrfs.sendToFile({ source: snap, file: '/etc/fstab' }),
      /exists already/,
    ],
    [
      'a file that is no stream',
      (tx) => tx.btrfs.receiveSubvolume({ file: '/etc/fstab', into: '/srv/second' }),
      /is not a stream/,
    ],
    [
      'a directory for a file',
      (tx) => tx.btrfs.receiveSubvolume({ file: '/etc', into: '/srv/second' }),
      /not a file/,
    ],
  ])('%s', async (_what, body, words) => {
    const before = host.snapshot();
    const error = await failureOf(does(body));
    expect(String(error)).toMatch(words);
    expect(error).not.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('an increment without its parent', async () => {
    host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', '/srv/pool/snapshots/two');
    await expect(does((tx) => copy(tx, { source: '/srv/pool/snapshots/two', parent: snap }))).rejects.toThrow(
      /does not have the parent of this incremental stream/,
    );
  });

  test('a truncated stream', async () => {
    host.admin.writeFile('/srv/pool/one', '');
    host.admin.btrfs('send', '-f', '/srv/pool/one', snap);
    const stream = await host.readFile('/srv/pool/one');
    host.admin.writeFile('/srv/pool/one', stream.subarray(0, -10));
    await expect(
      does((tx) => tx.btrfs.receiveSubvolume({ file: '/srv/pool/one', into: '/srv/second' })),
    ).rejects.toThrow(/is incomplete: the end/);
  });
});
