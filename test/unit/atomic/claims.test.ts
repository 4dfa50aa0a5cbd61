import { describe, expect, test } from 'vitest';
import { claim, withHost, type Claiming } from '../../../src/atomic/locks/claims.ts';
import { ownerLine, type Engine } from '../../../src/atomic/engine.ts';
import type { Line } from '../../../src/atomic/journal/lines.ts';
import { openNew } from '../../../src/atomic/journal/journal-writer.ts';
import type { Claims } from '../../../src/atomic/operation.ts';
import { messageOf, JournalError, UsageError } from '../../../src/core/errors.ts';
import type { StoreFile } from '../../../src/atomic/journal/store.ts';
import { begin, intent } from '../../support/crash/lines.ts';
import { newMachine, spawn } from '../../support/crash/process.ts';
import { newWorld } from '../../support/crash/world.ts';
import { rejectionOf } from '../../support/rejection.ts';

function start(more: Partial<Engine> = {}): Engine {
  return { ...spawn(newWorld(), newMachine(), { find: () => undefined }).engine, ...more };
}

function claiming(engine: Engine, stop = new AbortController().signal): Claiming {
  return {
    engine,
    id: 'own',
    locks: engine.locks.open(),
    running: new Map(),
    stop,
    enter: () => Promise.reject(new Error('it is on this host')),
  };
}

/** An open journal whose steps have these claims; its owner is this process, or one that is gone. */
function journal(
  engine: Engine,
  id: string,
  claims: readonly (Claims | null)[],
  owner: 'living' | 'gone' | 'elsewhere' = 'living',
  more: readonly Line[] = [],
): StoreFile {
  const gone = owner === 'gone' ? { boot: 'another' } : owner === 'elsewhere' ? { namespace: 'pid:[1]' } : {};
  const argv = ['bofh', 'vm', 'create', id];
  const first = { ...begin, ...ownerLine(engine), ...gone, id, name: `about ${id}`, argv };
  const file = engine.store.create(`${id}.new`);
  openNew(engine, file, first, [
    ...claims.map((each, index) => intent(index + 1, { claims: each })),
    ...more,
  ]);
  return file;
}

test('the lock keys of another host contain its name, those of this one do not', () => {
  const engine = start();
  const far = { ...engine, host: { ...engine.host, name: 'far' } };

  expect(withHost(far, { makes: ['a'], needs: ['b'] })).toEqual({
    makes: ['far!a'],
    changes: [],
    needs: ['far!b'],
  });
  expect(withHost(engine, { changes: ['a'] })).toEqual({ makes: [], changes: ['a'], needs: [] });
});

describe('steps of one sequence', () => {
  test('run in parallel on different objects, and on one that both only need', async () => {
    const at = claiming(start());

    await claim(at, 'first', 1, { makes: ['a'], needs: ['host'] });
    await claim(at, 'second', 2, { makes: ['b'], needs: ['host'] });

    expect([...at.running.keys()]).toEqual([1, 2]);
  });

  test('are refused on one object, and both are named', async () => {
    const at = claiming(start());
    await claim(at, 'first', 1, { makes: ['a'] });

    const error = await rejectionOf(claim(at, 'second', 2, { needs: ['a'] }));

    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({
      message: 'second and first work on a at the same time: await the first one',
    });
  });
});

