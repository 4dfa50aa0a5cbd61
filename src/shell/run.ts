import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import {
  type ChangeHost,
  type Command,
  type ReadHost,
  refuseExposed,
  scriptFailure,
  syncWithParent,
} from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
import { probe, runScript, type Script, script, scriptName, undoScript } from './commands.ts';

const seconds = z.int().check(z.minimum(1), z.maximum(86_400));

const undo = z.strictObject({
  name: scriptName,
  isDone: script,
  run: script,
  /** Null: the script cannot be undone, so it runs after the commit. */
  undo: z.nullable(script),
  seconds,
  /**
   * A file that exists from before the start of the script until the commit: the script may have
   * changed something.
   */
  note: absolutePath,
});

type Undo = z.infer<typeof undo>;

const directory = '/var/lib/bofh/scripts';

/**
 * `tx.shell.run`: runs a script that has its own undo and a probe. The step fails unless the probe
 * reports "not done" before the script and "done" after it. The undo also runs for a script that
 * was killed half-way, and perhaps twice after a power cut: the second run must do no harm. The
 * journal contains all texts, so they must contain no secrets.
 */
export const run = operation({
  kind: 'shell.run',
  version: 1,
  args: z.strictObject({
    /** Name of the script in messages. Other sequences that run a script of this name wait. */
    name: scriptName,
    /**
     * Probe that changes nothing: exit code 0 if the script has nothing to do, 1 if it has. A plan
     * runs the probe too.
     */
    isDone: script,
    /** Text for `/bin/sh -e`, or a program with its arguments. */
    run: script,
    /**
     * Undoes `run` completely, or the part that was done. `none`: `run` cannot be undone, and runs
     * after the commit.
     */
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
    // The note is on disk before the script changes anything.
    await syncWithParent(host, directory);
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
        `the undo of the script ${of.name} succeeded, but isDone still reports that it is done`,
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
  sync: async ({ host }) => syncWithParent(host, directory),
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
    throw new RefusedError(`the script ${of.name} succeeded, but isDone reports that it is not done`, {
      remedy: 'correct run or isDone of the script',
    });
}

/**
 * Runs a command. Its error names the script and has the last lines of its output, not its text,
 * which may be long.
 */
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
