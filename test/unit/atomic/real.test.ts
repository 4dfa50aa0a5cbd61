import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'rolldown';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { LockHolder } from '../../../src/atomic/locks/processes.ts';
import {
  abandon,
  openJournals,
  recover,
  removeJournalLeftovers,
} from '../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence } from '../../../src/atomic/sequence/sequence.ts';
import { create } from '../../../src/file/index.ts';
import { processStat } from '../../../src/core/proc.ts';
import { furnish, realEngine } from '../../support/crash/real/engine.ts';
import { callsOf, namesAtRisk } from '../../support/crash/real/order.ts';

const root = join(import.meta.dirname, '../../..');
const bundle = join(root, '.cache/real');
const bundled = join(bundle, 'child.js');
const child = bundled;

beforeAll(async () => {
  // As JavaScript it starts in a tenth of the time, and there are many of them.
  await build({
    input: join(root, 'test/support/crash/real/child.ts'),
    platform: 'node',
    output: { dir: bundle, format: 'esm' },
  });
});

const strace = spawnSync('strace', ['-V']).status === 0;
if (!strace && process.env.BOFH_REQUIRE === 'all') throw new Error('strace is not installed');
const inNamespace = ['--pid', '--fork', '--kill-child', '--mount-proc'];
/** Root alone may make one. */
const ownNamespaces = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
const withStrace = test.skipIf(!strace);

function place(toolSeconds?: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-atomic-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  furnish(directory, toolSeconds);
  return directory;
}

function dataIn(directory: string): Readonly<Record<string, string>> {
  const data = join(directory, 'data');
  return Object.fromEntries(
    readdirSync(data)
      .sort()
      .map((name) => [name, readFileSync(join(data, name), 'utf8')]),
  );
}

const before = { 'new.of-others': 'of others', old: 'an old file' };
const after = { new: 'new', 'new.of-others': 'of others', old: 'a newer file' };

