import type { Command } from '../command/index.ts';
import { change, type Udev } from './commands.ts';
import { fullName, type Guarded } from './lv-commands.ts';

/**
 * Creates a snapshot: with `extents` a classic one with that much space for changes (lvm caps it at
 * the maximum it can use), without them a thin one of a thin volume. A thin one is activated, now
 * and at boot, only with `active`; by default lvm does not activate it either. lvcreate accepts no
 * `--select`, so compare the uuid of the origin afterwards.
 */
export function lvsnapshot(
  make: Udev & {
    readonly vg: string;
    readonly origin: string;
    readonly name: string;
    readonly extents: number | undefined;
    /** Whether to activate a thin snapshot (default: false). */
    readonly active?: boolean;
    readonly tags: readonly string[];
  },
): Command<void, 'change'> {
  const tags = make.tags.flatMap((tag) => ['--addtag', tag]);
  const room =
    make.extents === undefined
      ? ['--setactivationskip', make.active === true ? 'n' : 'y']
      : ['--extents', String(make.extents)];
  return change(
    'lvcreate',
    ['--snapshot', '--name', make.name, ...room, ...tags, `${make.vg}/${make.origin}`],
    make,
  );
}

/**
 * Removes a classic snapshot if the uuid matches; otherwise removes nothing and exits with 0. The
 * snapshot stays active as long as its origin, so `--yes` answers the only question, whether to
 * remove an active volume. A snapshot is never the origin of another volume, and lvm still refuses
 * an open one (_lv_remove_check_in_use of 2.03.16).
 */
export function removeSnapshot(lv: Guarded & { readonly tag?: string }): Command<void, 'destroy'> {
  const tag = lv.tag === undefined ? '' : ` && lv_tags={${lv.tag}}`;
  const argv = ['--yes', '--select', `lv_uuid=${lv.uuid}${tag} && lv_role={thicksnapshot}`, fullName(lv)];
  const command = change('lvremove', argv, lv);
  return { ...command, access: 'destroy' };
}
