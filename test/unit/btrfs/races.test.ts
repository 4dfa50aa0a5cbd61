import { beforeEach, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn } from '../simulator/support.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('races', body));

/** Another process acts just before btrfs is asked this for the third time: after both checks, before the act. */
function meddle(asked: readonly string[], act: () => void): void {
  let times = 0;
  host.faults.watch(({ tool, argv }) => {
    if (tool !== 'btrfs' || !asked.every((word, at) => argv[at] === word)) return;
    times += 1;
    if (times === 3) act();
  });
}

interface Race {
  readonly stage?: () => void;
  readonly asked: readonly string[];
  readonly theirs: readonly string[];
  readonly ours: (tx: Tx) => Promise<unknown>;
}

const on = ['quota', 'enable', '/srv/pool'];
const setQuota = (tx: Tx, mode: 'on' | 'off') => tx.btrfs.setQuota({ path: '/srv/pool', mode });
const setProperty = (tx: Tx) => tx.btrfs.setProperty({ path: '/srv/pool/home', mode: 'ro' });

test.each<readonly [string, Race]>([
  ['quotas on', { asked: ['qgroup', 'show'], theirs: on, ours: (tx) => setQuota(tx, 'on') }],
  [
    'quotas off',
    {
      stage: () => host.admin.btrfs(...on),
      asked: ['qgroup', 'show'],
      theirs: ['quota', 'disable', '/srv/pool'],
      ours: (tx) => setQuota(tx, 'off'),
    },
  ],
  [
    'a limit',
    {
      stage: () => host.admin.btrfs(...on),
      asked: ['qgroup', 'show'],
      theirs: ['qgroup', 'limit', '8192', '0/256', '/srv/pool'],
      ours: (tx) => tx.btrfs.limitSubvolume({ path: '/srv/pool/home', what: 'referenced', limit: 8192 }),
    },
  ],
  [
    'the default subvolume',
    {
      asked: ['subvolume', 'get-default'],
      theirs: ['subvolume', 'set-default', '256', '/srv/pool'],
      ours: (tx) => tx.btrfs.setDefaultSubvolume({ path: '/srv/pool/home' }),
    },
  ],
  [
    'a property',
    {
      asked: ['subvolume', 'show'],
      theirs: ['property', 'set', '-t', 'subvol', '/srv/pool/home', 'ro', 'true'],
      ours: setProperty,
    },
  ],
])('a concurrent change of %s to the same value stays', async (_what, { stage, ...race }) => {
  stage?.();
  let theirs = 'nobody has meddled';
  meddle(race.asked, () => {
    host.admin.btrfs(...race.theirs);
    theirs = host.snapshot();
  });

  const error = await failureOf(
    does(async (tx) => {
      await race.ours(tx);
    }),
  );

  expect(host.snapshot()).toBe(theirs);
  expect(error).toBeInstanceOf(RolledBackError);
  expect(String(error)).toMatch(/changed concurrently/);
});
