import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import { inWords, type ResourceState, type Towards, towards } from '../../../drbd/index.ts';
import { InterruptedError } from '../../../core/errors.ts';
import { give } from '../../output/answer.ts';
import type { DrbdWaited } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

interface Wait {
  readonly name: string;
  readonly what: 'connection' | 'sync' | 'verify';
  readonly limitMs: number;
}

/** Waits for a resource and answers with its state. */
export async function answerWhenDone(runtime: Runtime<DrbdWaited>, wait: Wait): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const state = await withBofh(bofh, () => waitWithProgress(runtime, wait));
  const data: DrbdWaited = { resource: wait.name, volumes: volumesOf(state) };
  give(runtime, { data, lines: towards(state).map((each) => `${wait.name} ${inWords(each)}`) });
  return 0;
}

/** Waits for a resource. Shows its progress: a bar on a terminal, elsewhere a line for each change. */
export async function waitWithProgress(runtime: Runtime, wait: Wait): Promise<ResourceState> {
  const { terminal, signals } = runtime;
  let shown = '';
  const onLook = (state: ResourceState): void => {
    const all = towards(state);
    if (terminal.live) terminal.draw(all.map((each) => bar(wait.name, each)).join('  '));
    const now = all
      .map((each) => `${each.connection} ${each.replication} ${each.disk} ${each.peerDisk}`)
      .join();
    if (!terminal.live && now !== shown)
      for (const each of all) terminal.line(`${wait.name} ${inWords(each)}`);
    shown = now;
  };
  const ended = new AbortController();
  const end = (): void => {
    ended.abort(new InterruptedError(`"${runtime.verb}" was stopped; what it waited for continues`));
  };
  signals.stop.addEventListener('abort', end, { once: true });
  try {
    return await drbd.waitUntil({ ...wait, signal: ended.signal, onLook });
  } finally {
    signals.stop.removeEventListener('abort', end);
    terminal.draw(undefined);
  }
}

/** A line with a bar: `web1/0 SyncTarget [=====>    ] 42.1 %`. */
export function bar(name: string, { volume, connection, replication, done }: Towards): string {
  const what = connection === 'Connected' ? replication : connection;
  if (done === undefined) return `${name}/${String(volume)} ${what}`;
  const filled = Math.floor(done * 20);
  return `${name}/${String(volume)} ${what} [${'='.repeat(filled)}>${' '.repeat(20 - filled)}] ${(done * 100).toFixed(1)} %`;
}

/** Each volume with its state towards each peer. */
export function volumesOf(state: ResourceState): DrbdWaited['volumes'] {
  return towards(state).map(({ done: _, outOfSync, ...rest }) => ({ ...rest, outOfSync: outOfSync ?? null }));
}
