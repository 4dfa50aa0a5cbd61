import { setImmediate as turn } from 'node:timers/promises';
import { resolve } from 'node:path';
import { withBofh } from '../../../bofh.ts';
import { isHangUp } from '../../../atomic/sequence/signal.ts';
import { InterruptedError, StuckError, UsageError } from '../../../core/errors.ts';
import { inProgram } from '../../../core/option.ts';
import { present } from '../../../core/present.ts';
import { loadScript } from '../../../script/load.ts';
import type { StartedSequence } from '../../errors/explanation.ts';
import { inWords } from '../../errors/sequences.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { verb } from '../../runtime/verb.ts';
import { neverOver } from '../../output/text.ts';

/** Ends when the script and all of its running work have ended. */
export default verb({
  changes: true,
  script: true,
  args: { script: ['<script>', 'path of the script'], args: ['[args...]', 'arguments for the script'] },
  examples: ['run make-guests.ts', '--dry-run run make-guests.ts web1 web2'],
  run: (runtime, { script, args }) => runScript(runtime, script, args),
});

async function runScript(runtime: Runtime, script: string, args: readonly string[]): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
  const path = resolve(script);
  if (runtime.settings.mode === 'plan')
    return await (await import('../../plan/plan-script.ts')).dryRunScript(runtime, bofh, path, args);
  process.argv.splice(1, Number.POSITIVE_INFINITY, path, ...args);
  const over = watchExit(runtime);
  const before = process.exitCode;
  let exitCode = 0;
  await logged(runtime, bofh.host, async () => {
    exitCode = await ownExitCode(() =>
      toItsEnd(runtime, async () => {
        await withBofh(bofh, () =>
          inProgram(() =>
            loadScript(path, {
              cache: runtime.root ? 'read-write' : 'unused',
              warn: (message, facts) => runtime.log.warn(message, { ...facts }),
              started: () => {
                runtime.script = path;
              },
              ...present({ cacheDirectory: runtime.cacheDirectory }),
            }),
          ),
        );
      }),
    );
    refuseHalfDone(runtime);
  }).finally(over);
  process.exitCode = before;
  return exitCode;
}

/** Throws for a stuck sequence, also if the script caught the error. */
function refuseHalfDone({ sequences }: Runtime): void {
  const open = openIn(sequences);
  // watchExit reports a sequence that still runs.
  if (open.length === 0 || sequences.count() > 0) return;
  throw new StuckError(`the script continued after ${inWords(open)} could not be finished or rolled back`, {
    id: open[0]?.id,
    committed: false,
  });
}

/**
 * A script can also fail by setting process.exitCode, to a number or its text. Afterwards process.exitCode is
 * 70 until the command sets its own: a process that ends before that has failed.
 */
async function ownExitCode(script: () => Promise<void>): Promise<number> {
  process.exitCode = undefined;
  try {
    await script();
    return exitCodeNow();
  } finally {
    process.exitCode = 70;
  }
}

/** The present exit code, converted as Node does. */
function exitCodeNow(): number {
  return Number(process.exitCode ?? 0);
}

/**
 * Waits for the top level of the script, and for the work that it left running. A signal ends the script at
 * once if no sequence is open. Otherwise the sequences roll back, and the script ends by itself or by a
 * second signal.
 */
async function toItsEnd(runtime: Runtime, script: () => Promise<void>): Promise<void> {
  const { signals, sequences } = runtime;
  const never = new Promise<never>(() => undefined);
  const drained = new Promise<'drained'>((tell) => process.once('beforeExit', () => tell('drained')));
  const stopped = aborted(signals.stop).then(async () => {
    if (sequences.count() === 0)
      throw new InterruptedError('the script was interrupted; no sequence was open');
    return await never;
  });
  // The terminal is closed, so its user cannot send a second signal.
  const hungUp = aborted(signals.stop).then(() => (isHangUp(signals.stop) ? undefined : never));
  const left = Promise.race([aborted(signals.abandon), hungUp]).then(async () => {
    await sequences.idle();
    await turn();
    throw new InterruptedError('the script was interrupted; its sequences have ended');
  });
  const top = await Promise.race([script(), drained, stopped, left]);
  if (top === 'drained') throw new UsageError(neverOver);
  await Promise.race([drained, stopped, left]);
  if (signals.stop.aborted) throw new InterruptedError('the script was interrupted');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((tell) => {
    if (signal.aborted) tell();
    signal.addEventListener('abort', () => tell(), { once: true });
  });
}

/**
 * Reports an exit by process.exit() in a script, which interrupts an open sequence like a kill, and
 * suppresses bofh's messages. The returned function ends the watch for stuck sequences, because the command
 * then reports them itself.
 */
function watchExit({ sequences, terminal }: Runtime): () => void {
  let over = false;
  process.on('exit', () => {
    if (sequences.count() > 0)
      terminal.line(
        'bofh: the process ended while a sequence was open; its journal stays open: bofh recover',
      );
    // After a rollback, the command reports the failure that caused it, with all leftovers.
    const stuck = over || sequences.stop.aborted ? [] : openIn(sequences);
    if (sequences.count() === 0 && stuck.length > 0)
      terminal.line(
        `bofh: ${inWords(stuck)} could not be finished or rolled back: bofh journal list; bofh recover`,
      );
    if (sequences.count() > 0 || stuck.length > 0) process.exitCode = 3;
  });
  return () => (over = true);
}

function openIn(sequences: Runtime['sequences']): readonly StartedSequence[] {
  return sequences.started().filter(({ end }) => end === 'open');
}
