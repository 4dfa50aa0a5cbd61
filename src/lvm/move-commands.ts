import type { Command } from '../command/index.ts';
import { change, type Udev } from './commands.ts';

/** A run of extents of a physical volume, by its path in lvm's reports. */
export interface Place {
  readonly path: string;
  readonly start: number;
  readonly count: number;
}

// In the foreground: lvmpolld would continue in the background if pvmove is killed.
const inForeground = 'global{use_lvmpolld=0}';

/**
 * Moves a run of extents of one volume to a free run of the same length. The run is within one
 * segment of the volume, so it ends up completely at one of the two. The volume may be in use.
 * pvmove accepts no `--select`, so compare the uuid before. If pvmove is killed, the kernel keeps
 * copying and the metadata keeps a volume `pvmove0`: `abortMove` reverts the move, the next
 * activation of the group continues it (pvmove(8), 2.03.16).
 */
export function pvmove(
  move: Udev & { readonly vg: string; readonly name: string; readonly from: Place; readonly to: Place },
): Command<void, 'change'> {
  const { vg, name, from, to } = move;
  const argv = ['--name', `${vg}/${name}`, '--interval', '1', range(from), range(to)];
  return { ...change('pvmove', argv, move, inForeground), stop: 'safe', progress: partMoved };
}

/** Aborts an unfinished move off a physical volume; also exits with 0 if there is none. */
export function abortMove(of: Udev & { readonly path: string }): Command<void, 'change'> {
  return change('pvmove', ['--abort', of.path], of, inForeground);
}

function range({ path, start, count }: Place): string {
  // lvm gives ":" and "@" in paths a meaning, unless escaped (dm_unescape_colons_and_at_signs).
  return `${path.replace(/[:@]/g, '\\$&')}:${start}-${start + count - 1}`;
}

/** Reads the progress: `/dev/vdb: Moved: 12.34%`. */
function partMoved(output: string): number | undefined {
  const percent = [...output.matchAll(/: Moved: (?<percent>\d{1,3}(?:\.\d+)?)%/g)].at(-1)?.groups?.percent;
  return percent === undefined ? undefined : Number(percent) / 100;
}
