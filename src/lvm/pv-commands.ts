import type { Command } from '../command/index.ts';
import { change, type Udev } from './commands.ts';

/**
 * Makes a device a physical volume of a uuid that was chosen before. It asks before it wipes a signature, which with stdin
 * closed is a no (exit 5); but over another free physical volume it writes without a question, exit 0 (2.03.16,
 * test/fixtures/lvm/pvcreate-over-free-pv@2.03.16.json), so look first. Never with `--force` or `--yes`.
 */
export function pvcreate(
  make: Udev & { readonly device: string; readonly uuid: string },
): Command<void, 'change'> {
  return change('pvcreate', ['--uuid', make.uuid, '--norestorefile', make.device], make);
}

/** Takes the label off a physical volume; lvm refuses one that is in a volume group. It takes no `--select`. */
export function pvremove(pv: Udev & { readonly device: string }): Command<void, 'destroy'> {
  return { ...change('pvremove', [pv.device], pv), access: 'destroy' };
}

/** Gives a physical volume of a group tags, and says whether extents may be given out on it. */
export function pvchange(
  pv: Udev & { readonly device: string; readonly tags: readonly string[]; readonly allocatable: boolean },
): Command<void, 'change'> {
  const tags = pv.tags.flatMap((tag) => ['--addtag', tag]);
  return change('pvchange', [...tags, '--allocatable', pv.allocatable ? 'y' : 'n', pv.device], pv);
}
