import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import {
  atomic,
  type AtomicOptions,
  connect,
  eventStream,
  eventText,
  lvm,
  type SequenceEvent,
  type Tx,
  withBofh,
} from '../../src/index.ts';
import { simulatedBofh } from '../../src/simulator/index.ts';

const volume = (name: string) => ({ vg: 'vg0', name, size: '8m' });

/** The events of a sequence, whether it succeeds or fails. */
async function eventsOf(body: (tx: Tx) => unknown, options: AtomicOptions = {}) {
  const events: SequenceEvent[] = [];
  const onEvent = (event: SequenceEvent): void => void events.push(event);
  await withBofh(simulatedBofh(), () => atomic('web1', body, { ...options, onEvent })).catch(() => undefined);
  return events;
}

/** Without progress: test/loop/events.test.ts has it, with real programs. */
function words(events: readonly SequenceEvent[]): readonly string[] {
  return events
    .filter(({ type }) => type !== 'progress')
    .map(({ type, direction, ...more }) => {
      const step = 'step' in more ? ` ${String(more.step.n)} ${more.step.kind}` : '';
      const scope = 'scope' in more ? ` ${more.scope ?? ''}` : '';
      const outcome = 'outcome' in more ? ` ${more.outcome} ${more.code ?? ''}`.trimEnd() : '';
      return `${direction} ${type}${step}${scope}${outcome}`;
    });
}

describe('the events of a sequence', () => {
  it('that succeeds, with the objects of its steps', async () => {
    const events = await eventsOf(async (tx) => {
      await tx.lvm.createLv(volume('a'));
      await tx.effect(
        'register',
        () => 1,
        () => undefined,
      );
    });

    expect(words(events)).toEqual([
      'forward started',
      'forward step-started 1 lvm.lv.create',
      'forward step-done 1 lvm.lv.create',
      'forward step-started 2 register',
      'forward step-done 2 register',
      'forward committed',
      'forward ended committed',
    ]);
    const [first] = events;
    expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
    expect(new Set(events.map(({ id, name }) => `${id} ${name}`))).toEqual(
      new Set([`${first?.id ?? ''} web1`]),
    );
    expect(first?.id).toMatch(/^[0-9a-f]{12}$/);
    expect(events.find(({ type }) => type === 'step-started')).toMatchObject({
      step: { host: '', objects: expect.arrayContaining(['lv:vg0/a']) as unknown },
    });
  });

  it('that continues after an empty scope: nothing of it is undone', async () => {
    const events = await eventsOf(async (tx) => {
      await tx.lvm.createLv(volume('a'));
      await tx.scope('empty', () => Promise.reject(new Error('at once'))).catch(() => undefined);
      await tx.lvm.createLv(volume('b'));
    });

    expect(words(events)).toEqual([
      'forward started',
      'forward step-started 1 lvm.lv.create',
      'forward step-done 1 lvm.lv.create',
      'forward step-started 2 lvm.lv.create',
      'forward step-done 2 lvm.lv.create',
      'forward committed',
      'forward ended committed',
    ]);
  });

  it('that is left at a second signal: none follows "ended", while its program continues', async () => {
    const events: SequenceEvent[] = [];
    const [stop, abandon] = [new AbortController(), new AbortController()];
    const bofh = simulatedBofh();
    bofh.host.fault({ tool: 'lvcreate', mode: 'hangs' });
    const signals = { stop: stop.signal, abandon: abandon.signal };
    const left = withBofh({ ...bofh, signals }, () =>
      atomic('web1', (tx) => tx.lvm.createLv(volume('a')), { onEvent: (event) => void events.push(event) }),
    );
    const settled = expect(left).rejects.toMatchObject({ code: 'stuck' });
    while (bofh.host.world.orphans.length === 0) await delay(1);
    stop.abort();
    abandon.abort();
    await settled;
    bofh.host.letGo();
    await delay(20);

    expect(events.at(-1)).toMatchObject({ type: 'ended', outcome: 'stuck' });
  });

  it('that fails: each undo has its direction, newest first', async () => {
    const events = await eventsOf(async (tx) => {
      await tx.lvm.createLv(volume('a'));
      await tx.lvm.createLv(volume('b'));
      throw new Error('no');
    });

    expect(words(events).slice(5)).toEqual([
      'back undo-started',
      'back step-undone 2 lvm.lv.create',
      'back step-undone 1 lvm.lv.create',
      'back undo-done',
      'back ended rolled-back rolled-back',
    ]);
    expect(events.find(({ type }) => type === 'undo-started')).toMatchObject({ because: 'no' });
  });

  it('with a scope that fails, and then continues', async () => {
    const events = await eventsOf(async (tx) => {
      await tx
        .scope('try', async (inner) => {
          await inner.lvm.createLv(volume('a'));
          throw new Error('no');
        })
        .catch(() => undefined);
      await tx.lvm.createLv(volume('b'));
    });

    expect(words(events).slice(3)).toEqual([
      'back undo-started try',
      'back step-undone 1 lvm.lv.create',
      'back undo-done try',
      'forward step-started 2 lvm.lv.create',
      'forward step-done 2 lvm.lv.create',
      'forward committed',
      'forward ended committed',
    ]);
  });

  it('that is stuck name the step and the reason', async () => {
    const events = await eventsOf(async (tx) => {
      await tx.effect(
        'register',
        () => 1,
        () => {
          throw new Error('the register is away');
        },
      );
      throw new Error('no');
    });

    expect(words(events).slice(3)).toEqual([
      'back undo-started',
      'back stuck 1 register',
      'back ended stuck stuck',
    ]);
    expect(events.find(({ type }) => type === 'stuck')).toMatchObject({ why: 'the register is away' });
  });

  it('that changes nothing', async () => {
    expect(words(await eventsOf(() => 1))).toEqual(['forward started', 'forward ended unchanged']);
    expect(words(await eventsOf((tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'none' })))).toEqual([
      'forward started',
      'forward ended unchanged not-found',
    ]);
  });

  it.each<readonly [string, Parameters<typeof eventsOf>, string]>([
    ['an unknown option', [() => 1, { tmeout: 5 } as never], 'invalid'],
    ['no body', [undefined as never], 'invalid'],
    ['a signal that came before', [() => 1, { signal: AbortSignal.abort() }], 'interrupted'],
  ])('that does not start are only its end: %s', async (_, asked, code) => {
    expect(words(await eventsOf(...asked))).toEqual([`forward ended unchanged ${code}`]);
  });

  it('name the sequence that it waits for', async () => {
    const bofh = simulatedBofh();
    const waiting: SequenceEvent[] = [];
    await withBofh(bofh, async () => {
      const first = atomic('first', async (tx) => {
        await tx.lvm.createLv(volume('a'));
        await delay(300);
        await tx.lvm.removeLv({ vg: 'vg0', name: 'a' });
      });
      await delay(100);
      await atomic('second', (tx) => tx.lvm.createLv(volume('a')), {
        wait: 5000,
        onEvent: (event) => {
          if (event.type === 'waiting') waiting.push(event);
        },
      });
      await first;
    });
    expect(waiting).toHaveLength(1);
    expect(waiting[0]).toMatchObject({ name: 'second', for: expect.stringContaining('"first"') as unknown });
  });
});

