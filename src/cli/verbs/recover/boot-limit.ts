import { unless } from '../../../atomic/sequence/signal.ts';
import { outputsOf } from '../../../atomic/journal/store.ts';
import type { Engine } from '../../../atomic/index.ts';
import { CommandError, RefusedError, UsageError } from '../../../core/errors.ts';
import type { Options } from '../../runtime/options.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { printable } from '../../output/text.ts';

/** How long recovery at boot may take, so that a program that hangs does not keep the host from starting. */
export interface BootLimit {
  readonly journalMs: number;
  /** When no other journal is begun any more, by performance.now(). */
  readonly until: number;
}

/** What is left of a program that was told to stop, when it does not listen. */
const graceMs = 10_000;

/** The limits that were given, and the usual ones. Throws UsageError without --boot. */
export function bootLimit({ boot, limit, total }: Options): BootLimit | undefined {
  if (boot !== true) {
    if (limit !== undefined || total !== undefined)
      throw new UsageError('--limit and --total belong to --boot');
    return undefined;
  }
  const timeOf = (text: unknown, usual: string): number =>
    parseDuration(typeof text === 'string' ? text : usual);
  return { journalMs: timeOf(limit, '5m'), until: performance.now() + timeOf(total, '15m') };
}

/**
 * Recovers one journal within the limit. What is not finished then is left: a program that changes something is never killed,
 * and the open journal keeps its objects from every bofh. Throws RefusedError when
 * the time was over before, CommandError when it is over now.
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
      `journal ${id} is left open: the time for recovery at boot was over before it began`,
      {
        remedy: `bofh recover ${id}`,
      },
    );
  const [over, late] = [new AbortController(), new AbortController()];
  const timers = [setTimeout(() => over.abort(), ms), setTimeout(() => late.abort(), ms + graceMs)];
  try {
    const done = await unless(late.signal, work(over.signal));
    if (done !== undefined) return done;
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  throw new CommandError({
    ...{ tool: 'bofh', argv: ['recover', id], reason: 'timeout' },
    what: `it was not finished within ${String(Math.ceil(ms / 1000))} s, and is left open${stillRunning(engine, id)}`,
    remedy: `bofh recover ${id}, once that has ended; until then every bofh is refused its objects`,
  });
}

function stillRunning(engine: Engine, id: string): string {
  const inode = engine.store.inode(`${id}.journal`);
  const holders = inode === undefined ? [] : engine.processes.holders()(inode, outputsOf(engine.store, id));
  const running = holders.map(({ pid, command }) => `process ${String(pid)} (${printable(command)})`);
  return running.length === 0 ? '' : `; still at work: ${running.join(', ')}`;
}
