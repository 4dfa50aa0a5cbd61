import * as z from 'zod/mini';
import type { Command, ReadCommand } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, classifyLvm, type Udev } from './commands.ts';

/**
 * Creates a physical volume with a chosen uuid. pvcreate asks before it wipes a signature, and
 * closed stdin means no (exit code 5). But it overwrites another free physical volume without a
 * question and exits with 0 (2.03.16, test/fixtures/lvm/pvcreate-over-free-pv@2.03.16.json), so
 * check first. Never with `--force` or `--yes`.
 */
export function pvcreate(
  make: Udev & { readonly device: string; readonly uuid: string },
): Command<void, 'change'> {
  return change('pvcreate', ['--uuid', make.uuid, '--norestorefile', make.device], make);
}

/**
 * Removes the label of a physical volume; lvm refuses one in a volume group. Accepts no `--select`.
 */
export function pvremove(pv: Udev & { readonly device: string }): Command<void, 'destroy'> {
  return { ...change('pvremove', [pv.device], pv), access: 'destroy' };
}

/** Sets tags and the allocatable flag of a physical volume in a group. */
export function pvchange(
  pv: Udev & { readonly device: string; readonly tags: readonly string[]; readonly allocatable: boolean },
): Command<void, 'change'> {
  const tags = pv.tags.flatMap((tag) => ['--addtag', tag]);
  return change('pvchange', [...tags, '--allocatable', pv.allocatable ? 'y' : 'n', pv.device], pv);
}

/**
 * Resizes a physical volume of a group. `--yes` answers the question that lvm asks for every size
 * except that of the device. pvresize never cuts off used extents (2.03.16: "as later ones are
 * allocated", exit code 5). It accepts a size beyond the device with only a warning and exit code
 * 0: check first.
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

/** Reads the offset of the first extent of each physical volume, in bytes, by uuid. */
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
