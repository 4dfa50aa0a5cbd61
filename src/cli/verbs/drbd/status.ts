import { setTimeout as delay } from 'node:timers/promises';
import * as drbd from '../../../api/drbd.ts';
import * as network from '../../../api/network.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import {
  inWords,
  kernelFindings,
  missingAddresses,
  type Resource,
  resourcesIn,
  towards,
} from '../../../drbd/index.ts';
import { give } from '../../output/answer.ts';
import type { DrbdStatus, DrbdWatched } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { type KnownResources, knownResources } from './known-resources.ts';
import { bar, volumesOf } from './progress.ts';

export default verb({
  changes: false,
  answers: ['drbd status', 'drbd status --watch'],
  args: { name: ['[resource]', 'only this resource (default: all)'] },
  options: {
    watch: flag('show the state of each resource and every change, until Ctrl-C'),
    every: value('<DURATION>', 'with --watch: time between two checks (default: 1s)', {
      read: parseDuration,
    }),
  },
  examples: ['drbd status', 'drbd status web1 --watch'],
  run: async (runtime, { name, watch: watches, every }) => {
    if (watches) return watch(runtime, name, every ?? 1000);
    if (every !== undefined) throw new UsageError('--every needs --watch');
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const known = await withBofh(
      bofh,
      async (): Promise<KnownResources> =>
        name === undefined ? knownResources() : { by: 'programs', resources: [await drbd.resource(name)] },
    );
    const all = known.by === 'programs' ? known.resources : resourcesIn(known.status);
    const interfaces =
      known.by === 'programs' && all.some(({ here }) => here !== undefined)
        ? await withBofh(bofh, () => network.interfaces())
        : [];
    const findingsOf = (each: Resource) =>
      known.by === 'programs'
        ? [...missingAddresses(each, interfaces), ...drbd.findings(each)]
        : kernelFindings(each);
    const data: DrbdStatus = all.map((each) => ({
      resource: each.name,
      up: each.state !== undefined,
      findings: findingsOf(each).map((found) => ({ ...found })),
    }));
    const { paint } = runtime.terminal.look;
    give(runtime, {
      data,
      lines:
        data.length === 0
          ? ['there is no DRBD resource on this host']
          : data.flatMap(({ resource, findings }, index) =>
              findings.length === 0
                ? [`${resource}: ${paint('good', healthy(all[index]))}`]
                : findings.flatMap(({ level, words, remedy }) => [
                    `${resource}: ${paint(level === 'problem' ? 'bad' : undefined, words)}`,
                    `  ${remedy}`,
                  ]),
            ),
    });
    return 0;
  },
});

function healthy(resource: Resource | undefined): string {
  return resource?.state?.connections.length === 0
    ? 'up to date, without a peer'
    : 'up to date on every side, and connected';
}

/**
 * Shows each resource, then every change until Ctrl-C. With --json one line for each change. A
 * terminal also shows the progress of a resync.
 */
async function watch(runtime: Runtime, name: string | undefined, everyMs: number): Promise<number> {
  const { terminal, signals } = runtime;
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

/** Every resource. Without drbd-utils, each device in /proc/drbd counts as a resource. */
async function everyResource(): Promise<readonly Resource[]> {
  const found = await knownResources();
  return found.by === 'programs' ? found.resources : resourcesIn(found.status);
}

function watched({ name, state }: Resource): DrbdWatched {
  const common = { at: new Date().toISOString(), resource: name };
  if (state === undefined) return { ...common, role: null, volumes: [] };
  return { ...common, role: state.role, volumes: volumesOf(state) };
}

/** Resources that were shown before and are no longer configured or up. */
function goneIn(last: ReadonlyMap<string, string>, found: readonly Resource[]): readonly DrbdWatched[] {
  const at = new Date().toISOString();
  return [...last.keys()]
    .filter((name) => !found.some((each) => each.name === name))
    .map((resource) => ({ at, resource, role: null, volumes: [] }));
}

/**
 * The lines that show a change: without the progress of a resync, which would be a change each
 * time.
 */
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
