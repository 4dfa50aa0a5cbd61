import * as z from 'zod/mini';
import type { Command, ReadCommand } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, classifyLvm, type Udev } from './commands.ts';

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

/**
 * Makes a physical volume of a group so large. `--yes` answers the question that it asks of every size but the device's
 * own; extents that a volume has it cuts off with no answer (2.03.16: "as later ones are allocated", exit 5). A size
 * beyond the device it takes with a mere warning, exit 0: look first.
 */
export function pvresize(
  pv: Udev & { readonly device: string; readonly size: Bytes },
): Command<void, 'change'> {
  return change('pvresize', ['--yes', '--setphysicalvolumesize', `${pv.size}b`, pv.device], pv);
}

const starts = z.object({
  report: z.tuple([
    z.object({
      pv: z.array(z.object({ pv_uuid: z.string(), pe_start: z.string().check(z.regex(/^\d+$/)) })),
    }),
  ]),
});

/** Where the first extent of each physical volume begins, in bytes, by its uuid. */
export function pvStarts(): ReadCommand<ReadonlyMap<string, Bytes>> {
  return {
    tool: 'pvs',
    argv: ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--options', 'pv_uuid,pe_start'],
    access: 'read',
    parse: ({ stdout }) =>
      new Map(
        starts.parse(JSON.parse(stdout)).report[0].pv.map((row) => [row.pv_uuid, Number(row.pe_start)]),
      ),
    classify: classifyLvm,
  };
}
