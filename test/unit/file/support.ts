import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Operation } from '../../../src/atomic/operation.ts';
import type { ChangeHost } from '../../../src/command/index.ts';
import { localHost } from '../../../src/host/local.ts';

/** Another one in each run, so that what a killed run has left in /run hinders no later one. */
export const mark = `bofh.${randomBytes(6).toString('hex')}.1`;

/** A temporary directory and the local host as a step may change it. */
export function scratch(): {
  readonly dir: string;
  readonly host: ChangeHost;
  readonly remove: () => void;
} {
  const dir = mkdtempSync(join(tmpdir(), 'bofh-test-'));
  const outputs = join(dir, '.outputs');
  mkdirSync(outputs, { mode: 0o700 });
  const lock = openSync(join(outputs, 'lock'), 'w', 0o600);
  return {
    dir,
    host: localHost().during({ outputs, lock }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** An operation taken step by step, as the engine does it, so that a test can stop or meddle anywhere. */
export interface Taken<V> {
  readonly undo: unknown;
  readonly run: (host?: ChangeHost) => Promise<V>;
  readonly look: (known?: 'without result') => ReturnType<Operation['look']>;
  /** As engine and recovery call it: nothing is asked unless `look` says ours. */
  readonly goBack: (known?: 'without result') => Promise<void>;
  readonly finish: () => Promise<void>;
  readonly sync: () => Promise<void>;
}

export async function take<A, V>(
  code: Operation<A, V>,
  args: A,
  host: ChangeHost,
  ownMark: string = mark,
): Promise<Taken<V>> {
  const parsed = code.parseArgs(args);
  const undo = await code.prepare({ args: parsed, mark: ownMark, host });
  let result: unknown;
  const journalled = (known?: string) => ({ undo, host, ...(known === undefined ? { result } : {}) });
  return {
    undo,
    run: async (other = host) => {
      result = await code.run({ args: parsed, undo, host: other });
      return code.value({ args: parsed, undo, result }) as V;
    },
    look: (known) => code.look(journalled(known)),
    goBack: async (known) => {
      const { state } = await code.look(journalled(known));
      if (state === 'ours') await code.revert(journalled(known));
      await code.sync(journalled(known));
    },
    finish: async () => {
      await code.afterCommit(journalled());
      await code.sync(journalled());
    },
    sync: () => code.sync(journalled()),
  };
}
