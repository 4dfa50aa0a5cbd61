import { keysOf } from '../../blockdevice/index.ts';
import { withBofh } from '../../bofh.ts';
import * as api from '../../index.ts';
import * as engine from '../../atomic/index.ts';
import * as testing from '../../simulator/index.ts';
import { BofhError, RefusedError, UsageError } from '../../core/errors.ts';
import { type Attempt, watchAttempts } from '../../script/attempts.ts';
import { loadScript, placeOf } from '../../script/load.ts';
import { askingHosts } from './ask-hosts.ts';
import type { DryEnd, DryTask } from './protocol.ts';
import { planningAtomic, PlanningSequence } from './planning-sequence.ts';
import { explain } from '../errors/explain.ts';
import { planOf } from './plan.ts';
import { neverOver } from '../output/text.ts';
import { crash } from '../errors/unexpected-exit.ts';

/** The child process of `bofh run SCRIPT --dry-run`, which plans the script. It can only read. */
process.once('message', (message) => {
  void plan(message as DryTask).then((end) => process.send?.(end));
});

// Without the parent process, the plan cannot be shown.
process.once('disconnect', () => process.exit(1));

async function plan(task: DryTask): Promise<DryEnd> {
  const { script, args, journals, root } = task;
  process.argv.splice(1, Number.POSITIVE_INFINITY, script, ...args);
  const reading = { cache: root ? 'read-only' : 'unused', warn: () => undefined } as const;
  const modules: Readonly<Record<string, unknown>> = {
    bofh: {
      ...api,
      atomic: planningAtomic,
      AtomicOperationSequence: PlanningSequence,
      runScript: (file: string) => loadScript(file, { ...reading, modules }),
    },
    'bofh/atomic': { ...engine, AtomicOperationSequence: PlanningSequence },
    'bofh/testing': testing,
  };
  const attempts: Attempt[] = [];
  let begun: string | undefined;
  try {
    const stopped = new Promise<never>((_resolve, reject) =>
      watchAttempts((attempt) => {
        attempts.push(attempt);
        reject(attempt.call);
      }),
    );
    const ended = planOf(realOf(task), journals, (bofh) =>
      withBofh(bofh, async () => {
        const over = drained().then(() => 'drained' as const);
        const loading = loadScript(script, {
          ...reading,
          started: () => {
            begun = script;
          },
          modules,
        });
        if ((await Promise.race([loading, over])) === 'drained') throw new UsageError(neverOver);
        await over;
      }),
    );
    const plan = await Promise.race([ended, stopped, crash()]);
    return { plan, exitCode: Number(process.exitCode ?? 0) };
  } catch (error) {
    const why = attempts.length > 0 ? tried(attempts, script) : error;
    const explanation = explain(why, why === error ? { root, script: begun } : { root });
    const remedy = why instanceof BofhError ? why.remedy : undefined;
    const next = remedy ?? 'correct the script, then plan it again';
    return { explanation: { ...explanation, host: 'unchanged (dry run)', next } };
  }
}

/** Returns the real hosts of the plan, reached through the parent process. */
function realOf({ site, stateDir, host: name }: DryTask) {
  const asking = askingHosts();
  const { engine } = api.connect({ site, stateDir, ...(name === '' ? {} : { host: name }) });
  const place: typeof engine.place = (other, reach) => {
    const there = engine.place?.(other, reach);
    if (there === undefined) return undefined;
    const host = asking(other);
    return { ...there, host, on: (path, asked = host) => keysOf(asked, path) };
  };
  return { host: asking(name), site, stateDir, engine: { ...engine, place } };
}

/** Returns the error for a denied write, even if the script caught it, because the rest of its run is unknown. */
function tried(attempts: readonly Attempt[], script: string): RefusedError {
  const distinct = [...new Map(attempts.map((each) => [each.call, each])).values()];
  const all = distinct.map(({ what, call }) => {
    const place = placeOf(call, script);
    return `the script tried to ${what}${place === script ? '' : ` at ${place}`}`;
  });
  const remedy =
    'in a dry run a script cannot write files or start programs; tx.planning tells it that this is one';
  const more = all.length === 1 ? '' : ` (and ${String(all.length - 1)} more after it)`;
  return new RefusedError(`the dry run was stopped: ${all[0] ?? ''}${more}`, { remedy });
}

/** Waits for the work that the script left running. Only an open query keeps the process alive. */
function drained(): Promise<void> {
  process.channel?.unref();
  return new Promise((resolve) => process.once('beforeExit', () => resolve()));
}
