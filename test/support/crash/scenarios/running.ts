import { setTimeout as delay } from 'node:timers/promises';
import { newMachine } from '../process.ts';
import { recoverAll, run } from '../trial.ts';
import { put } from '../world.ts';
import { trial, words, type Scenario } from './scenario.ts';

/** Steps side by side, scopes, signals: what the living sequence does. */
export const runningScenarios: readonly Scenario[] = [
  {
    name: 'nothing is undone while a step still runs beside the one that failed',
    run: async (subject) => {
      const t = trial();
      const { ending, process } = await t.run(subject, async (tx, o, own) => {
        await tx.step(o.make, { name: 'a' });
        let begin = (): void => undefined;
        const begun = new Promise<void>((resolve) => (begin = resolve));
        const slow = tx.effect(
          'slow',
          async () => {
            begin();
            await delay(20);
            own.event('effect', 'slow', () => t.add('prop:slow'));
          },
          () => own.event('effect', 'slow undone', () => put(t.world, 'prop:slow', undefined, 'durable')),
          { claims: { makes: ['prop:slow'] } },
        );
        await begun;
        await Promise.all([slow, tx.step(o.make, { name: 'old' })]);
      });
      t.expectEnding(ending, /^RolledBackError.*vol:old exists/);
      await delay(40);
      const order = process.events.map(({ label }) => label).filter((label) => /slow|unmake/.test(label));
      t.expect(order.join() === 'slow,slow undone,unmake vol:a', `its order: ${order.join()}`);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a step that was not awaited is waited for, and the sequence has failed',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, (tx, o) => {
        void tx.step(o.make, { name: 'a' });
      });
      t.expectEnding(ending, /an await is missing/);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a body that returns the promise of its step needs no await',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, (tx, o) => tx.step(o.make, { name: 'a' }));
      t.expectEnding(ending, 'done');
      t.expect(t.world.disk.has('vol:a'), 'vol:a is not there');
      return t.found;
    },
  },
  {
    name: 'after a failure that the script caught nothing more is done, and all is undone',
    run: async (subject) => {
      const t = trial();
      let second: unknown;
      const { ending } = await t.run(subject, async (tx, o) => {
        await tx.step(o.make, { name: 'a' });
        await tx.step(o.make, { name: 'old' }).catch(() => undefined);
        await tx.step(o.make, { name: 'b' }).catch((error: unknown) => {
          second = error;
        });
      });
      t.expectEnding(ending, /^RolledBackError/);
      t.expect(words(second).startsWith('SequenceEnded'), `the second call: ${words(second)}`);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'two steps side by side on one object: the second is refused',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, (tx, o) =>
        Promise.all([
          tx.step(o.setValue, { name: 'size', value: '2' }),
          tx.step(o.setValue, { name: 'size', value: '3' }),
        ]),
      );
      t.expectEnding(ending, /work on prop:size at the same time/);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'an object made in a scope that its parent uses dooms the sequence when the scope fails',
    run: async (subject) => {
      const t = trial();
      let later: unknown;
      const { ending } = await t.run(subject, async (tx, o) => {
        const scope = tx.scope('inner', async (inner) => {
          await inner.step(o.make, { name: 'a' });
          await tx.step(o.open, { name: 'a' });
          throw new Error('the scope failed');
        });
        await scope.catch(() => undefined);
        await tx.step(o.make, { name: 'b' }).catch((error: unknown) => {
          later = error;
        });
      });
      t.expectEnding(ending, /^RolledBackError.*the scope failed/);
      t.expect(words(later).startsWith('SequenceEnded'), 'the sequence went on');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a value set in a scope and again by its parent goes back to the very first one',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, async (tx, o) => {
        const scope = tx.scope('inner', async (inner) => {
          await inner.step(o.setValue, { name: 'size', value: '2' });
          await tx.step(o.setValue, { name: 'size', value: '3' });
          throw new Error('the scope failed');
        });
        await scope.catch(() => undefined);
      });
      t.expectEnding(ending, /^RolledBackError.*the scope failed/);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'two scopes that fail at once are both undone, and the sequence goes on',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, async (tx, o) => {
        const failing = (name: string): Promise<unknown> =>
          tx.scope(name, async (inner) => {
            await inner.step(o.make, { name });
            await inner.step(o.format, { name });
            throw new Error(`${name} failed`);
          });
        await Promise.allSettled(['a', 'b'].map(failing));
        await tx.step(o.make, { name: 'c' });
      });
      t.expectEnding(ending, 'done');
      t.expect(t.world.disk.has('vol:c'), 'the sequence did not go on');
      t.expectBefore({ besides: ['vol:c'] });
      return t.found;
    },
  },
  {
    name: 'a scope within a scope that failed is undone with it',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, async (tx, o) => {
        const outer = tx.scope('outer', async (middle) => {
          await middle.step(o.make, { name: 'a' });
          await middle.scope('inner', (inner) => inner.step(o.format, { name: 'a' }));
          throw new Error('the outer one failed');
        });
        await outer.catch(() => undefined);
      });
      t.expectEnding(ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a scope whose undo cannot be written down dooms the sequence, or its deferred acts would be done',
    run: async (subject) => {
      const t = trial();
      const full = (label: string): boolean => /write .*undone 1/.test(label);
      const { ending } = await t.run(
        subject,
        async (tx, o) => {
          const scope = tx.scope('inner', async (inner) => {
            await inner.step(o.remove, { name: 'old' });
            throw new Error('the scope failed');
          });
          await scope.catch(() => undefined);
          await tx.step(o.make, { name: 'b' });
        },
        { plan: { faulty: ({ label }) => (full(label) ? 'before' : undefined) } },
      );
      t.expectEnding(ending, /^RolledBackError.*stays open/);
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a step on what a failed scope is undoing is refused',
    run: async (subject) => {
      const t = trial();
      let begin = (): void => undefined;
      const undoing = new Promise<void>((resolve) => {
        begin = resolve;
      });
      let refused: unknown;
      await t.run(subject, async (tx, o) => {
        const scope = tx.scope('inner', async (inner) => {
          await inner.step(o.setValue, { name: 'size', value: '2' });
          await inner.effect(
            'gate',
            () => undefined,
            async () => {
              begin();
              await delay(20);
            },
            { claims: { makes: ['gate:1'] } },
          );
          throw new Error('the scope failed');
        });
        await undoing;
        await tx.step(o.setValue, { name: 'size', value: '3' }).catch((error: unknown) => {
          refused = error;
        });
        await scope.catch(() => undefined);
      });
      t.expect(/is undoing/.test(words(refused)), `the step: ${words(refused)}`);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a release that fails is a failed step',
    run: async (subject) => {
      const t = trial();
      let failed = false;
      const { ending } = await t.run(
        subject,
        async (tx, o) => {
          const held = await tx.temporary(o.open, { name: 'old' });
          await held.release().catch(() => undefined);
        },
        {
          plan: {
            faulty: ({ label }) => {
              if (failed || !label.startsWith('close')) return undefined;
              failed = true;
              return 'before';
            },
          },
        },
      );
      t.expectEnding(ending, /^RolledBackError.*injected: close/);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a temporary thing taken in a scope can be released after it',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, async (tx, o) => {
        const held = await tx.scope('inner', (inner) => inner.temporary(o.open, { name: 'old' }));
        await held.release();
      });
      t.expectEnding(ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a signal lets the running step end, and undoes everything',
    run: async (subject) => {
      const found: string[] = [];
      const labels = (await signalled(subject, () => false)).labels;
      for (const label of labels) {
        const { t, ending } = await signalled(subject, (each) => each === label);
        if (ending.how === 'done')
          t.expect(/committed|closed|remove|rename|fsync/.test(label), `done at ${label}`);
        else {
          t.expectEnding(ending, /^InterruptedError/);
          t.expectBefore();
        }
        found.push(...t.found.map((each) => `at ${label}: ${each}`));
      }
      return found;
    },
  },
  {
    name: 'a second signal leaves the journal open while a step or its undo runs, and recovery waits for them',
    run: async (subject) => {
      const found: string[] = [];
      for (const phase of ['step', 'undo'] as const) {
        const t = trial();
        const { ending, over } = await abandoned(subject, t, phase);
        t.expectEnding(ending, /^StuckError/);
        t.expect(
          [...t.world.files.names.keys()].some((name) => name.endsWith('.journal')),
          'no journal is open',
        );
        const busy = await recoverAll(subject, t.world, { machine: t.machine });
        t.expect(JSON.stringify(busy.ending).includes('"running"'), 'recovered while its step still ran');
        await over();
        t.expectEnding((await t.recover(subject)).ending, /code of a process that is gone/);
        found.push(...t.found.map((each) => `${phase}: ${each}`));
      }
      return found;
    },
  },
  {
    name: 'a dead sequence blocks what it makes and changes, and nothing else',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, (tx, o) => tx.step(o.setValue, { name: 'size', value: '2' }), /committed/);
      const same = await t.run(subject, (tx, o) => tx.step(o.wipe, { name: 'size' }));
      t.expectEnding(same.ending, /^JournalError: prop:size belongs to the unfinished sequence/);
      const other = await t.run(subject, (tx, o) => tx.step(o.make, { name: 'a' }));
      t.expectEnding(other.ending, 'done');
      return t.found;
    },
  },
  {
    name: 'an object of a living sequence is refused, naming it',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, async (tx, o) => {
        await tx.step(o.setValue, { name: 'size', value: '2' });
        const second = await t.run(subject, (other, p) => other.step(p.wipe, { name: 'size' }));
        t.expectEnding(second.ending, /^JournalError: prop:size is in use by sequence .* "trial"/);
      });
      t.expectEnding(ending, 'done');
      return t.found;
    },
  },
  {
    name: 'a sequence that cannot see the lock of a living one (two /run) is refused what that one has in its journal',
    run: async (subject) => {
      const t = trial();
      const machine = newMachine();
      const { ending } = await t.run(
        subject,
        async (tx, o) => {
          await tx.step(o.make, { name: 'a' });
          const other = await run(
            subject,
            t.world,
            { name: 'other', body: (theirs, toys) => theirs.step(toys.remove, { name: 'a' }) },
            { machine: { ...machine, objectLocks: new Map() } },
          );
          t.expectEnding(other.ending, /^JournalError.*vol:a is in use by sequence .* lost its lock/);
        },
        { machine },
      );
      t.expectEnding(ending, 'done');
      return t.found;
    },
  },
  {
    name: 'a sequence that got stuck blocks its objects and is recovered, also in the process that began it',
    run: async (subject) => {
      const t = trial();
      let repaired = false;
      const { ending, process } = await t.run(
        subject,
        async (tx, o) => {
          await tx.step(o.make, { name: 'a' });
          throw new Error('the script failed');
        },
        { plan: { faulty: ({ label }) => (!repaired && label.startsWith('unmake') ? 'before' : undefined) } },
      );
      t.expectEnding(ending, /^StuckError/);
      const { engine, toys } = process;
      const again = new subject.modules.sequence.AtomicOperationSequence({ engine, name: 'again' });
      const refused = await again.run((tx) => tx.step(toys.remove, { name: 'a' })).catch((e: unknown) => e);
      t.expect(/belongs to the unfinished sequence/.test(words(refused)), `refused: ${words(refused)}`);
      repaired = true;
      const [open] = await subject.modules.recover.openJournals(engine);
      t.expect(open?.owner === 'dead', `its owner is ${open?.owner ?? 'not there'}`);
      const recovered = await subject.modules.recover.recover(open?.id ?? '', { engine, yes: true });
      t.expect(recovered.end === 'rolled-back', recovered.end);
      t.expectBefore();
      return t.found;
    },
  },
];

