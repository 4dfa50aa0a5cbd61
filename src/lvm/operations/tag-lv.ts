import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { taggedRecovery } from '../manual-recovery.ts';
import { changeTags } from '../lv-commands.ts';
import { checkTag, checkVgName } from '../names.ts';
import { syncGroup, udevOf, usableVg } from '../reads.ts';
import type { LogicalVolume } from '../objects.ts';
import { deviceKeys } from './device-keys.ts';
import { askedVolume, findKnown, known, knownVolume, volumeNamed } from './known-volume.ts';
import { present } from '../../core/present.ts';

const args = z.extend(askedVolume, {
  /** Tags to add, without the `@`. */
  add: z.exactOptional(z.array(z.string())),
  /** Tags to remove, without the `@`. */
  remove: z.exactOptional(z.array(z.string())),
});

const undo = z.extend(knownVolume, {
  /** The tags to add, without those that the volume already had. */
  add: z.array(z.string()),
  /** The tags to remove, without those that the volume did not have. */
  remove: z.array(z.string()),
});

type Undo = z.infer<typeof undo>;

/**
 * Adds and removes tags of a logical volume in one metadata commit. Tags to add that exist, and tags
 * to remove that are missing, are ignored. If nothing is left to change, the volume gets only the
 * step's own tag. Tags that begin with "bofh." are refused, because they show which step created an
 * object.
 */
export const tagLv = operation({
  kind: 'lvm.lv.tag',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { vg: group, name, uuid, add = [], remove = [] }, mark, host }) => {
    checkVgName(group);
    [...add, ...remove].forEach(checkTag);
    const both = add.find((tag) => remove.includes(tag));
    if (both !== undefined)
      throw new UsageError(`${group}/${name}: the tag ${both} is in both lists: add it or remove it`);
    if (add.length + remove.length === 0)
      throw new UsageError(`${group}/${name}: name the tags to add or remove`);
    const vg = await usableVg(host, group);
    const lv = volumeNamed(vg, { name, ...present({ uuid }) });
    const missing = [...new Set(add)].filter((tag) => !lv.tags.includes(tag));
    const there = [...new Set(remove)].filter((tag) => lv.tags.includes(tag));
    const nothingChanges = missing.length + there.length === 0;
    const of = { vg: group, vgUuid: vg.uuid, lvUuid: lv.uuid, name };
    return { ...of, add: nothingChanges ? [mark] : missing, remove: there };
  },
  claims: async ({ undo: { vg, name }, on }) => {
    const device = await deviceKeys(on, `/dev/${vg}/${name}`);
    return {
      changes: [...new Set([`lv:${vg}/${name}`, ...(device === undefined ? [] : [device.key])])],
      needs: [...new Set([`vg:${vg}`, ...(device?.beneath ?? [])])],
    };
  },
  within: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
  run: async ({ undo: of, host }) => {
    const { lv } = await known(host, of);
    if (lv.name !== of.name || stateOf(of, lv) !== 'before')
      throw new RefusedError(
        `${of.vg}/${of.name} (uuid ${of.lvUuid}) has changed: its name is now ${lv.fullName}, its tags are ${lv.tags.join(', ') || 'none'}; nothing was done`,
        { remedy: `see its tags: lvs -o +lv_tags ${of.vg}; then run the command again` },
      );
    await change(host, of, of);
    return null;
  },
  value: ({ undo: { vg, name } }) => ({ path: `/dev/${vg}/${name}` }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const lv = (await findKnown(host, of))?.lv;
    if (lv === undefined) return { state: 'gone' };
    const moved = lv.vg === of.vg && lv.name === of.name ? {} : { movedTo: `lv:${lv.fullName}` };
    const state = stateOf(of, lv);
    if (state === 'after') return { state: 'ours', ...moved };
    if (state === 'before') return { state: 'gone' };
    return {
      state: 'not-ours',
      found: `${lv.fullName} (uuid ${lv.uuid}) has the tags ${lv.tags.join(', ') || 'none'}`,
    };
  },
  revert: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found !== undefined && stateOf(of, found.lv) === 'after')
      await change(host, of, { add: of.remove, remove: of.add });
  },
  sync: ({ undo: { vgUuid }, host }) => syncGroup(host, vgUuid),
  describe: taggedRecovery,
});

/** Returns the state of the tags that the step changes; other tags do not matter. */
function stateOf({ add, remove }: Undo, { tags }: LogicalVolume): 'before' | 'after' | 'mixed' {
  const changed = [...add.map((tag) => tags.includes(tag)), ...remove.map((tag) => !tags.includes(tag))];
  if (changed.every((is) => is)) return 'after';
  return changed.some((is) => is) ? 'mixed' : 'before';
}

async function change(
  host: ChangeHost,
  of: Undo,
  { add, remove }: { readonly add: readonly string[]; readonly remove: readonly string[] },
): Promise<void> {
  const { lv } = await known(host, of);
  const { vg, name, uuid } = lv;
  await host.run(changeTags({ vg, name, uuid, add, remove, ...(await udevOf(host)) }));
}
