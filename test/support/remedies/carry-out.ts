import { posix } from 'node:path';
import { appendFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { explain } from '../../../src/cli/errors/explain.ts';
import type { Command } from '../../../src/command/index.ts';
import { BofhError, CommandError, ParseError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { runCommand } from '../../../src/simulator/run.ts';
import { changedBeyond } from './beyond.ts';
import { type Advice, commandsIn } from './commands.ts';

type Type = (host: SimulatedHost, words: readonly string[]) => Promise<{ readonly exitCode: number }>;

let isWithin = false;
const seen = new Set<string>();

/** Types what an error of `bofh WORDS` says to type next, on copies of the host, and appends what came of it to a file. */
export async function tryRemedies(
  {
    host,
    words,
    error,
  }: { readonly host: SimulatedHost; readonly words: readonly string[]; readonly error: unknown },
  type: Type,
): Promise<void> {
  const to = process.env['BOFH_REMEDIES'];
  if (to === undefined || isWithin) return;
  waiting.clear();
  await tryAll({ host, words, error }, type);
}

/** What sequences threw in a test of the library, where nothing was typed. */
export async function pending(type: Type): Promise<void> {
  const all = [...waiting.values()];
  waiting.clear();
  for (const each of all) await tryAll({ ...each, words: undefined }, type);
}

const waiting = new Map<string, { readonly host: SimulatedHost; readonly error: unknown }>();
const made = new Map<string, object>();
const madeNew = new Set<string>();

/** The errors that were made since the last call and before which none was made at the same place. */
export function madeErrors(): readonly object[] {
  const found = [...madeNew].flatMap((key) => made.get(key) ?? []);
  madeNew.clear();
  return found;
}

(globalThis as { bofhErrors?: object }).bofhErrors = {
  made: (error: BofhError) => {
    if (isWithin || error.remedy === undefined) return;
    const at = placesOf(error);
    const key = at.slice(0, 2).join();
    if (made.has(key)) return;
    made.set(key, { at, remedy: error.remedy, code: error.code });
    madeNew.add(key);
  },
  thrown: (error: unknown, host: SimulatedHost) => {
    if (isWithin || !('world' in host) || host.world.overlay !== undefined) return;
    const key = remediesOf(error)
      .map(({ remedy }) => unnamed(remedy))
      .join();
    if (key === '' || seen.has(key) || waiting.has(key)) return;
    try {
      waiting.set(key, { host: fork(host), error });
    } catch {
      // A program still runs there.
    }
  },
};

function placesOf(error: Error): readonly string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => line.includes('/src/'))
    .slice(0, 4)
    .map((line) => /src\/[^)]*:\d+(?=:\d+)/.exec(line)?.[0] ?? '');
}

interface Failed {
  readonly host: SimulatedHost;
  /** Undefined: nothing was typed. */
  readonly words: readonly string[] | undefined;
  readonly error: unknown;
}

async function tryAll({ host, words, error }: Failed, type: Type): Promise<void> {
  const to = process.env['BOFH_REMEDIES'] ?? '';
  isWithin = true;
  try {
    for (const { message, remedy, code, stack } of remediesOf(error)) {
      if (seen.has(unnamed(remedy))) continue;
      seen.add(unnamed(remedy));
      const outcomes: unknown[] = [];
      for (const sequence of commandsIn(remedy)) {
        const line = sequence.map((each) => each.words.join(' ')).join('; ');
        const open = sequence.findIndex((each) => each.open);
        const closed = sequence.slice(0, open < 0 ? undefined : open);
        outcomes.push({
          line,
          ...(open < 0 ? {} : { open: true }),
          ...(closed.length === 0
            ? { outcome: 'open' }
            : await carryOut({ host, words, message, sequence: closed }, type)),
        });
      }
      appendFileSync(
        to,
        `${JSON.stringify({ typed: words?.join(' ') ?? '', code, message, remedy, at: stack, outcomes })}\n`,
      );
    }
  } finally {
    isWithin = false;
  }
}

async function carryOut(
  {
    host,
    words,
    message,
    sequence,
  }: {
    readonly host: SimulatedHost;
    readonly words: readonly string[] | undefined;
    readonly message: string;
    readonly sequence: readonly Advice[];
  },
  type: Type,
): Promise<object> {
  let copy: SimulatedHost;
  try {
    copy = fork(host);
  } catch (error) {
    return { outcome: 'no copy', why: String(error) };
  }
  const before = copy.snapshot();
  for (const { words: advised } of sequence) {
    const failure = await withinLimit(typeOne(copy, advised, type));
    if (failure !== undefined) return { ...failure, line: advised.join(' ') };
    if (advised[0] === 'bofh') {
      copy.kill();
      copy = copy.restart();
    }
  }
  const after = copy.snapshot();
  if (after === before) return { outcome: 'looked' };
  const named = (text: string): string => withNames(host, text);
  const found = changedBeyond(
    { before: named(before), after: named(after) },
    sequence.map((each) => each.words),
  );
  const beyond = found.length === 0 ? {} : { beyond: found };
  if (words === undefined) return { outcome: 'changed', again: 'not typed', ...beyond };
  copy.kill();
  const again = await withinLimit(type(copy.restart(), words)).then(
    (end) => ('outcome' in end ? end.outcome : end.exitCode === 0 ? 'works' : `exit ${String(end.exitCode)}`),
    (thrown: unknown) => {
      const text =
        remediesOf(thrown)
          .map((each) => each.message)
          .join('; ') || String(thrown);
      return text === message ? 'the same' : `other: ${text}`;
    },
  );
  return { outcome: 'changed', again, ...beyond };
}

