import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import type { Engine } from '../../../src/atomic/engine.ts';
import { decode, type Line } from '../../../src/atomic/journal/lines.ts';
import { operation, type Look } from '../../../src/atomic/operation.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence, type Steps } from '../../../src/atomic/sequence/sequence.ts';
import { RefusedError, RolledBackError, StuckError, type Holder } from '../../../src/core/errors.ts';
import { newMachine, spawn, type Plan } from '../../support/crash/process.ts';
import { crash } from '../../support/crash/trial.ts';
import { newWorld } from '../../support/crash/world.ts';
import { rejectionOf } from '../../support/rejection.ts';

const named = z.object({ name: z.string() });

/** An operation whose every answer the test chooses, and what was asked of it. */
function puppet(lives: 'disk' | 'boot' = 'disk') {
  const asked: string[] = [];
  const looks = new Map<string, Look>();
  const acts = {
    revert: async (_name: string): Promise<void> => undefined,
    finish: async (_name: string): Promise<void> => undefined,
    witness: async (): Promise<string | undefined> => undefined,
  };
  const gone = (name: string): void => void looks.set(name, { state: 'gone' });
  const thing = operation({
    kind: 'toy.thing',
    version: 1,
    args: named,
    undo: named,
    result: z.null(),
    lives,
    restores: 'state',
    prepare: async ({ args }) => args,
    claims: ({ undo }) => ({ makes: [`toy:${undo.name}`] }),
    run: async ({ undo: { name } }) => {
      looks.set(name, { state: 'ours' });
      return null;
    },
    value: () => undefined,
    look: async ({ undo: { name } }) => looks.get(name) ?? { state: 'gone' },
    revert: async ({ undo: { name } }) => {
      asked.push(`revert ${name}`);
      gone(name);
      await acts.revert(name);
    },
    content: {
      lost: 'finished',
      of: 'device',
      witness: () => acts.witness(),
      changed: () => Promise.resolve(undefined),
    },
    afterCommit: async ({ undo: { name } }) => {
      asked.push(`finish ${name}`);
      gone(name);
      await acts.finish(name);
    },
  });
  const find = (): never => thing as never;
  return { thing, asked, looks, acts, find };
}

type Puppet = ReturnType<typeof puppet>;

const world = newWorld;

function engineOf({ find }: Puppet, at = world(), plan?: Plan): Engine {
  return spawn(at, newMachine(), { find, ...(plan === undefined ? {} : { plan }) }).engine;
}

/** Makes these things, and then does what `then` says. */
function making(toy: Puppet, names: readonly string[], then: () => void) {
  return async (tx: Steps): Promise<void> => {
    for (const name of names) await tx.step(toy.thing, { name });
    then();
  };
}

const fail = (): never => {
  throw new Error('the script failed');
};

/** A sequence that makes these things and fails; `meanwhile` is what the others find then. */
async function failing(toy: Puppet, names: readonly string[], meanwhile: () => void): Promise<unknown> {
  const then = (): never => {
    meanwhile();
    return fail();
  };
  const sequence = new AtomicOperationSequence({ engine: engineOf(toy), name: 'toys' });
  return rejectionOf(sequence.run(making(toy, names, then)));
}

const holder = (words: string): Holder => ({ kind: 'unknown', words });

describe('the foreign objects in the error of an undone sequence', () => {
  test.each<[string, Look, readonly string[], readonly string[]]>([
    ['nothing', { state: 'ours' }, [], ['revert a']],
    ['nothing, of what is gone', { state: 'gone', found: 'a hole' }, [], []],
    ['what is kept because of others', { state: 'gone', kept: 'a key' }, ['toy.thing (toy:a): a key'], []],
    [
      'what is in the place of ours',
      { state: 'not-ours', found: 'a foreign a' },
      ['toy.thing (toy:a): a foreign a'],
      [],
    ],
    ['that something is', { state: 'not-ours' }, ['toy.thing (toy:a): another object is in its place'], []],
    [
      'what is beside ours',
      { state: 'ours', found: 'an edited a' },
      ['toy.thing (toy:a): an edited a'],
      ['revert a'],
    ],
  ])('%s', async (_, look, leftUntouched, asked) => {
    const toy = puppet();

    const error = await failing(toy, ['a'], () => toy.looks.set('a', look));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(error).toMatchObject({ leftUntouched });
    expect(toy.asked).toEqual(asked);
  });

  test('include those of a scope', async () => {
    const toy = puppet();
    const sequence = new AtomicOperationSequence({ engine: engineOf(toy), name: 'toys' });

    const error = await rejectionOf(
      sequence.run((tx) =>
        tx.scope('inner', async (inner) => {
          await inner.step(toy.thing, { name: 'a' });
          toy.looks.set('a', { state: 'not-ours', found: 'a foreign a' });
          fail();
        }),
      ),
    );

    expect(error).toMatchObject({ leftUntouched: ['toy.thing (toy:a): a foreign a'] });
  });
});

