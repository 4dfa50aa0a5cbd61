import { openReader, type Reader } from './reader.ts';
import type { Master } from './master.ts';
import type { Answered, RemoteScript, Outcome } from './session.ts';
import { turns } from '../turns.ts';

/** The shells that read on a host. */
export interface Readers {
  /** Undefined if the read needs a separate session. */
  readonly run: (remoteScript: RemoteScript) => Promise<Answered | undefined>;
  /** Whether one of them is connected at this moment. */
  readonly connected: () => boolean;
  /** Ends their sessions after their current work; no new ones start. False if there were none. */
  readonly retire: () => Promise<boolean>;
}

/** Runs reads in shells: opens another one if all are busy, up to `most`. */
export function readers(master: Master, as: 'login' | 'sudo', most: number): Readers {
  const room = turns(most);
  const idle: Reader[] = [];
  const all = new Set<Reader>();
  let retired = false;
  const opened = async (): Promise<Reader> => {
    const reader = await openReader(master, as);
    all.add(reader);
    return reader;
  };
  const attempt = async (remoteScript: RemoteScript): Promise<Outcome | undefined> => {
    if (retired) return undefined;
    let reader = idle.pop();
    while (reader?.alive() === false) reader = idle.pop();
    reader ??= await opened();
    try {
      const outcome = await reader.run(remoteScript);
      // Inside `take`, so that this command still counts as running.
      if (outcome?.how === 'full' && !room.fewer()) retired = true;
      return outcome;
    } finally {
      if (!reader.alive()) all.delete(reader);
      else if (retired) await reader.close().then(() => all.delete(reader));
      else idle.push(reader);
    }
  };
  return {
    run: async (remoteScript) => {
      for (;;) {
        const outcome = await room.take(() => attempt(remoteScript));
        if (outcome?.how !== 'full') return outcome;
      }
    },
    connected: () => [...all].some((reader) => reader.alive()),
    retire: async () => {
      const had = all.size > 0;
      retired = true;
      idle.length = 0;
      await Promise.all([...all].map((reader) => reader.close()));
      return had;
    },
  };
}
