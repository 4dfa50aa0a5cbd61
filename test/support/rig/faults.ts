import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RigError } from './errors.ts';
import type { Machine } from './machine.ts';
import { assetsDir } from './recipe.ts';
import { shellWords } from './ssh.ts';

/**
 * What a covered tool does instead:
 * `fail` ends at once with the exit code and a line on stderr; `pretend` ends with 0 and has done nothing;
 * `killed` dies of SIGKILL at once; `kill-caller` kills the process that started it, then does its work (nobody stops a tool when
 * its caller dies); `hang` waits until released, 120 s at most, and then does its work;
 * `act-then-…` does its work first.
 */
export type FaultMode =
  | 'fail'
  | 'pretend'
  | 'killed'
  | 'kill-caller'
  | 'hang'
  | 'act-then-fail'
  | 'act-then-killed'
  | 'act-then-kill-caller'
  | 'act-then-hang';

/** A fault over one tool, by the name it is called by. */
export type FaultOptions = {
  readonly tool: string;
  readonly mode: FaultMode;
  /** The fault hits only calls in which every one of these is an argument, and none after a `!`; `*` and `?` stand for anything. */
  readonly words?: readonly string[];
  /** The first matching call that is hit, from 1, and how many are hit from there on; every one when nothing is said. */
  readonly nth?: number;
  readonly times?: number;
  /** 1 when nothing is said. */
  readonly exitCode?: number;
  readonly stderr?: string;
};

/** A fault that has been laid. */
export type Fault = {
  /** How many calls matched so far, hit or not. */
  readonly hits: () => Promise<number>;
  /** Has a call begun to hang? With `act-then-hang` it has then done its work. */
  readonly held: () => Promise<boolean>;
  /** Lets calls that hang go on, those under way and later ones. */
  readonly release: () => Promise<void>;
  readonly remove: () => Promise<void>;
};

/**
 * Lays a fault over a tool in the machine: a script bind-mounted over the tool's file. It is gone after a power cut, and
 * a fingerprint does not see it.
 */
export async function layFault(machine: Machine, options: FaultOptions): Promise<Fault> {
  // Sorts in the order of laying.
  const id = `${String(Date.now())}-${randomUUID().slice(0, 8)}`;
  const stderr = options.stderr ?? `${options.tool}: fault laid by the rig`;
  const words = options.words ?? [];
  for (const word of words) if (word.includes('\n')) throw new RigError('a fault matches words of one line');
  await machine.put(join(assetsDir, 'fault.sh'), '/run/rig-fault/fault.sh');
  await act(machine, [
    'lay',
    id,
    options.tool,
    options.mode,
    String(options.exitCode ?? 1),
    stderr,
    String(options.nth ?? 1),
    String(options.times ?? 1_000_000),
    ...words,
  ]);
  return {
    hits: async () => Number(await act(machine, ['hits', id])),
    held: async () => (await act(machine, ['held', id])) === 'yes',
    release: async () => {
      await act(machine, ['release', id]);
    },
    remove: async () => {
      await act(machine, ['remove', id]);
    },
  };
}

/** Takes every fault off. */
export async function removeAllFaults(machine: Machine): Promise<void> {
  await act(machine, ['remove-all']);
}

async function act(machine: Machine, words: readonly string[]): Promise<string> {
  const script = await readFile(join(assetsDir, 'fault-lay.sh'), 'utf8');
  const { stdout } = await machine.run(`sh -s -- ${shellWords(words)}`, { stdin: script });
  return stdout.trim();
}
