import type { Command } from '../command/index.ts';
import { change } from './commands.ts';
import type { Guarded } from './lv-commands.ts';

/** A snapshot, by its name. lvconvert accepts no `--select`, so compare the uuid before. */
export interface Merged extends Omit<Guarded, 'uuid'> {
  readonly sort: 'classic' | 'thin';
}

// In the foreground: lvmpolld would continue in the background if lvconvert is killed.
const inForeground = 'global{use_lvmpolld=0}';

/**
 * Merges a snapshot into its origin and removes it; the origin keeps its name, uuid and tags. Takes
 * as long as the copying. While either volume is open, lvm only schedules the merge for the next
 * activation and exits with 0 (_lvconvert_merge_old_snapshot of 2.03.16): check afterwards.
 */
export function lvmerge(of: Merged): Command<void, 'destroy'> {
  const how = of.sort === 'classic' ? ['--mergesnapshot', '--interval', '1'] : ['--mergethin'];
  const command = change('lvconvert', [...how, `${of.vg}/${of.name}`], of, inForeground);
  return { ...command, access: 'destroy', progress: partMerged };
}

/**
 * Starts a scheduled or interrupted merge in the kernel. Changes nothing if the merge already runs.
 */
export function refresh(lv: Guarded): Command<void, 'change'> {
  const argv = ['--refresh', '--poll', 'n', '--select', `lv_uuid=${lv.uuid}`, `${lv.vg}/${lv.name}`];
  return change('lvchange', argv, lv);
}

/**
 * Waits until a classic merge into that origin ends, then removes the snapshot. Also exits with 0
 * if the origin is not active.
 */
export function waitMerged(origin: Omit<Guarded, 'uuid'>): Command<void, 'change'> {
  const argv = ['--polloperation', 'merge', '--interval', '1', `${origin.vg}/${origin.name}`];
  const { argv: whole, ...command } = change('lvm', argv, origin);
  return { ...command, argv: ['lvpoll', ...whole], progress: partMerged };
}

/** Reads the progress: `vg0/web1: Merged: 12.34%`. */
function partMerged(output: string): number | undefined {
  const percent = [...output.matchAll(/: Merged: (?<percent>\d{1,3}(?:\.\d+)?)%/g)].at(-1)?.groups?.percent;
  return percent === undefined ? undefined : Number(percent) / 100;
}
