import * as api from '../api/btrfs.ts';
import { type Bofh, withBofh } from '../bofh.ts';
import * as btrfs from '../btrfs/index.ts';
import { UsageError } from '../errors.ts';
import { give } from './answer.ts';
import type { BtrfsMade, BtrfsRemoved, BtrfsSet } from './answers/index.ts';
import { confirm } from './confirm.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh btrfs create PATH` */
export async function create(runtime: Runtime, path: string): Promise<number> {
  return changed(runtime, {
    act: () => api.createSubvolume({ path }),
    data: ({ id, uuid, path: made }): BtrfsMade => ({ path: made, id, uuid }),
    lines: (made) => [`${printable(made.path)} is made: id ${made.id}, uuid ${made.uuid}`],
  });
}

/** `bofh btrfs snapshot create SOURCE PATH` */
export async function snapshot(
  runtime: Runtime,
  asked: { readonly source: string; readonly path: string; readonly mode: 'ro' | 'rw' },
): Promise<number> {
  return changed(runtime, {
    act: () => api.snapshot(asked),
    data: ({ id, uuid, path }): BtrfsMade => ({ path, id, uuid }),
    lines: (made) => [`${printable(made.path)} is made: id ${made.id}, uuid ${made.uuid}`],
  });
}

/** `bofh btrfs delete PATH`: the very one that was confirmed. */
export async function remove(runtime: Runtime, path: string): Promise<number> {
  let found: btrfs.Subvolume | undefined;
  return changed(runtime, {
    before: async ({ host }) => {
      found = await untilInterrupted(runtime, btrfs.subvolume(host, path));
      const { shown, id, uuid } = found;
      await confirmed(runtime, [
        `this deletes the subvolume ${printable(shown)} (id ${id}, uuid ${uuid ?? 'none'})`,
      ]);
    },
    act: () => api.deleteSubvolume({ path, ...(found?.uuid === undefined ? {} : { uuid: found.uuid }) }),
    data: (): BtrfsRemoved => ({ path, id: found?.id ?? 0, uuid: found?.uuid ?? null }),
    lines: () => [`${printable(path)} is deleted`],
  });
}

/** `bofh btrfs set-default PATH` */
export async function setDefault(runtime: Runtime, path: string): Promise<number> {
  return changed(runtime, {
    act: () => api.setDefaultSubvolume({ path }),
    data: ({ id, was }): BtrfsSet => ({ path, now: String(id), was: String(was) }),
    lines: ({ now, was }) => [`the default is the subvolume ${now} now; it was ${was}`],
  });
}

/** `bofh btrfs set-mode PATH ro|rw` */
export async function setMode(runtime: Runtime, path: string, mode: string): Promise<number> {
  if (mode !== 'ro' && mode !== 'rw') throw new UsageError(`"${mode}" is no mode: write ro or rw`);
  return changed(runtime, {
    act: () => api.setProperty({ path, mode }),
    data: ({ mode: now, was }): BtrfsSet => ({ path, now, was }),
    lines: ({ now }) => [`${printable(path)} is ${now} now`],
  });
}

/** What all of these verbs have in common: the session, the plan, the system log, the answer. */
export async function changed<V, D>(
  runtime: Runtime,
  verb: {
    readonly before?: (bofh: Bofh) => Promise<void>;
    readonly act: () => Promise<V>;
    readonly data: (value: V) => D;
    readonly lines: (data: D) => readonly string[];
  },
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  await verb.before?.(bofh);
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return dryRun(runtime, bofh, verb.act);
  }
  const value = await logged(runtime, bofh.host, () => withBofh(bofh, verb.act));
  progress.end();
  const data = verb.data(value);
  give(runtime, { data, lines: verb.lines(data) });
  return 0;
}

async function confirmed(runtime: Runtime, what: readonly string[]): Promise<void> {
  if (runtime.settings.mode === 'act') await confirm(runtime, what);
}
