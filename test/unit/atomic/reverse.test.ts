import { describe, expect, test } from 'vitest';
import type { Reverse } from '../../../src/atomic/sequence/reverse.ts';
import { withReverse } from '../../../src/atomic/sequence/reverse.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence, type Steps } from '../../../src/atomic/sequence/sequence.ts';
import { RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { newMachine, spawn, type Process } from '../../support/crash/process.ts';
import { newWorld } from '../../support/crash/world.ts';
import { rejectionOf } from '../../support/rejection.ts';

/** A set of accounts, the functions that change it, and what was called, in its order. */
function accounts(...others: readonly string[]) {
  const there = new Set(others);
  const calls: string[] = [];
  const add = (name: string): string => {
    calls.push(`add ${name}`);
    if (there.has(name)) throw new Error(`${name} exists`);
    there.add(name);
    return `id of ${name}`;
  };
  const remove = (name: string): void => {
    calls.push(`remove ${name}`);
    there.delete(name);
  };
  const reverse: Reverse = (f, [name]) => (f === add ? () => remove(String(name)) : undefined);
  return { there, calls, add, remove, reverse };
}

function start(): Process {
  return spawn(newWorld(), newMachine(), { find: () => undefined });
}

function run<T>(
  reverse: Reverse | undefined,
  body: (tx: Steps) => T | Promise<T>,
  { engine } = start(),
): Promise<T> {
  const given = reverse === undefined ? {} : { reverse };
  return new AtomicOperationSequence({ engine, name: 'accounts', ...given }).run(body);
}

const fail = (): never => {
  throw new Error('the script failed');
};

describe('a sequence with a `reverse`', () => {
  test('returns the value of the function, and calls no inverse when it succeeds', async () => {
    const { calls, add, reverse } = accounts();

    const id = await run(reverse, (tx) => tx.call(add, 'ann'));

    expect(id).toBe('id of ann');
    expect(calls).toEqual(['add ann']);
  });

  test('calls the inverses newest first when it fails', async () => {
    const { there, calls, add, reverse } = accounts('root');
    const body = async (tx: Steps): Promise<void> => {
      await tx.call(add, 'ann');
      await tx.call(add, 'bob');
      fail();
    };

    const error = await rejectionOf(run(reverse, body));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(error).toMatchObject({ cause: { message: 'the script failed' }, leftUntouched: [] });
    expect(calls).toEqual(['add ann', 'add bob', 'remove bob', 'remove ann']);
    expect([...there]).toEqual(['root']);
  });

  test('makes the inverse before the function runs, so it can save the old state', async () => {
    const order: string[] = [];
    const names = ['ann'];
    const clear = (list: string[]): void => {
      order.push('the call');
      list.length = 0;
    };
    const reverse: Reverse = async () => {
      await Promise.resolve();
      const before = [...names];
      order.push('its inverse is made');
      return () => names.push(...before);
    };

    await rejectionOf(run(reverse, (tx) => tx.call(clear, names).then(fail)));

    expect(order).toEqual(['its inverse is made', 'the call']);
    expect(names).toEqual(['ann']);
  });

  test.each<[string, Reverse | undefined, RegExp]>([
    ['none was given', undefined, /nameless was not called, because bofh does not know how to undo it/],
    ['it knows none', () => undefined, /nameless was not called, because bofh does not know how to undo it/],
    [
      'it gives no function',
      () => 'rm' as never,
      /nameless was not called, because bofh does not know how to undo it/,
    ],
    ['it throws', () => fail(), /nameless was not called: its inverse cannot be made: the script failed/],
  ])('refuses a call before it runs when %s, and undoes what is older', async (_how, made, wanted) => {
    const { there, calls, add, remove, reverse } = accounts();
    const ran: string[] = [];
    const nameless = (): unknown => ran.push('nameless');
    const addWithInverse = withReverse(add, remove);

    const alone = await rejectionOf(run(made, (tx) => tx.call(nameless)));
    const after = await rejectionOf(
      run(made, (tx) => tx.call(addWithInverse, 'ann').then(() => tx.call(nameless))),
    );

    expect(alone).toBeInstanceOf(UsageError);
    expect((alone as UsageError).message).toMatch(wanted);
    expect(after).toBeInstanceOf(RolledBackError);
    expect((after as RolledBackError).cause).toBeInstanceOf(UsageError);
    expect(ran).toEqual([]);
    expect(calls).toEqual(['add ann', 'remove ann']);
    expect([...there]).toEqual([]);
    expect(reverse(nameless, [])).toBeUndefined();
  });

  test('reports why the inverse could not be made, and what is left', async () => {
    const cause = new Error('no such account');
    const unmade: Reverse = () => {
      throw cause;
    };
    const { add } = accounts();

    expect(await rejectionOf(run(unmade, (tx) => tx.call(add, 'ann')))).toMatchObject({ cause });
    expect(await rejectionOf(run(undefined, (tx) => tx.call(add, 'ann')))).toMatchObject({
      remedy:
        'give the function an inverse with withReverse() or with the `reverse` of the sequence, or use tx.effect',
    });
    expect(await rejectionOf(run(undefined, (tx) => tx.call(() => 'done')))).toMatchObject({
      message: 'a function without a name was not called, because bofh does not know how to undo it',
    });
  });

  test('does not call the inverse of a call that failed, and says so: the found state may be foreign', async () => {
    const { there, calls, add, reverse } = accounts('bob');
    const body = async (tx: Steps): Promise<void> => {
      await tx.call(add, 'ann');
      await tx.call(add, 'bob');
    };

    const error = await rejectionOf(run(reverse, body));

    expect(calls).toEqual(['add ann', 'add bob', 'remove ann']);
    expect([...there]).toEqual(['bob']);
    expect(error).toMatchObject({
      cause: { message: 'bob exists' },
      leftUntouched: [expect.stringContaining('add failed, and its inverse was not called')],
    });
  });

  test('undoes a successful scope with the whole sequence', async () => {
    const { calls, add, reverse } = accounts();
    const body = async (tx: Steps): Promise<void> => {
      await tx.call(add, 'ann');
      await tx.scope('inner', (inner) => inner.call(add, 'bob'));
      await tx.call(add, 'cy');
      fail();
    };

    await rejectionOf(run(reverse, body));

    expect(calls).toEqual(['add ann', 'add bob', 'add cy', 'remove cy', 'remove bob', 'remove ann']);
  });

  test('undoes a failed scope alone, and continues', async () => {
    const { there, calls, add, reverse } = accounts();
    const body = async (tx: Steps): Promise<void> => {
      await tx.call(add, 'ann');
      await rejectionOf(tx.scope('inner', (inner) => inner.call(add, 'bob').then(fail)));
      await tx.call(add, 'cy');
    };

    await run(reverse, body);

    expect(calls).toEqual(['add ann', 'add bob', 'remove bob', 'add cy']);
    expect([...there]).toEqual(['ann', 'cy']);
  });

  test('keeps both errors when an inverse fails, and names what is left', async () => {
    const { there, add, reverse } = accounts();
    const failing: Reverse = (f, [name]) =>
      name === 'bob'
        ? () => {
            throw new Error('bob is logged in');
          }
        : reverse(f, [name]);
    const body = async (tx: Steps): Promise<void> => {
      await tx.call(add, 'ann');
      await tx.call(add, 'bob');
      fail();
    };

    const error = await rejectionOf(run(failing, body));

    expect(error).toBeInstanceOf(StuckError);
    const { cause, blocked } = error as StuckError;
    expect((cause as AggregateError).errors.map(String)).toEqual([
      'Error: the script failed',
      'Error: bob is logged in',
    ]);
    // Nothing says that the older one has nothing to do with it.
    expect(blocked.map(({ n, why }) => [n, why])).toEqual([
      [1, 'step 2 stands in the way'],
      [2, 'bob is logged in'],
    ]);
    expect([...there]).toEqual(['ann', 'bob']);
  });

  test('is undone only in its own process: after a kill recovery reports the call as blocked', async () => {
    const { add, reverse } = accounts();
    const world = newWorld();
    const process = spawn(world, newMachine(), { find: () => undefined });
    const body = async (tx: Steps): Promise<void> => {
      await tx.call(add, 'ann');
      process.kill();
    };
    await rejectionOf(run(reverse, body, process));
    const { engine } = spawn(world, newMachine(), { find: () => undefined });

    const [open] = await openJournals(engine);
    const error = await rejectionOf(recover(open?.id ?? '', { engine, yes: true }));

    expect(open?.state.steps.map(({ intent }) => [intent.kind, intent.args])).toEqual([
      ['bare', { name: 'add' }],
    ]);
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).blocked.map(({ n, why }) => [n, why])).toEqual([
      [1, 'its inverse was code of a process that is gone'],
    ]);
  });
});

