import type { Command } from '../command/index.ts';
import { change } from './commands.ts';
import type { Guarded } from './lv-commands.ts';

/** A snapshot, by its name: lvconvert takes no `--select`, so compare the uuid before. */
export interface Merged extends Omit<Guarded, 'uuid'> {
  readonly sort: 'classic' | 'thin';
}

// By itself and to its end: lvmpolld would go on in the background when lvconvert is killed.
const inForeground = 'global{use_lvmpolld=0}';

/**
 * Puts the content of a snapshot back into its origin, and removes it; its origin keeps its name, uuid and tags. It takes as
 * long as there is to copy. While one of both is open lvm only notes it, exit 0, and does it at the next activation
 * (_lvconvert_merge_old_snapshot of 2.03.16): look afterwards.
 */
export function lvmerge(of: Merged): Command<void, 'destroy'> {
  const how = of.sort === 'classic' ? ['--mergesnapshot', '--interval', '1'] : ['--mergethin'];
  const command = change('lvconvert', [...how, `${of.vg}/${of.name}`], of, inForeground);
  return { ...command, access: 'destroy', progress: partMerged };
}

/** Begins in the kernel what was noted, or was interrupted; of an origin that is being merged into already nothing changes. */
export function refresh(lv: Guarded): Command<void, 'change'> {
  const argv = ['--refresh', '--poll', 'n', '--select', `lv_uuid=${lv.uuid}`, `${lv.vg}/${lv.name}`];
  return change('lvchange', argv, lv);
}

/** Waits for the end of a classic merge into that origin, and then removes the snapshot. Exit 0 too when it is not active. */
export function waitMerged(origin: Omit<Guarded, 'uuid'>): Command<void, 'change'> {
  const argv = ['--polloperation', 'merge', '--interval', '1', `${origin.vg}/${origin.name}`];
  const { argv: whole, ...command } = change('lvm', argv, origin);
  return { ...command, argv: ['lvpoll', ...whole], progress: partMerged };
}

/** `vg0/web1: Merged: 12.34%` */
function partMerged(output: string): number | undefined {
  const percent = [...output.matchAll(/: Merged: (?<percent>\d{1,3}(?:\.\d+)?)%/g)].at(-1)?.groups?.percent;
  return percent === undefined ? undefined : Number(percent) / 100;
}