/** A snapshot with the volumes and mappings in place of `/dev/dm-1`, as the kernel calls them before the remedy. */
function withNames({ world }: SimulatedHost, text: string): string {
  const names = new Map<string, string>(
    world.lvm.flatMap((vg) =>
      vg.lvs.map(({ uuid, name }) => [
        `/dev/dm-${String(world.active.get(uuid))}`,
        `/dev/${vg.name}/${name}`,
      ]),
    ),
  );
  for (const { name, number } of world.mappings)
    names.set(`/dev/dm-${number.split(':')[1] ?? ''}`, `/dev/mapper/${name}`);
  return text.replaceAll(/\/dev\/dm-\d+/g, (path) => names.get(path) ?? path);
}

// A test may have put another clock in their place.
const { setTimeout: later, clearTimeout: never } = globalThis;

/** A command that takes longer waits for something that does not happen here. */
async function withinLimit<T>(work: Promise<T>): Promise<T | { readonly outcome: 'waits' }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<{ readonly outcome: 'waits' }>((resolve) => {
    timer = later(() => resolve({ outcome: 'waits' }), 5000);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, limit]);
  } finally {
    never(timer);
  }
}

/** Returns why it failed; undefined: it did not. */
async function typeOne(
  copy: SimulatedHost,
  [tool = '', ...argv]: readonly string[],
  type: Type,
): Promise<{ readonly outcome: string; readonly why?: string } | undefined> {
  try {
    const [first = '', second = ''] = argv;
    if (tool === 'bofh') {
      const { exitCode } = await type(copy, argv.includes('--yes') ? argv : ['--yes', ...argv]);
      // 6: it has shown what is wrong.
      return exitCode === 0 || exitCode === 6
        ? undefined
        : { outcome: 'failed', why: `exit ${String(exitCode)}` };
    }
    const { world, process, faults } = copy;
    if (tool === 'kill') {
      const held = [...world.held].find(([, { pid }]) => String(pid) === first);
      if (held === undefined) return { outcome: 'failed', why: 'no such process' };
      world.held.delete(held[0]);
      return undefined;
    }
    if (tool === 'rm') {
      copy.admin.removeFile(argv.at(-1) ?? '');
      return undefined;
    }
    if (tool === 'mv' && argv.length === 2) {
      const isInto = (await copy.stat(second))?.kind === 'directory';
      copy.admin.rename(first, isInto ? posix.join(second, posix.basename(first)) : second);
      return undefined;
    }
    // Whoever types it answers its question.
    const answered = /^(?:lv|vg|pv)(?:remove|reduce|convert)$/.test(tool) ? ['-y', ...argv] : argv;
    await runCommand(
      { world, process, faults },
      { tool: tool as Command<unknown>['tool'], argv: answered, access: 'change', parse: () => undefined },
    );
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    // It has mended the filesystem.
    if (tool === 'e2fsck' && error instanceof CommandError && error.exitCode === 1) return undefined;
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof ParseError && text.includes('the simulated host does not know'))
      return { outcome: 'unmodelled' };
    return { outcome: 'failed', why: `${error instanceof Error ? error.name : ''}: ${text}` };
  }
}

interface Remedy {
  readonly message: string;
  readonly remedy: string;
  readonly code: string;
  readonly stack: readonly string[];
}

/** What each error in the tree says to do next: the outermost of a chain has the last word. */
function remediesOf(error: unknown): readonly Remedy[] {
  if (error instanceof AggregateError) return error.errors.flatMap(remediesOf);
  if (error instanceof BofhError && error.cause instanceof AggregateError) return remediesOf(error.cause);
  if (!(error instanceof Error)) return [];
  const { next } = explain(error, { root: true });
  if (next === undefined) return [];
  const code = error instanceof BofhError ? error.code : error.name;
  const inner = innermost(error);
  const stack = placesOf(inner);
  return [{ message: error.message, remedy: next, code, stack }];
}

function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error;
}

function unnamed(text: string): string {
  return text.replaceAll(/[0-9a-f]{8,}|\d+/g, 'N');
}
