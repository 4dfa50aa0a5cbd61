import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Engine, ownerLine } from '../../../src/atomic/engine.ts';
import { adopt, adoptAgain, append, type Journal } from '../../../src/atomic/journal/journal-writer.ts';
import type { Line } from '../../../src/atomic/journal/lines.ts';
import { closedJournal, journalOf } from '../../../src/atomic/journal/scan.ts';
import { confirmSequence, guardSequence } from '../../../src/atomic/recovery/confirmation.ts';
import { abandon, recover } from '../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence, type Steps } from '../../../src/atomic/sequence/sequence.ts';
import { InterruptedError, StuckError } from '../../../src/core/errors.ts';
import { create, remove } from '../../../src/file/index.ts';
import { furnish, realEngine } from '../../support/crash/real/engine.ts';

interface Waiting {
  readonly engine: Engine;
  readonly sequence: AtomicOperationSequence;
  /** What the sequence ends with. */
  readonly ended: Promise<unknown>;
  readonly data: (name: string) => string | undefined;
  readonly guarded: readonly string[];
  readonly stop: AbortController;
}

/** A sequence that has done its steps, if `steps` does not throw, and waits. */
async function waiting(
  seconds: number,
  more: Partial<{ connection: string; steps: (tx: Steps) => Promise<unknown> }> = {},
): Promise<Waiting> {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-confirm-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  furnish(directory);
  const engine = realEngine(directory);
  const at = (name: string): string => join(directory, 'data', name);
  const guarded: string[] = [];
  const stop = new AbortController();
  const sequence = new AtomicOperationSequence({
    engine,
    name: 'network',
    stop: stop.signal,
    confirmation: {
      seconds,
      connection: more.connection,
      startGuard: async ({ id }) => {
        // No step may have acted without a guard.
        guarded.push(`${id} ${String(existsSync(at('new')))}`);
      },
    },
  });
  const ended = sequence
    .run(async (tx) => {
      await tx.step(create, { path: at('new'), content: 'new', mode: 0o644 });
      await tx.step(remove, { path: at('old') });
      await more.steps?.(tx);
      return 'its value';
    })
    .catch((error: unknown) => error);
  // On a busy machine a short wait may be over already.
  await vi.waitFor(() => {
    const isWaiting = journalOf(engine, sequence.id)?.state.awaiting !== undefined;
    expect(isWaiting || closedJournal(engine, sequence.id) !== undefined).toBe(true);
  }, 10_000);
  return {
    ...{ engine, sequence, ended, guarded, stop },
    data: (name) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : undefined),
  };
}

/** More of them: BOFH_ROUNDS=200. */
const rounds = Number(process.env['BOFH_ROUNDS'] ?? 6);
const confirming = { connection: undefined };
const made = { new: 'new', old: undefined };
const before = { new: undefined, old: 'an old file' };
const files = ({ data }: Pick<Waiting, 'data'>) => ({ new: data('new'), old: data('old') });

test('a confirmation commits, and the sequence returns its value', async () => {
  const all = await waiting(60);
  const { engine, sequence } = all;
  expect(all.guarded).toEqual([`${sequence.id} false`]);
  expect(await recover(sequence.id, { engine, yes: true })).toMatchObject({ end: 'unconfirmed' });

  const confirmed = await confirmSequence(sequence.id, { engine, ...confirming });

  expect(confirmed).toMatchObject({ id: sequence.id, name: 'network', end: 'committed' });
  expect(await all.ended).toBe('its value');
  expect(files(all)).toEqual(made);
  await expect(confirmSequence(sequence.id, { engine, ...confirming })).rejects.toThrow('it is committed');
});

test('without a confirmation everything is undone at the deadline', async () => {
  const all = await waiting(0.3);
  expect(await all.ended).toMatchObject({
    code: 'rolled-back',
    causeCode: 'timeout',
    message: '"network" failed and was rolled back: it was not confirmed within 0.3 s',
    undone: [expect.stringContaining('file.remove'), expect.stringContaining('file.create')],
  });
  expect(files(all)).toEqual(before);
  const late = confirmSequence(all.sequence.id, { engine: all.engine, ...confirming });
  await expect(late).rejects.toThrow('has ended: it is rolled-back');
});