describe('an undo that fails', () => {
  test.each<[string, readonly Holder[] | undefined, string]>([
    ['nobody', undefined, ''],
    ['two', [holder('mounted on /mnt'), holder('swap')], '; used by mounted on /mnt, swap'],
  ])(
    'although its program reports success: the error says so, and names the holder (%s)',
    async (_, holders, used) => {
      const toy = puppet();
      const left: Look = { state: 'ours', ...(holders === undefined ? {} : { holders }) };
      toy.acts.revert = async (name) => {
        if (name === 'b') toy.looks.set('b', left);
      };

      const error = await failing(toy, ['a', 'b', 'c'], () => toy.looks.set('a', { state: 'not-ours' }));

      expect(error).toBeInstanceOf(StuckError);
      // Only what failed: not what was undone, nor what was left untouched.
      expect((error as StuckError).cause).toMatchObject({
        errors: [
          { message: 'the script failed' },
          { message: `toy.thing (toy:b) is still there, although its tool reported success${used}` },
        ],
      });
      expect(toy.asked).toEqual(['revert c', 'revert b']);
    },
  );

  test('stores in the journal the holder and the remedy of its error', async () => {
    const toy = puppet();
    const [held, plain] = [holder('mounted on /mnt'), 'lvremove failed'];
    toy.acts.revert = async (name) => {
      toy.looks.set(name, { state: 'ours' });
      if (name === 'a') throw new RefusedError('it is busy', { remedy: 'umount /mnt', holders: [held] });
      if (name === 'b') throw new RefusedError('it is odd');
      throw new Error(plain);
    };
    const engine = engineOf(toy);
    const sequence = new AtomicOperationSequence({ engine, name: 'toys' });

    await rejectionOf(sequence.run(making(toy, ['a', 'b', 'c'], fail)));

    const [open] = await openJournals(engine);
    expect(open?.state.steps.map(({ blocked }) => blocked)).toEqual([
      { why: 'failed', message: 'it is busy', holders: [held], remedy: 'umount /mnt' },
      { why: 'failed', message: 'it is odd' },
      { why: 'failed', message: plain },
    ]);
  });
});

describe('objects that ended with an earlier boot', () => {
  async function recovered(look: Look) {
    const toy = puppet('boot');
    const at = world();
    const first = engineOf(toy, at, { crashBefore: ({ label }) => label.includes('rollback') });
    await rejectionOf(
      new AtomicOperationSequence({ engine: first, name: 'toys' }).run(making(toy, ['a'], fail)),
    );
    crash(at, 'reboot');
    // The puppet does not see that its first process is dead.
    toy.asked.length = 0;
    toy.looks.set('a', look);
    const engine = engineOf(toy, at);
    const [open] = await openJournals(engine);
    const { leftUntouched } = await recover(open?.id ?? '', { engine, yes: true });
    return { leftUntouched, asked: toy.asked };
  }

  test.each<[string, Look, readonly string[]]>([
    ['is gone: there is nothing to tell', { state: 'gone' }, []],
    [
      'is there again: it is named, with who uses it',
      { state: 'ours', holders: [holder('a guest')] },
      ['toy.thing (toy:a): after the reboot it was set to the same state again; used by a guest'],
    ],
    [
      'is there again, unused',
      { state: 'ours' },
      ['toy.thing (toy:a): after the reboot it was set to the same state again'],
    ],
    [
      'is something else now: it is named as it was found',
      { state: 'not-ours', found: 'a foreign mount' },
      ['toy.thing (toy:a): a foreign mount'],
    ],
  ])('and %s; and is not touched', async (_, look, leftUntouched) => {
    expect(await recovered(look)).toEqual({ leftUntouched, asked: [] });
  });
});

