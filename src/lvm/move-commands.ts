import type { Command } from '../command/index.ts';
import { change, type Udev } from './commands.ts';

/** A run of extents of a physical volume, by the path that lvm lists it by. */
export interface Place {
  readonly path: string;
  readonly start: number;
  readonly count: number;
}

// By itself and to its end: lvmpolld would go on in the background when pvmove is killed.
const inForeground = 'global{use_lvmpolld=0}';

/**
 * Moves a run of extents of one volume to a run of free ones of the same length: within one segment of the volume, so that it
 * is at the one place or at the other when it ends. The volume may be in use. It takes no `--select`: compare the uuid
 * before. Killed, it leaves the kernel copying, and a volume `pvmove0` in the metadata, which `abortMove` takes back and the next
 * activation of the group goes on with (pvmove(8), 2.03.16).
 */
export function pvmove(
  move: Udev & { readonly vg: string; readonly name: string; readonly from: Place; readonly to: Place },
): Command<void, 'change'> {
  const { vg, name, from, to } = move;
  const argv = ['--name', `${vg}/${name}`, '--interval', '1', range(from), range(to)];
  return { ...change('pvmove', argv, move, inForeground), stop: 'safe', progress: partMoved };
}

/** Takes an unfinished move off a physical volume back; exit 0 too when there is none. */
export function abortMove(of: Udev & { readonly path: string }): Command<void, 'change'> {
  return change('pvmove', ['--abort', of.path], of, inForeground);
}

function range({ path, start, count }: Place): string {
  // lvm takes a colon or an at sign in a path for its own, unless it is escaped (dm_unescape_colons_and_at_signs).
  return `${path.replace(/[:@]/g, '\\$&')}:${start}-${start + count - 1}`;
}

/** `/dev/vdb: Moved: 12.34%` */
function partMoved(output: string): number | undefined {
  const percent = [...output.matchAll(/: Moved: (?<percent>\d{1,3}(?:\.\d+)?)%/g)].at(-1)?.groups?.percent;
  return percent === undefined ? undefined : Number(percent) / 100;
}
