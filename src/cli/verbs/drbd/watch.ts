import { setTimeout as delay } from 'node:timers/promises';
import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import { inWords, type Resource, resourcesIn, towards } from '../../../drbd/index.ts';
import type { DrbdWatched } from '../../output/answers/index.ts';
import { told } from './told.ts';
import { bar, volumesOf } from './wait.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';

/**
 * `bofh drbd status [RESOURCE] --watch`: how each stands, then whatever changes, until Ctrl-C. With --json a line for each change. A
 * resync that goes on is drawn on a terminal.
 */
export async function watch(runtime: Runtime, name: string | undefined, { every }: Options): Promise<number> {
  const { terminal, signals } = runtime;
  const everyMs = parseDuration(typeof every === 'string' ? every : '1s');
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const last = new Map<string, string>();
  while (!signals.stop.aborted && terminal.heard()) {
    const found = await withBofh(bofh, async () =>
      name === undefined ? everyResource() : [await drbd.resource(name)],
    );
    for (const each of [...found.map(watched), ...goneIn(last, found)]) {
      const words = linesOf(each);
      if (last.get(each.resource) === words.join('\n')) continue;
      last.set(each.resource, words.join('\n'));
      terminal.answer(textOf(runtime, each, words));
    }
    terminal.draw(
      found
        .flatMap(({ name: of, state }) =>
          state === undefined ? [] : towards(state).map((to) => ({ of, to })),
        )
        .flatMap(({ of, to }) => (to.done === undefined ? [] : [bar(of, to)]))
        .join('  ') || undefined,
    );
    await delay(everyMs, undefined, { signal: signals.stop }).catch(() => undefined);
  }
  terminal.draw(undefined);
  return 0;
}

/** Without drbd-utils each device by itself. */
async function everyResource(): Promise<readonly Resource[]> {
  const found = await told();
  return found.by === 'programs' ? found.resources : resourcesIn(found.status);
}

function watched({ name, state }: Resource): DrbdWatched {
  const common = { at: new Date().toISOString(), resource: name };
  if (state === undefined) return { ...common, role: null, volumes: [] };
  return { ...common, role: state.role, volumes: volumesOf(state) };
}

/** One that is neither configured nor up any more. */
function goneIn(last: ReadonlyMap<string, string>, found: readonly Resource[]): readonly DrbdWatched[] {
  const at = new Date().toISOString();
  return [...last.keys()]
    .filter((name) => !found.some((each) => each.name === name))
    .map((resource) => ({ at, resource, role: null, volumes: [] }));
}

/** How far a resync is changes all the time, and is no change. */
function linesOf({ resource, role, volumes }: DrbdWatched): readonly string[] {
  if (role === null) return [`${resource} is down`];
  if (volumes.length === 0) return [`${resource} is ${role}, without a peer`];
  return volumes.map(
    ({ outOfSync: _, ...each }) =>
      `${resource} is ${role}, ${inWords({ ...each, done: undefined, outOfSync: undefined })}`,
  );
}

function textOf({ settings }: Runtime, each: DrbdWatched, words: readonly string[]): string {
  if (settings.answer === 'json') return `${JSON.stringify(each)}\n`;
  const time = new Date(each.at).toLocaleTimeString('sv-SE');
  return words.map((line) => `${time} ${line}\n`).join('');
}