describe('after the commit', () => {
  test.each<[string, Look, readonly string[], object]>([
    ['what is ours is finished', { state: 'ours' }, ['finish a'], {}],
    ['what is gone is not touched', { state: 'gone' }, [], {}],
    [
      'an object of others is not touched, and the journal says so',
      { state: 'not-ours', found: 'a foreign a' },
      [],
      { notOurs: 'a foreign a' },
    ],
  ])('%s', async (_, look, asked, more) => {
    const toy = puppet();
    // Another process acts just when the commit is written.
    const plan: Plan = {
      meanwhile: ({ label }) => {
        if (/^fdatasync .*committed/.test(label)) toy.looks.set('a', look);
      },
    };
    const engine = engineOf(toy, world(), plan);
    const sequence = new AtomicOperationSequence({ engine, name: 'toys' });

    await sequence.run(making(toy, ['a'], () => undefined));

    expect(toy.asked).toEqual(asked);
    expect(historyOf(engine, sequence.id).filter(({ t }) => t === 'finished')).toEqual([
      { t: 'finished', n: 1, ...more },
    ]);
  });

  test('an object that others make while it is removed is not touched, and the journal says so', async () => {
    const toy = puppet();
    toy.acts.finish = async (name) => void toy.looks.set(name, { state: 'not-ours', found: 'a foreign a' });
    const engine = engineOf(toy);
    const sequence = new AtomicOperationSequence({ engine, name: 'toys' });

    await sequence.run(making(toy, ['a'], () => undefined));

    expect(toy.asked).toEqual(['finish a']);
    expect(historyOf(engine, sequence.id)).toContainEqual({ t: 'finished', n: 1, notOurs: 'a foreign a' });
  });
});

test('what an act after the commit destroys is undone instead if it cannot be read before the commit', async () => {
  const toy = puppet();
  toy.acts.witness = async () => Promise.reject(new RefusedError('input/output error'));
  const sequence = new AtomicOperationSequence({ engine: engineOf(toy), name: 'toys' });

  const error = await rejectionOf(sequence.run(making(toy, ['a'], () => undefined)));

  expect(error).toBeInstanceOf(RolledBackError);
  expect(toy.asked).toEqual(['revert a']);
});

function historyOf({ store }: Engine, id: string): readonly Line[] {
  const file = store.open(`history/${id}.journal`);
  if (file === undefined) throw new Error('the journal has not moved to the history');
  return decode(file.read(), id).lines;
}

test('does not start the next act after a second signal', async () => {
  const toy = puppet();
  const [stop, abandon] = [new AbortController(), new AbortController()];
  const plan: Plan = {
    meanwhile: ({ label }) => {
      if (label === 'fdatasync undone 2') abandon.abort();
    },
  };
  const engine = engineOf(toy, world(), plan);
  const signals = { stop: stop.signal, abandon: abandon.signal };
  const sequence = new AtomicOperationSequence({ engine, name: 'toys', ...signals });

  const error = await rejectionOf(sequence.run(making(toy, ['a', 'b'], fail)));

  expect(error).toBeInstanceOf(StuckError);
  expect(toy.asked).toEqual(['revert b']);
});

test('reports the progress of an undo with its step', async () => {
  const toy = puppet();
  const told: unknown[] = [];
  const engine = engineOf(toy);
  const onProgress: Engine['onProgress'] = (step) => void told.push(step);
  const during: Engine['host']['during'] = (step) => {
    step.onProgress?.({ command: { tool: 'toy', argv: [] }, fraction: 0.5 });
    return engine.host.during(step);
  };
  const watched = { ...engine, onProgress, host: { ...engine.host, during } };

  await rejectionOf(
    new AtomicOperationSequence({ engine: watched, name: 'toys' }).run(making(toy, ['a'], fail)),
  );

  expect(told).toEqual([
    { n: 1, kind: 'toy.thing' },
    { n: 1, kind: 'toy.thing' },
  ]);
});
