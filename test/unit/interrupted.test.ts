import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { atomic, type Bofh, lvm, mount, type Tx, withBofh } from '../../src/index.ts';
import { type BofhError, InterruptedError, SequenceEnded, StuckError } from '../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { rejectionOf } from '../support/rejection.ts';

let host: SimulatedHost;
let before = '';
beforeEach(async () => {
  host = simulatedHost();
  host.admin.mkdir('/mnt/a');
  await withBofh(simulatedBofh({ host }), () =>
    atomic('a', async (tx) => {
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
    }),
  );
  before = host.snapshot();
});

/** The signals of a person: each call is another one. */
function person() {
  const each = Array.from({ length: 4 }, () => new AbortController());
  const [stop, abandon, ...again] = each.map(({ signal }) => signal);
  const notices: string[] = [];
  const plain = simulatedBofh({ host });
  const bofh: Bofh = {
    ...plain,
    signals: { stop, abandon, again } as NonNullable<Bofh['signals']>,
    engine: { ...plain.engine, onWaiting: (notice) => void notices.push(notice) },
  };
  const signal = (): void => each.find((one) => !one.signal.aborted)?.abort();
  return { bofh, signal, notices };
}

const late = vi.fn(() => undefined);

/** A body that has mounted something, and then does `then`. */
function mounting(bofh: Bofh, then: (tx: Tx) => Promise<void>): Promise<unknown> {
  return withBofh(bofh, () =>
    atomic('copy', async (tx) => {
      await tx.mount.mount({ device: '/dev/vg0/a', mode: 'rw', path: '/mnt/a' });
      await then(tx);
    }),
  );
}

const isMounted = (): Promise<boolean> =>
  withBofh(simulatedBofh({ host }), () => mount.isMountpoint('/mnt/a'));