test('SIGINT undoes it at once, and SIGHUP leaves it waiting', async () => {
  const interrupted = await waiting(60);
  interrupted.stop.abort(new InterruptedError('SIGINT came', { reason: 'SIGINT' }));
  expect(await interrupted.ended).toMatchObject({ code: 'interrupted', undone: { length: 2 } });
  expect(files(interrupted)).toEqual(before);

  const hungUp = await waiting(3);
  hungUp.stop.abort(new InterruptedError('SIGHUP came', { reason: 'SIGHUP' }));
  const error = await hungUp.ended;
  expect(error).toBeInstanceOf(StuckError);
  expect((error as StuckError).remedy).toContain(`confirm('${hungUp.sequence.id}')`);
  expect(files(hungUp)).toEqual(made);
  expect(await guardSequence(hungUp.sequence.id, { engine: hungUp.engine, yes: true })).toMatchObject({
    end: 'rolled-back',
  });
  expect(files(hungUp)).toEqual(before);
});

test('the connection that made the change cannot confirm it; another one can, and can extend the time', async () => {
  const all = await waiting(4, { connection: '7:1' });
  const { engine, sequence } = all;
  const from = (connection: string | undefined, moreSeconds?: number) =>
    confirmSequence(sequence.id, { engine, connection, moreSeconds });
  await expect(from('7:1')).rejects.toThrow('this connection made the change');
  await expect(from('7:1', 60)).rejects.toThrow('this connection made the change');
  expect(await from('8:2', 60)).toMatchObject({ end: 'unconfirmed' });
  await delay(4200);
  expect(files(all)).toEqual(made);
  expect(await from(undefined)).toMatchObject({ end: 'committed' });
  expect(await all.ended).toBe('its value');
});

test('a step that this bofh does not know is refused before the commit', async () => {
  const all = await waiting(60);
  const { engine, sequence } = all;
  const older = { ...engine, find: async () => undefined };
  await expect(confirmSequence(sequence.id, { engine: older, ...confirming })).rejects.toThrow(
    'does not know',
  );
  expect(journalOf(engine, sequence.id)?.state).toMatchObject({ committed: false, awaiting: {} });
  await confirmSequence(sequence.id, { engine, ...confirming });
  expect(await all.ended).toBe('its value');
});

test('a sequence that is undone before its deadline says so', async () => {
  const all = await waiting(60);
  await recover(all.sequence.id, { engine: all.engine, yes: true, unconfirmed: true });
  expect(await all.ended).toMatchObject({
    message: '"network" failed and was rolled back: it was rolled back on request',
  });
  expect(files(all)).toEqual(before);
});

test('a reboot ends the wait', async () => {
  const { engine, sequence, ended, stop, ...all } = await waiting(60);
  stop.abort(new InterruptedError('SIGHUP came', { reason: 'SIGHUP' }));
  await ended;
  const { processes } = engine;
  const later = { ...engine, processes: { ...processes, self: { ...processes.self, boot: 'another' } } };
  await expect(confirmSequence(sequence.id, { engine: later, ...confirming })).rejects.toThrow('too late');
  expect(await recover(sequence.id, { engine: later, yes: false })).toMatchObject({ end: 'rolled-back' });
  expect(files(all)).toEqual(before);
});

/** A sequence that waits without a process, and whose undo an earlier recovery began. */
async function partlyUndone(line: Line): Promise<Waiting> {
  const all = await waiting(60);
  all.stop.abort(new InterruptedError('SIGHUP came', { reason: 'SIGHUP' }));
  await all.ended;
  withJournal(all, adopt, (journal) => append(journal, [{ t: 'recovery', ...ownerLine(all.engine) }, line]));
  return all;
}

function withJournal(
  { engine, sequence }: Waiting,
  open: typeof adopt,
  act: (journal: Journal) => void = () => undefined,
): void {
  const file = engine.store.open(`${sequence.id}.journal`);
  if (file === undefined) throw new Error('there is no journal');
  act(open(engine.store, file, sequence.id, 'token'));
  file.close();
}

test('a sequence that is partly undone cannot be confirmed', async () => {
  const { engine, sequence } = await partlyUndone({ t: 'undone', n: 2 });

  await expect(confirmSequence(sequence.id, { engine, ...confirming })).rejects.toThrow('does not wait');
  expect(await recover(sequence.id, { engine, yes: true })).toMatchObject({ end: 'rolled-back' });
});

test('nor one with a step whose undo failed, after a recovery that was killed at its start', async () => {
  const all = await partlyUndone({ t: 'blocked', n: 2, why: 'failed', message: 'it failed half-way' });
  withJournal(all, adoptAgain);

  const { engine, sequence } = all;
  await expect(confirmSequence(sequence.id, { engine, ...confirming })).rejects.toThrow('does not wait');
  expect(await recover(sequence.id, { engine, yes: true })).toMatchObject({ end: 'rolled-back' });
});