describe('a listener', () => {
  it('that throws changes nothing', async () => {
    const warned = new Promise((resolve) => process.once('warning', resolve));
    const made = await withBofh(simulatedBofh(), () =>
      atomic('x', (tx) => tx.lvm.createLv(volume('a')), {
        onEvent: () => {
          throw new Error('broken');
        },
      }),
    );
    expect(made).toMatchObject({ name: 'a' });
    expect(await warned).toMatchObject({ message: expect.stringContaining('broken') as unknown });
  });

  it('that is an async function and fails changes nothing', async () => {
    const warned = new Promise((resolve) => process.once('warning', resolve));
    // The types allow it: a function whose result is ignored may return anything.
    const broken = (): unknown => Promise.reject(new Error('broken'));

    const made = await withBofh(simulatedBofh(), () =>
      atomic('x', (tx) => tx.lvm.createLv(volume('a')), { onEvent: broken }),
    );

    expect(made).toMatchObject({ name: 'a' });
    expect(await warned).toMatchObject({ message: expect.stringContaining('broken') as unknown });
  });

  it('that throws does not keep the event from another one', async () => {
    const types: string[] = [];
    const broken = (): never => {
      throw new Error('broken');
    };

    await withBofh(simulatedBofh(), () =>
      withBofh(connect({ onEvent: broken }), () =>
        atomic('x', (tx) => tx.lvm.createLv(volume('a')), { onEvent: ({ type }) => void types.push(type) }),
      ),
    );

    expect(types.at(-1)).toBe('ended');
  });

  it('that throws does not hide why a sequence was refused', async () => {
    const refused = withBofh(simulatedBofh(), () =>
      atomic('x', 'no function' as never, {
        onEvent: () => {
          throw new Error('broken');
        },
      }),
    );

    await expect(refused).rejects.toThrow(/the body/);
  });

  it.each([
    ['onLeftUntouched', 'left untouched'],
    ['onWaiting', 'waits'],
  ] as const)('%s that throws affects no sequence', (name, text) => {
    const context = withBofh(simulatedBofh(), () =>
      connect({
        [name]: () => {
          throw new Error('broken');
        },
      }),
    );

    expect(() => context.engine[name]?.(text)).not.toThrow();
  });

  it('of the context gets recipes and single steps too, beside that of a sequence', async () => {
    const [all, one]: [string[], string[]] = [[], []];
    await withBofh(simulatedBofh(), () =>
      withBofh(connect({ onEvent: ({ name }) => void all.push(name) }), async () => {
        await lvm.createLv(volume('a'));
        await atomic('b', () => 1, { onEvent: ({ name }) => void one.push(name) });
      }),
    );
    expect(new Set(all)).toEqual(new Set(['lvm.createLv', 'b']));
    expect(one).toEqual(['b', 'b']);
  });

  it('can be an async iterable, which ends with the sequence', async () => {
    const events = eventStream();
    const types: string[] = [];
    const done = withBofh(simulatedBofh(), () =>
      atomic('x', (tx) => tx.lvm.createLv(volume('a')), { onEvent: events.onEvent }),
    );
    for await (const { type } of events) types.push(type);

    expect(types[0]).toBe('started');
    expect(types.at(-1)).toBe('ended');
    expect(await done).toMatchObject({ name: 'a' });
  });

  it('can be a logger of pino, with text and facts', async () => {
    const lines: { level: number; msg: string; event: SequenceEvent }[] = [];
    const log = pino(
      { level: 'debug' },
      { write: (line: string) => void lines.push(JSON.parse(line) as never) },
    );
    await withBofh(simulatedBofh(), () =>
      atomic(
        'web1',
        async (tx) => {
          await tx.lvm.createLv(volume('a'));
          throw new Error('no');
        },
        { log },
      ),
    ).catch(() => undefined);

    const begun = lines.find(({ event }) => event.type === 'undo-started');
    expect(begun).toMatchObject({
      level: 40,
      msg: expect.stringContaining('undo started, because no') as unknown,
    });
    expect(lines.map(({ event, msg }) => msg === eventText(event))).not.toContain(false);
    expect(new Set(lines.map(({ level }) => level))).toEqual(new Set([30, 40]));
  });
});
