import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { changeSubvolume, pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';

let host: SimulatedHost;
let inbox: string | undefined;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
  secondPool(host);
  inbox = undefined;
});

const copy = (then: () => void = () => undefined): Promise<unknown> =>
  withBofh(bofhOn(host), () =>
    atomic('receives', async (tx) => {
      await tx.btrfs.copySubvolume({ source: '/srv/pool/snapshots/home.foreign', into: '/srv/second' });
      then();
    }),
  );

/** The path of the private directory, as soon as it is asked for. */
function whenInboxIsKnown(act: (path: string) => void): void {
  host.faults.watch(({ argv }) => {
    const path = argv.find((word) => word.startsWith('/srv/second/.bofh-in-'));
    if (path === undefined || inbox !== undefined) return;
    inbox = path;
    act(path);
  });
}

/** Once, just before btrfs is asked for what it has put at the private name. */
function whenPlaced(act: (path: string) => void): void {
  let placed: string | undefined;
  host.faults.watch(({ tool, argv }) => {
    const path = placed;
    placed = tool === 'btrfs' && argv.includes('-r') ? argv.at(-1) : undefined;
    if (path !== undefined) act(path);
  });
}

describe('the private directory of a receive', () => {
  test('is refused when its name exists, and that stays', async () => {
    whenInboxIsKnown((path) => host.admin.mkdir(path));
    const error = await failureOf(copy());
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(/\.bofh-in-\S+ exists already/);
    expect((await host.stat(inbox ?? ''))?.kind).toBe('directory');
  });

  test('leaves alone a file that others put there before', async () => {
    whenInboxIsKnown(() => undefined);
    host.fault({ tool: 'file', argvIncludes: '.bofh-in-', mode: 'crash here' });
    await failureOf(copy());
    host.clearFaults();
    const next = host.restart();
    next.admin.writeFile(inbox ?? '', 'theirs');

    await recoverAll(next);

    expect(next.admin.readFile(inbox ?? '')).toBe('theirs');
    expect(await openJournals(bofhOn(next).engine)).toEqual([]);
  });

  test('leaves alone a file that others put there afterwards, and the copy is undone', async () => {
    whenInboxIsKnown(() => undefined);
    const error = await failureOf(
      copy(() => {
        host.admin.writeFile(inbox ?? '', 'theirs');
        throw new Error('later');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.admin.readFile(inbox ?? '')).toBe('theirs');
    expect(await host.readDir('/srv/second')).not.toContain('home.foreign');
  });
});

describe('the received subvolume', () => {
  test('must be the subvolume of the stream', async () => {
    host.fault({ argvIncludes: 'receive', mode: 'no effect, exit 0' });
    const before = host.snapshot();
    const error = await failureOf(copy());
    expect(String(error)).toMatch(
      /expected exactly one subvolume home\.foreign \(of the stream .*\), but received: there is nothing/,
    );
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['writable', { mode: 'rw' }, /it is writable/],
    [
      'received from something else',
      { receivedUuid: '0c0ffee0-0000-4000-8000-000000000001' },
      /it has another received uuid/,
    ],
  ] as const)('is not moved to its place when it is %s', async (_what, change, words) => {
    whenPlaced((path) => void changeSubvolume(host, path, change));
    const error = await failureOf(copy());
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(words);
    expect(await host.readDir('/srv/second')).toEqual(['web10']);
  });
});