describe('a signal while the body of a sequence runs', () => {
  it('undoes it only after the body ended; until then its calls fail and tx.signal is aborted', async () => {
    const { bofh, signal, notices } = person();
    const seen: unknown[] = [];

    const error = await rejectionOf(
      mounting(bofh, async (tx) => {
        signal();
        await delay(20);
        seen.push(tx.signal.aborted, await isMounted());
        seen.push(await rejectionOf(tx.file.create({ path: '/mnt/a/late.txt', content: '', mode: 0o644 })));
        seen.push(await isMounted());
      }),
    );

    expect(seen).toEqual([true, true, expect.any(SequenceEnded), true]);
    expect(error).toBeInstanceOf(InterruptedError);
    expect(notices).toEqual([]);
    expect(host.snapshot()).toBe(before);
  });

  it.each<[string, (tx: Tx) => Promise<unknown>]>([
    ['tx.temporary', (tx) => tx.temporary.mount.mount({ device: '/dev/vg0/a', mode: 'ro' })],
    ['tx.ensure', (tx) => tx.ensure.lvm.createLv({ vg: 'vg0', name: 'late', size: '8m' })],
    ['a recipe', (tx) => tx.block.resize({ device: '/dev/vg0/a', to: { by: '8m' } })],
    ['tx.effect', (tx) => tx.effect('late', late, late)],
    ['tx.call', (tx) => tx.call(late)],
    ['tx.scope', (tx) => tx.scope('late', late)],
    ['tx.reserve', (tx) => tx.reserve({ changes: ['lv:vg0/late'] })],
    ['tx.on', async (tx) => tx.on('').file.create({ path: '/mnt/a/late.txt', content: '' })],
  ])('makes %s fail, which runs nothing', async (_what, call) => {
    const { bofh, signal } = person();
    const seen: unknown[] = [];

    await rejectionOf(
      mounting(bofh, async (tx) => {
        signal();
        const changes = host.changes.length;
        seen.push(await rejectionOf(call(tx)));
        expect(host.changes).toHaveLength(changes);
      }),
    );

    expect(seen).toEqual([expect.any(SequenceEnded)]);
    expect(late).not.toHaveBeenCalled();
    expect(host.snapshot()).toBe(before);
  });

  it('that comes while its journal is created is not taken for a failure of the state directory', async () => {
    const { bofh, signal } = person();
    const { flock } = bofh.engine;
    const engine: Bofh['engine'] = {
      ...bofh.engine,
      flock: async (wanted) => {
        signal();
        return await flock(wanted);
      },
    };
    const seen: unknown[] = [];

    const error = await rejectionOf(
      withBofh({ ...bofh, engine }, () =>
        atomic('b', async (tx) => {
          seen.push(await rejectionOf(tx.lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' })));
        }),
      ),
    );

    expect(seen).toEqual([expect.any(SequenceEnded)]);
    expect(error).toBeInstanceOf(InterruptedError);
    expect(host.snapshot()).toBe(before);
  });

  it('waits for the body of a scope too', async () => {
    const { bofh, signal } = person();
    const seen: unknown[] = [];

    const error = await rejectionOf(
      withBofh(bofh, () =>
        atomic('copy', (tx) =>
          tx.scope('inner', async (inner) => {
            await inner.mount.mount({ device: '/dev/vg0/a', mode: 'rw', path: '/mnt/a' });
            signal();
            await delay(20);
            seen.push(await isMounted());
          }),
        ),
      ),
    );

    expect(seen).toEqual([true]);
    expect(error).toBeInstanceOf(InterruptedError);
    expect(host.snapshot()).toBe(before);
  });

  it('is the reported reason, also where the body then throws', async () => {
    const { bofh, signal } = person();

    const error = await rejectionOf(
      mounting(bofh, async (tx) => {
        signal();
        await delay(60_000, undefined, { signal: tx.signal });
      }),
    );

    expect(error).toBeInstanceOf(InterruptedError);
    expect(host.snapshot()).toBe(before);
  });

  it('shows at the second one where the body is, and undoes below it at the third', async () => {
    const { bofh, signal, notices } = person();
    const [begun, held] = [gate(), gate()];
    const ended = rejectionOf(
      mounting(bofh, async () => {
        begun.open();
        await held.promise;
      }),
    );
    await begun.promise;

    signal();
    signal();
    await delay(20);
    expect(await isMounted()).toBe(true);
    expect(notices).toEqual([
      expect.stringMatching(/"copy" is not undone yet.*still runs, after mount\.mount.*next signal/),
    ]);
    signal();

    expect(await ended).toBeInstanceOf(InterruptedError);
    expect(notices[1]).toMatch(/"copy" is undone now although its function still runs.*after mount\.mount/);
    expect(host.snapshot()).toBe(before);
    held.open();
  });

  it.each([
    ['a call of the body: the third leaves the journal open', 'call', 3, 1],
    ['a program: the second leaves the journal open', 'step', 2, 0],
  ] as const)('during %s', async (_what, during, signals, told) => {
    const { bofh, signal, notices } = person();
    const [begun, held] = [gate(), gate()];
    const hold = async (): Promise<void> => {
      begun.open();
      await held.promise;
    };
    const ended = rejectionOf(
      mounting(during === 'step' ? holding(bofh, hold) : bofh, (tx) =>
        during === 'call' ? tx.effect('a long call', hold, () => undefined) : Promise.resolve(),
      ),
    );
    await begun.promise;

    for (let i = 0; i < signals; i += 1) signal();

    expect(await ended).toBeInstanceOf(StuckError);
    expect(notices).toHaveLength(told);
    if (told > 0) expect(notices[0]).toContain('still runs, in a long call');
    held.open();
  });

  it('comes a second time while the undo runs: the journal stays open', async () => {
    const { bofh, signal, notices } = person();

    const error = await rejectionOf(
      mounting(bofh, async (tx) => {
        await tx.effect(
          'gate',
          () => undefined,
          async () => {
            signal();
            await delay(20);
          },
        );
        signal();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(notices).toEqual([]);
  });

  it('at any event of a sequence, also of its undo: as before or as after', async () => {
    const ends = new Set<string>();
    for (const fails of [false, true])
      for (let at = 1; ; at += 1) {
        const { bofh, signal } = person();
        let seen = 0;
        const work = (tx: Tx): Promise<void> =>
          tx.scope('inner', async (inner) => {
            await inner.lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' });
            if (fails) throw new Error('on purpose');
          });
        const ended = await withBofh(bofh, () =>
          atomic(
            'copy',
            async (tx) => {
              await tx.mount.mount({ device: '/dev/vg0/a', mode: 'rw', path: '/mnt/a' });
              await work(tx);
            },
            {
              onEvent: () => {
                if (++seen === at) signal();
              },
            },
          ),
        ).then(
          () => 'committed',
          (error: unknown) => (error as BofhError).code,
        );
        ends.add(ended);
        if (ended === 'committed') {
          expect(await isMounted(), `a signal at event ${String(at)}`).toBe(true);
          await withBofh(simulatedBofh({ host }), async () => {
            await mount.unmount({ path: '/mnt/a' });
            await lvm.removeLv({ vg: 'vg0', name: 'b' });
          });
        } else expect(ended, `a signal at event ${String(at)}`).toMatch(/^(?:interrupted|rolled-back)$/);
        expect(host.snapshot(), `a signal at event ${String(at)}`).toBe(before);
        if (seen < at) break;
      }

    expect([...ends].sort()).toEqual(['committed', 'interrupted', 'rolled-back']);
  });

  it('keeps a scoped mount for its body', async () => {
    const { bofh, signal } = person();
    const seen: boolean[] = [];

    const ended = withBofh(bofh, () =>
      new mount.MountPool(['/mnt/a']).with('/dev/vg0/a', async () => {
        signal();
        signal();
        await delay(20);
        seen.push(await isMounted());
      }),
    );

    expect(await rejectionOf(ended)).toBeInstanceOf(InterruptedError);
    expect(seen).toEqual([true]);
    expect(host.snapshot()).toBe(before);
  });
});

function gate() {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

/** The same, with programs that do not end before `hold` does. */
function holding(bofh: Bofh, hold: () => Promise<void>): Bofh {
  const during: Bofh['host']['during'] = (step) => {
    const change = bofh.host.during(step);
    const run: typeof change.run = async (command) => {
      await hold();
      return change.run(command);
    };
    return { ...change, run };
  };
  return { ...bofh, engine: { ...bofh.engine, host: { ...bofh.host, during } } };
}