test('a step with an inverse function cannot wait for a confirmation, and its objects are locked meanwhile', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-confirm-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const undone: string[] = [];
  const sequence = new AtomicOperationSequence({
    engine: realEngine(directory),
    name: 'pair',
    confirmation: { seconds: 60, connection: undefined, startGuard: async () => undefined },
  });
  const running = sequence.run((tx) =>
    tx.effect(
      'a pair',
      () => undefined,
      () => void undone.push('undone'),
    ),
  );
  await expect(running).rejects.toThrow('a pair of functions, which no other process can undo');
  expect(undone).toEqual(['undone']);

  const all = await waiting(60);
  const other = new AtomicOperationSequence({ engine: all.engine, name: 'other' });
  const path = join(all.engine.store.directory, '../data/new');
  await expect(other.run((tx) => tx.step(remove, { path }))).rejects.toMatchObject({
    code: 'unfinished',
    message: expect.stringContaining('waits for its confirmation') as string,
  });
  await confirmSequence(all.sequence.id, { engine: all.engine, ...confirming });
  await all.ended;
});

test.each<[string, (tx: Steps, path: string) => Promise<unknown>]>([
  ['a step', (tx, path) => tx.step(create, { path, content: '', mode: 0o644 })],
  [
    'a pair of functions',
    (tx, path) => {
      const forward = (): void => writeFileSync(path, '');
      return tx.effect('a pair', forward, () => Promise.reject(new Error('there is nothing to undo')));
    },
  ],
])('a guard that cannot be started leaves the host unchanged, before %s', async (_, step) => {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-confirm-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  furnish(directory);
  const sequence = new AtomicOperationSequence({
    engine: realEngine(directory),
    name: 'unguarded',
    confirmation: {
      ...{ seconds: 60, connection: undefined },
      startGuard: () => Promise.reject(new Error('no systemd')),
    },
  });
  const path = join(directory, 'data/new');
  await expect(sequence.run((tx) => step(tx, path))).rejects.toThrow('was rolled back: no systemd');
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(join(directory, 'journal'))).toEqual(['history']);
});

test('a confirmation at the deadline always gives one result, the same on disk and in the journal', async () => {
  const ends = { committed: 0, 'rolled-back': 0 };
  for (let round = 0; round < rounds; round += 1) {
    const all = await waiting(0.15);
    const { engine, sequence } = all;
    const until = journalOf(engine, sequence.id)?.state.awaiting?.until ?? 0;
    const guard = guardSequence(sequence.id, { engine, yes: true }).catch((error: unknown) => error);
    await delay(Math.max(0, (until - uptime()) * 1000 - 75 + 15 * (round % 6)));
    const confirmed = await confirmSequence(sequence.id, { engine, ...confirming }).catch(
      (error: unknown) => error,
    );
    const ended = await all.ended;
    await guard;
    const closed = readFileSync(join(engine.store.directory, 'history', `${sequence.id}.journal`), 'utf8');
    const isKept = closed.includes('"outcome":"committed"');
    ends[isKept ? 'committed' : 'rolled-back'] += 1;
    expect(files(all)).toEqual(isKept ? made : before);
    expect(ended === 'its value').toBe(isKept);
    expect(!(confirmed instanceof Error)).toBe(isKept);
  }
  if (rounds > 6) console.info(ends);
});

test('a sequence that was abandoned while it waited is not reported as undone', async () => {
  const all = await waiting(60);
  const { engine, sequence } = all;

  await abandon(engine, sequence.id, 'the change stays');

  expect(await all.ended).toMatchObject({
    code: 'stuck',
    committed: false,
    message: `"network" was abandoned while it waited for its confirmation`,
    remedy: `see what stays: bofh journal show ${sequence.id}`,
  });
  expect(files(all)).toMatchObject({ new: 'new' });
});

test('a closed journal that could not be moved to the history waits for no confirmation', async () => {
  const all = await waiting(60);
  const { engine, sequence } = all;
  const fails = (): never => {
    throw new Error('the disk is read-only');
  };

  await abandon({ ...engine, store: { ...engine.store, rename: fails } }, sequence.id, 'the change stays');

  const confirmed = confirmSequence(sequence.id, { engine, ...confirming });
  await expect(confirmed).rejects.toThrow();
  expect(await all.ended).toMatchObject({ code: 'stuck' });
  expect(closedJournal(engine, sequence.id)?.state.closed).toBe('abandoned');
});
