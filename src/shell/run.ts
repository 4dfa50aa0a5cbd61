import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import {
  type ChangeHost,
  type Command,
  type ReadHost,
  refuseExposed,
  scriptFailure,
} from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
import { probe, runScript, type Script, script, scriptName, undoScript } from './commands.ts';

const seconds = z.int().check(z.minimum(1), z.maximum(86_400));

const undo = z.strictObject({
  name: scriptName,
  isDone: script,
  run: script,
  /** Null: nothing undoes it, so it runs after the commit. */
  undo: z.nullable(script),
  seconds,
  /** On disk from before the start until the commit: the script may have done something. */
  note: absolutePath,
});

type Undo = z.infer<typeof undo>;

const directory = '/var/lib/bofh/scripts';

/**
 * `tx.shell.run`: runs a script that brings its own undo and a probe. It fails unless the probe says
 * "not done" before and "done" afterwards. The undo also runs for a script that was killed half-way,
 * and after a power cut perhaps twice: the second run must do no harm. All texts are in the journal:
 * no secrets in them.
 */
export const run = operation({
  kind: 'shell.run',
  version: 1,
  args: z.strictObject({
    /** Names the script in messages, and for other sequences, which wait. */
    name: scriptName,
    /** Exit code 0 if the script has nothing to do, 1 if it has; it changes nothing. A plan runs it too. */
    isDone: script,
    /** Text for `/bin/sh -e`, or a program with its arguments. */
    run: script,
    /** Undoes all of `run`, or the part that was done. `none`: it cannot be undone, and runs after the commit. */
    undo: z.union(
      [z.literal('none'), script],
      'must be none, a text for /bin/sh, or a program with its arguments',
    ),
    /** Time limit for `run`, in seconds (default: 600). */
    seconds: z.exactOptional(seconds),
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: { undo: back, seconds: limit = 600, ...rest }, mark, host }): Promise<Undo> => {
    const of = { ...rest, undo: back === 'none' ? null : back, seconds: limit };
    for (const each of [of.isDone, of.run, of.undo ?? '']) {
      const program = typeof each === 'string' ? '' : (each[0] ?? '');
      if (program.startsWith('/')) await refuseExposed(host, program, 'content');
    }
    if (await isDone(host, of))
      throw new RefusedError(`the script ${of.name} has nothing to do: isDone exits with 0`, {
        code: 'exists',
        remedy: 'leave it out, or correct isDone',
      });
    return { ...of, note: posix.join(directory, mark) };
  },
  claims: ({ undo: { name } }) => ({ changes: [`script:${name}`] }),
  defers: ({ undo: of }) => of.undo === null,
  after: () => true,
  run: async ({ undo: of, host }) => {
    await host.makeDir(directory, { mode: 0o700, parents: true });
    await host.writeNew(of.note, '', { mode: 0o600 });
    // Before the script does anything.
    await syncNotes(host);
    await act(host, of);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => {
    const isLeft = of.undo === null ? !(await isDone(host, of)) : (await host.stat(of.note)) !== undefined;
    return { state: isLeft ? 'ours' : 'gone' };
  },
  revert: async ({ undo: of, host }) => {
    if (of.undo !== null) await started(host, undoScript(of.name, of.undo));
    if (await isDone(host, of))
      throw new RefusedError(
        `the undo of the script ${of.name} succeeded, but its probe still says that it is done`,
        {
          remedy: 'undo it by hand, then: bofh recover',
        },
      );
    await removeNote(host, of);
  },
  afterCommit: async ({ undo: of, host }) => {
    if (of.undo === null && !(await isDone(host, of))) await act(host, of);
    await removeNote(host, of);
  },
  sync: async ({ host }) => syncNotes(host),
  describe: ({ undo: of, way }) => ({
    what: `what the script ${of.name} did, complete or in part; while ${of.note} exists, it is not undone`,
    look: [wordsOf(of.isDone)],
    clear: [
      ...(of.undo === null ? [wordsOf(of.run)] : way === 'back' ? [wordsOf(of.undo)] : []),
      ['rm', '--force', of.note],
    ],
  }),
});

async function act(host: ChangeHost, of: Undo): Promise<void> {
  await started(host, runScript(of.name, of.run, of.seconds));
  if (!(await isDone(host, of)))
    throw new RefusedError(`the script ${of.name} succeeded, but its probe says that it is not done`, {
      remedy: 'correct run, or isDone',
    });
}

/** Its text says nothing, and may be long: the error has its name, and the last lines that it said. */
async function started(host: ChangeHost, command: Command<void, 'change'>): Promise<void> {
  try {
    await host.run(command);
  } catch (error) {
    throw scriptFailure(command.title ?? command.tool, error, command.timeoutMs);
  }
}

function isDone(host: ReadHost, of: Pick<Undo, 'name' | 'isDone'>): Promise<boolean> {
  return host.run(probe(of.name, of.isDone));
}

function wordsOf(of: Script): string[] {
  return typeof of === 'string' ? ['sh', '-e', '-c', of] : [...of];
}

async function removeNote(host: ChangeHost, { note }: Undo): Promise<void> {
  if ((await host.stat(note)) !== undefined) await host.removeFile(note);
}

async function syncNotes(host: ChangeHost): Promise<void> {
  for (const path of [directory, posix.dirname(directory)])
    if ((await host.stat(path)) !== undefined) await host.sync(path);
}
