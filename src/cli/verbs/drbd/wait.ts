import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import { inWords, type ResourceState, type Towards, towards } from '../../../drbd/index.ts';
import { InterruptedError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { DrbdVerified, DrbdWaited } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';

/** `bofh drbd wait-connect RESOURCE` and `wait-sync` */
export async function wait(
  runtime: Runtime,
  { name, what }: { readonly name: string; readonly what: 'connection' | 'sync' },
  options: Options,
): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const state = await withBofh(bofh, () => looking(runtime, { name, what, ...limitIn(options, '5m') }));
  const data: DrbdWaited = { resource: name, volumes: volumesOf(state) };
  give(runtime, { data, lines: towards(state).map((each) => `${name} ${inWords(each)}`) });
  return 0;
}

/** `bofh drbd verify RESOURCE`: begins it, and waits for its end; exit 6 when the two differ. */
export async function verify(runtime: Runtime, name: string, options: Options): Promise<number> {
  const limit = limitIn(options, '12h');
  return change(runtime, {
    act: () => drbd.verify({ name }),
    answer: async (_, bofh) => {
      const state = await withBofh(bofh, () => looking(runtime, { name, what: 'verify', ...limit }));
      return verified(name, state);
    },
  });
}

function verified(name: string, state: ResourceState): Answer<DrbdVerified> & { readonly exitCode: number } {
  const differs = towards(state).reduce((sum, { outOfSync = 0 }) => sum + outOfSync, 0);
  return {
    data: { resource: name, outOfSync: differs },
    lines: [
      differs === 0
        ? `${name} is alike on both sides`
        : `${name}: ${formatSize(differs)} differ. They are resynced when the two are connected anew: bofh drbd disconnect ${name}; bofh drbd connect ${name}`,
    ],
    exitCode: differs === 0 ? 0 : 6,
  };
}

async function looking(
  runtime: Runtime,
  asked: { readonly name: string; readonly what: 'connection' | 'sync' | 'verify'; readonly limitMs: number },
): Promise<ResourceState> {
  const { terminal, signals } = runtime;
  let told = '';
  const onLook = (state: ResourceState): void => {
    const all = towards(state);
    if (terminal.live) terminal.draw(all.map((each) => bar(asked.name, each)).join('  '));
    const now = all
      .map((each) => `${each.connection} ${each.replication} ${each.disk} ${each.peerDisk}`)
      .join();
    if (!terminal.live && now !== told)
      for (const each of all) terminal.line(`${asked.name} ${inWords(each)}`);
    told = now;
  };
  const ended = new AbortController();
  const end = (): void => {
    ended.abort(new InterruptedError(`"${runtime.verb}" was ended; what it waited for goes on`));
  };
  signals.stop.addEventListener('abort', end, { once: true });
  try {
    return await drbd.waitUntil({ ...asked, signal: ended.signal, onLook });
  } finally {
    signals.stop.removeEventListener('abort', end);
    terminal.draw(undefined);
  }
}

/** `web1/0 SyncTarget [=====>    ] 42.1 %` */
export function bar(name: string, { volume, connection, replication, done }: Towards): string {
  const what = connection === 'Connected' ? replication : connection;
  if (done === undefined) return `${name}/${String(volume)} ${what}`;
  const filled = Math.floor(done * 20);
  return `${name}/${String(volume)} ${what} [${'='.repeat(filled)}>${' '.repeat(20 - filled)}] ${(done * 100).toFixed(1)} %`;
}

function limitIn({ time }: Options, otherwise: string): { readonly limitMs: number } {
  return { limitMs: parseDuration(typeof time === 'string' ? time : otherwise) };
}

/** Each volume towards each peer. */
export function volumesOf(state: ResourceState): DrbdWaited['volumes'] {
  return towards(state).map(({ done: _, outOfSync, ...rest }) => ({ ...rest, outOfSync: outOfSync ?? null }));
}