describe('a function with an inverse of its own', () => {
  test('is undone by it with the same arguments, whatever rule the sequence has', async () => {
    const { calls, add, remove } = accounts();
    const own = withReverse(add, remove);
    const other: Reverse = () => () => calls.push('the inverse of the sequence');

    await rejectionOf(run(other, (tx) => tx.call(own, 'ann').then(fail)));

    expect(calls).toEqual(['add ann', 'remove ann']);
  });

  test('is undone with arguments that were computed from those of the call, before the call', async () => {
    const sizes = new Map([['web1', 1]]);
    const resize = (name: string, size: number): void => void sizes.set(name, size);
    const resizeBack = (name: string, size: number): void => void sizes.set(name, size);
    const own = withReverse(resize, resizeBack, (name) => [name, sizes.get(name) ?? 0]);

    await rejectionOf(run(undefined, (tx) => tx.call(own, 'web1', 2).then(fail)));

    expect([...sizes]).toEqual([['web1', 1]]);
  });

  test('behaves like that function otherwise', () => {
    const { calls, add, remove } = accounts();

    const own = withReverse(add, remove);

    expect(own('ann')).toBe('id of ann');
    expect(own.name).toBe('add');
    expect(calls).toEqual(['add ann']);
  });
});

describe('a pair without a sequence', () => {
  test.each<[string, () => string, readonly unknown[]]>([
    ['is undone with what it gave', () => 'a result', ['a result']],
    ['is undone without a result when it failed: it may have begun', () => fail(), [undefined]],
  ])('%s', async (_, forward, wanted) => {
    const given: unknown[] = [];
    const inverse = (result: unknown): void => void given.push(result);

    const error = await rejectionOf(run(undefined, (tx) => tx.effect('pair', forward, inverse).then(fail)));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(given).toEqual(wanted);
  });
});

test('the types check the arguments of a call and of its inverse', () => {
  const body = async (tx: Steps): Promise<void> => {
    const length: number = await tx.call(async (text: string) => text.length, 'four');
    // @ts-expect-error -- the function takes a text
    await tx.call((text: string) => text, length);
    // @ts-expect-error -- the function wants an argument
    await tx.call((text: string) => text);
    withReverse(
      (name: string) => name,
      // @ts-expect-error -- the inverse is called with a text
      (count: number) => count,
    );
    withReverse(
      (name: string) => name,
      (count: number) => count,
      (name) => [name.length],
    );
  };

  expect(body).toBeTypeOf('function');
});