/** The child with a fault at its n-th fdatasync: all of them are the journal's. What it said, or its signal. */
function runWith(directory: string, inject: string): string {
  const traced = ['-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:${inject}`];
  const { stdout, signal, stderr } = spawnSync(
    'strace',
    [...traced, process.execPath, child, directory, 'files'],
    { encoding: 'utf8' },
  );
  const said = stdout.trim();
  if (said === '' && signal === null) throw new Error(stderr);
  return said === '' ? (signal ?? '') : said;
}

async function recoverIn(directory: string): Promise<void> {
  const engine = realEngine(directory);
  await removeJournalLeftovers(engine);
  for (const { id } of await openJournals(engine)) await recover(id, { engine, yes: true });
}

function leftIn(directory: string): readonly string[] {
  const journal = join(directory, 'journal');
  return existsSync(journal) ? readdirSync(journal).filter((name) => name !== 'history') : [];
}

describe('over real files', () => {
  withStrace(
    'killed at any fdatasync of its journal, a sequence is recovered by another process',
    async () => {
      const outcomes: string[] = [];
      for (let n = 1, said = ''; said !== 'done'; n += 1) {
        const directory = place();
        said = runWith(directory, `signal=SIGKILL:when=${n}`);

        await recoverIn(directory);

        expect([before, after]).toContainEqual(dataIn(directory));
        expect(leftIn(directory)).toEqual([]);
        outcomes.push('new' in dataIn(directory) ? 'after' : 'before');
      }

      // Killed at `committed` and later, and at last not at all, it goes forward.
      expect(outcomes.join(' ')).toMatch(/^(?:before ){3,}(?:after ?){2,}$/);
    },
  );

  withStrace(
    'when the disk fails an fdatasync of its journal it says what is so, and is recovered',
    async () => {
      for (const fault of ['EIO', 'ENOSPC'])
        for (let n = 1, said = ''; said !== 'done' || n < 3; n += fault === 'EIO' ? 1 : 3) {
          const directory = place();
          said = runWith(directory, `error=${fault}:when=${n}`);
          const then = dataIn(directory);

          await recoverIn(directory);

          if (said === 'done') expect(dataIn(directory)).toEqual(after);
          else expect([before, after]).toContainEqual(dataIn(directory));
          expect(['done', 'StuckError', 'JournalError', 'RolledBackError', 'AppendError']).toContain(said);
          if (said !== 'done' && said !== 'StuckError') expect(then).toEqual(before);
          expect(leftIn(directory)).toEqual([]);
        }
    },
  );

  for (const [what, wanted] of [
    ['files', 'done'],
    ['undo', 'RolledBackError'],
  ] as const)
    withStrace(`every name is on the disk before anything counts on it (${wanted})`, () => {
      const directory = place();

      const { calls, said } = callsOf([process.execPath, child, directory, what]);

      expect(said).toBe(wanted);
      expect(calls.filter(({ name }) => name === 'fsync').length).toBeGreaterThan(5);
      expect(namesAtRisk(calls, directory)).toEqual([]);
    });

  test('refuses an object of a running process, and of a dead one until it is recovered', async () => {
    const directory = place();
    const holder = spawn(process.execPath, [child, directory, 'hold']);
    onTestFinished(() => void holder.kill('SIGKILL'));
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const engine = realEngine(directory);
    const make = (name = 'new'): Promise<unknown> =>
      new AtomicOperationSequence({ engine, name: 'second' }).run((tx) =>
        tx.step(create, { path: join(directory, 'data', name), content: 'mine', mode: 0o600 }),
      );

    const living = await openJournals(engine);
    await expect(make()).rejects.toThrow(/exists already|is in use by sequence/);
    await expect(make('reserved')).rejects.toThrow(/reserved is in use by sequence \S+ "hold" \(pid/);
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill('SIGKILL');
    await ended;
    rmSync(join(directory, 'data/new'));
    const dead = await openJournals(engine);
    await expect(make()).rejects.toThrow(/belongs to the unfinished sequence .* "hold"/);
    await recoverIn(directory);
    await make();

    expect([living[0]?.owner, dead[0]?.owner]).toEqual(['running', 'dead']);
    expect(dataIn(directory).new).toBe('mine');
  });

  for (const stop of ['wait', 'safe'] as const)
    test(`recovery ${stop === 'wait' ? 'waits for' : 'ends'} a tool that outlived its process (${stop})`, async () => {
      const directory = place(stop === 'wait' ? 2 : 60);
      const owner = spawn(process.execPath, [child, directory, stop]);
      const begun = join(directory, 'data/slow.begun');
      while (!existsSync(begun)) await new Promise((resolve) => setTimeout(resolve, 20));
      const ended = new Promise((resolve) => owner.once('exit', resolve));
      owner.kill('SIGKILL');
      await ended;
      const engine = realEngine(directory);
      const told: LockHolder[] = [];

      const [open] = await openJournals(engine);
      const recovered = await recover(open?.id ?? '', {
        engine,
        yes: true,
        onWait: (_, holder) => told.push(holder),
      });

      expect(open?.owner).toBe('orphan');
      expect(told.map(({ safe }) => safe)).toContain(stop === 'safe');
      expect(told[0]?.command).toMatch(/tool .*data\/slow$/);
      expect(recovered.end).toBe('rolled-back');
      expect(dataIn(directory)).toEqual(before);
    });

  for (const stop of ['wait', 'safe'] as const)
    test(`the process that holds the lock is killed alone: recovery ${stop === 'wait' ? 'waits for' : 'ends'} its tool all the same`, async () => {
      const directory = place(stop === 'wait' ? 2 : 60);
      await killedAtWork(directory, stop);
      const engine = realEngine(directory);
      const [named] = await openJournals(engine);
      const keeper = keeperOf(directory);
      process.kill(keeper, 'SIGKILL');
      await vi.waitFor(() => expect(processStat(keeper)).toBeUndefined(), { interval: 5 });
      const told: LockHolder[] = [];

      const [open] = await openJournals(engine);
      await expect(abandon(engine, open?.id ?? '', 'it is in the way')).rejects.toThrow(/still running/);
      const recovered = await recover(open?.id ?? '', {
        engine,
        yes: true,
        onWait: (_, holder) => told.push(holder),
      });

      const tool = toolOf(directory);
      expect(named?.holders.map(({ pid }) => pid)).toEqual([tool]);
      expect(open).toMatchObject({ owner: 'orphan', holders: [{ pid: tool, safe: stop === 'safe' }] });
      expect(told.map(({ pid }) => pid)).toEqual([tool]);
      expect(told[0]?.command).toMatch(/tool .*data\/slow$/);
      expect(recovered.end).toBe('rolled-back');
      expect(processStat(tool)).toBeUndefined();
      expect(dataIn(directory)).toEqual(before);
    });

  test('the process that holds the lock is killed alone: the sequence waits for its tool before it undoes', async () => {
    const directory = place(1);
    const child = spawn(process.execPath, [bundled, directory, 'wait']);
    onTestFinished(() => void child.kill('SIGKILL'));
    const said: string[] = [];
    child.stdout.on('data', (text) => said.push(String(text)));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await begun(directory);

    process.kill(keeperOf(directory), 'SIGKILL');
    await ended;

    expect(processStat(toolOf(directory))).toBeUndefined();
    expect(said.join('')).toBe('RolledBackError\n');
    expect(dataIn(directory)).toEqual(before);
  });

  test.skipIf(!ownNamespaces).each([
    ['beside', ['unshare', ...inNamespace]],
    ['around', []],
  ] as const)(
    'does not report a sequence of another PID namespace as interrupted in one %s it, and does not recover it',
    async (_where, around) => {
      const directory = place();
      const holder = spawn('unshare', [...inNamespace, process.execPath, bundled, directory, 'hold']);
      onTestFinished(() => void holder.kill('SIGKILL'));
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      const look = (): string =>
        spawnSync('env', [...around, process.execPath, bundled, directory, 'look'], { encoding: 'utf8' })
          .stdout;

      const living = look();
      const ended = new Promise((resolve) => holder.once('exit', resolve));
      holder.kill('SIGKILL');
      await ended;
      const dead = look();

      expect(living).toMatch(/^unknown; it is not visible here which process uses journal/);
      expect(dead).toBe('dead; recovered\n');
      expect(dataIn(directory)).toEqual(before);
    },
  );

  test('a program that cannot be started because no file descriptor is free gives an error that says so', () => {
    const directory = place();

    const { stdout } = spawnSync(
      'prlimit',
      ['--nofile=60:60', process.execPath, bundled, directory, 'exhaust'],
      { encoding: 'utf8' },
    );

    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(40);
    expect(
      lines.filter((line) => !/^\S+ (?:done|CommandError: .*(?:EMFILE|too many open files))/.test(line)),
    ).toEqual([]);
    expect(stdout).toMatch(/^read CommandError: .* it could not be started: too many open files/m);
    expect(lines.slice(-2)).toEqual(['read done', 'change done']);
  });

  test('does not wait for a process that has the journal of a dead sequence open to read it', async () => {
    const directory = place();
    const holder = spawn(process.execPath, [bundled, directory, 'hold']);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill('SIGKILL');
    await ended;
    const engine = realEngine(directory);
    const id = (await openJournals(engine))[0]?.id ?? '';
    const reader = spawn('tail', ['-f', join(directory, 'journal', `${id}.journal`)]);
    onTestFinished(() => void reader.kill('SIGKILL'));
    await new Promise((resolve) => reader.stdout.once('data', resolve));

    const [open] = await openJournals(engine);

    expect(open).toMatchObject({ owner: 'dead', holders: [] });
    expect((await recover(id, { engine, yes: true })).end).toBe('rolled-back');
  });
});

async function begun(directory: string): Promise<void> {
  while (!existsSync(join(directory, 'data/slow.begun'))) await new Promise((done) => setTimeout(done, 20));
}

/** A bofh that is killed while its tool is at work. */
async function killedAtWork(directory: string, stop: 'wait' | 'safe'): Promise<void> {
  const owner = spawn(process.execPath, [bundled, directory, stop]);
  await begun(directory);
  const ended = new Promise((resolve) => owner.once('exit', resolve));
  owner.kill('SIGKILL');
  await ended;
}

/** The shell that holds the journal's lock: the parent of the tool. */
function keeperOf(directory: string): number {
  const parent = processStat(toolOf(directory))?.parent;
  if (parent === undefined) throw new Error('the tool does not run');
  return parent;
}

function toolOf(directory: string): number {
  return Number(readFileSync(join(directory, 'slow.pid'), 'utf8'));
}