/** Interrupted just before the first event of a label. */
async function signalled(subject: Parameters<Scenario['run']>[0], is: (label: string) => boolean) {
  const t = trial();
  const stop = new AbortController();
  const { ending, process } = await run(
    subject,
    t.world,
    {
      name: 'trial',
      body: async (tx, o) => {
        await tx.step(o.make, { name: 'a' });
        await tx.scope('inner', (inner) => inner.step(o.format, { name: 'a' }));
        await tx.temporary(o.open, { name: 'a' });
      },
    },
    {
      machine: t.machine,
      stop: stop.signal,
      plan: {
        meanwhile: ({ label }) => {
          if (is(plain(label))) stop.abort();
        },
      },
    },
  );
  return { t, ending, labels: new Set(process.events.map(({ label }) => plain(label))) };
}

function plain(label: string): string {
  return label.replaceAll(/[0-9a-f]{12}/g, 'ID');
}

/** Two signals, while a step or its undo waits for a gate; `over` opens that. */
async function abandoned(
  subject: Parameters<Scenario['run']>[0],
  t: ReturnType<typeof trial>,
  phase: 'step' | 'undo',
) {
  const [stop, abandon] = [new AbortController(), new AbortController()];
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const signals = async (): Promise<void> => {
    stop.abort();
    setTimeout(() => abandon.abort(), 5);
    await gate;
  };
  const { ending } = await t.run(
    subject,
    async (tx, o) => {
      await tx.step(o.make, { name: 'a' });
      const forward = phase === 'step' ? signals : () => undefined;
      const inverse = phase === 'undo' ? signals : () => undefined;
      await tx.effect('slow', forward, inverse, { claims: { makes: ['gate:1'] } });
      throw new Error('the script failed');
    },
    { stop: stop.signal, abandon: abandon.signal },
  );
  const over = async (): Promise<void> => {
    open();
    await delay(5);
  };
  return { ending, over };
}
