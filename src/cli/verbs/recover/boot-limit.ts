import { untilAborted } from '../../../atomic/sequence/signal.ts';
import { outputsOf } from '../../../atomic/journal/store.ts';
import type { Engine } from '../../../atomic/index.ts';
import { CommandError, RefusedError } from '../../../core/errors.ts';
import { printable } from '../../output/text.ts';

/** The time limit of recovery at boot: a program that hangs must not stop the boot. */
export interface BootLimit {
  readonly journalMs: number;
  /** No further journal is started after this time of performance.now(). */
  readonly until: number;
}

/** Milliseconds that a program has to stop after the limit. */
const graceMs = 10_000;

/** The limits of recovery at boot, in milliseconds. */
export function bootLimit(journalMs = 5 * 60_000, totalMs = 15 * 60_000): BootLimit {
  return { journalMs, until: performance.now() + totalMs };
}

/**
 * Recovers one journal within the limit. After it the journal stays open, and its objects stay reserved: a
 * program that changes the host is never killed. Throws RefusedError if the time was over before the recovery
 * began, CommandError if it ended during the recovery.
 */
export async function withinLimit<T>(
  engine: Engine,
  id: string,
  limit: BootLimit | undefined,
  work: (over: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (limit === undefined) return await work(undefined);
  const ms = Math.min(limit.journalMs, limit.until - performance.now());
  if (ms <= 0)
    throw new RefusedError(
      `journal ${id} stays open: the time for recovery at boot (--total) ended before this journal was reached`,
      {
        remedy: `bofh recover ${id}`,
      },
    );
  const [over, late] = [new AbortController(), new AbortController()];
  const timers = [setTimeout(() => over.abort(), ms), setTimeout(() => late.abort(), ms + graceMs)];
  try {
    const done = await untilAborted(late.signal, work(over.signal));
    if (done !== undefined) return done;
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  const running = stillRunning(engine, id);
  throw new CommandError({
    ...{ tool: 'bofh', argv: ['recover', id], reason: 'timeout' },
    what: `it was not finished within ${String(Math.ceil(ms / 1000))} s, and is left open${running === '' ? '' : `; still at work: ${running}`}`,
    remedy:
      running === ''
        ? `bofh recover ${id}`
        : `when that has ended (until then bofh refuses every other use of its objects): bofh recover ${id}`,
  });
}

/** The programs that still work for a journal, as text; empty if there are none. */
function stillRunning(engine: Engine, id: string): string {
  const inode = engine.store.inode(`${id}.journal`);
  const holders = inode === undefined ? [] : engine.processes.holders()(inode, outputsOf(engine.store, id));
  return holders.map(({ pid, command }) => `process ${String(pid)} (${printable(command)})`).join(', ');
}