describe('an object that another sequence has', () => {
  test.each<[string, Claims]>([
    ['changes', { changes: ['a'] }],
    ['needs', { needs: ['a'] }],
  ])('is refused with the holder, its pid and its command line (%s)', async (_how, claims) => {
    const engine = start();
    await engine.locks.open().take(claims);
    // One that has other objects, one that names none, our own; and then the one.
    journal(engine, 'aaa', [{ changes: ['b'] }, {}]);
    journal(engine, 'bbb', [null]);
    journal(engine, 'own', [{ changes: ['a'] }]);
    journal(engine, 'zzz', [{ makes: ['c'] }, claims]);

    const error = await rejectionOf(claim(claiming(engine), 'toy', 1, { changes: ['a'] }));

    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({
      message: `a is in use by sequence zzz "about zzz" (pid ${engine.processes.self.pid}: bofh vm create zzz)`,
      remedy: 'run the command again when it has ended, or with wait: 60_000',
    });
  });

  test('is refused also when no journal names the holder yet', async () => {
    const engine = start();
    await engine.locks.open().take({ changes: ['a'] });

    await expect(claim(claiming(engine), 'toy', 1, { changes: ['a'] })).rejects.toThrow(
      'a is in use by another bofh that has just started',
    );
  });

  test('is refused because of its journal when the lock is gone, and free once that is closed', async () => {
    const engine = start();
    const living = journal(engine, 'aaa', [{ changes: ['a'] }]);

    const error = await rejectionOf(claim(claiming(engine), 'toy', 1, { needs: ['a'] }));
    const free = claim(claiming(engine), 'toy', 1, { changes: ['b'] });

    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({
      message: `a is in use by sequence aaa "about aaa" (pid ${engine.processes.self.pid}: bofh vm create aaa), which has lost its lock`,
    });
    await expect(free).resolves.toBe(false);
    living.close();
  });

  test('is refused with an unknown holder when its journal is in another PID namespace', async () => {
    const engine = start();
    const file = journal(engine, 'aaa', [{ changes: ['a'] }], 'elsewhere');
    await engine.flock([{ fd: file.fd, mode: 'exclusive' }]);

    const error = await rejectionOf(claim(claiming(engine), 'toy', 1, { needs: ['a'] }));
    file.close();
    const dead = await rejectionOf(claim(claiming(engine), 'toy', 1, { needs: ['a'] }));

    expect(messageOf(error)).toMatch(/^a belongs to journal aaa, and it is not visible here/);
    expect(messageOf(dead)).toMatch(/^a belongs to the unfinished sequence aaa/);
  });

  test('is waited for as long as configured, and then locked', async () => {
    const engine = start({ waitMs: 20_000 });
    const other = engine.locks.open();
    await other.take({ changes: ['a'] });
    let had = false;

    const waiting = claim(claiming(engine), 'toy', 1, { changes: ['a'] }).then(() => {
      had = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const tooEarly = had;
    other.release();
    await waiting;

    expect([tooEarly, had]).toEqual([false, true]);
  });

  test.each([
    ['locked before', true],
    ['not locked before', false],
  ])('says whether all was %s', async (_, held) => {
    const at = claiming(start());
    await at.locks.take({ changes: ['a'], needs: ['b'] });
    if (!held) at.locks.release();

    expect(await claim(at, 'toy', 1, { changes: ['a'], needs: ['b'] })).toBe(held);
  });

  test('that was waited for does not count as locked before', async () => {
    const engine = start({ waitMs: 20_000 });
    journal(engine, 'aaa', [{ changes: ['a'] }]);
    const at = claiming(engine);
    await at.locks.take({ changes: ['a'] });

    const waiting = claim(at, 'toy', 1, { changes: ['a'] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    engine.store.remove('aaa.journal');

    expect(await waiting).toBe(false);
  });

  test('is not waited for without a configured time, nor after a signal', async () => {
    const stopped = new AbortController();
    stopped.abort();
    for (const at of [claiming(start()), claiming(start({ waitMs: 60_000 }), stopped.signal)]) {
      await at.engine.locks.open().take({ changes: ['a'] });
      const begun = performance.now();

      await expect(claim(at, 'toy', 1, { changes: ['a'] })).rejects.toThrow(/is in use/);

      expect(performance.now() - begun).toBeLessThan(5_000);
    }
  });
});

describe('an object of a sequence that died', () => {
  test('is refused until recovery; the error names sequence, step and remedy', async () => {
    const engine = start();
    journal(engine, 'dead', [{ makes: ['b'] }, { makes: ['a'] }], 'gone').close();

    const error = await rejectionOf(claim(claiming(engine), 'toy', 1, { needs: ['a'] }));

    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({
      message: 'a belongs to the unfinished sequence dead "about dead", step toy (a)',
      remedy: 'bofh recover; to look first: bofh journal show dead',
    });
  });

  test.each<[string, Line]>([
    ['its step is undone', { t: 'undone', n: 1 }],
    ['it was abandoned, though a crash kept its journal from moving', { t: 'closed', outcome: 'abandoned' }],
  ])('is free when %s', async (_, line) => {
    const engine = start();
    journal(engine, 'dead', [{ makes: ['a'] }], 'gone', [line]).close();

    await expect(claim(claiming(engine), 'toy', 1, { changes: ['a'] })).resolves.toBe(false);
  });

  test('is free when that sequence only needed it too, or names no objects', async () => {
    const engine = start();
    journal(engine, 'dead', [{ needs: ['a'] }, null], 'gone').close();

    await expect(claim(claiming(engine), 'toy', 1, { needs: ['a'] })).resolves.toBe(false);
  });
});
