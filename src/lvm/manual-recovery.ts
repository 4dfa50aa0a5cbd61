import type { Way } from '../atomic/operation.ts';
import type { ManualRecovery } from '../core/errors.ts';

type Argv = readonly string[];

/**
 * Manual recovery of a created volume: finds it by its tag, because any volume can have its name.
 */
export function madeRecovery({
  undo: { vg, name, tag },
  result,
}: {
  readonly undo: { readonly vg: string; readonly name: string; readonly tag: string };
  readonly result?: { readonly uuid: string };
}): ManualRecovery {
  const marked = `lv_tags={${tag}}`;
  const uuid = result === undefined ? '' : ` (uuid ${result.uuid})`;
  return {
    what: `the logical volume in ${vg} with the tag ${tag}: created as ${vg}/${name}${uuid}`,
    look: [show(marked)],
    clear: removal(vg, marked),
  };
}

/** Manual recovery of a volume whose removal has begun: restore its name, or remove it for good. */
export function removedRecovery({
  undo: { vg, lvUuid, name, gone, wasActive, autoactivation, sort },
  way,
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly gone: string;
    readonly wasActive: boolean;
    readonly autoactivation: boolean;
    readonly sort?: 'classic snapshot' | 'thin pool';
  };
  readonly way: Way;
}): ManualRecovery {
  const itself = `lv_uuid=${lvUuid}`;
  const forward = sort === 'classic snapshot' ? snapshotRemoval : removal;
  const back: readonly Argv[] = [
    ['lvrename', vg, gone, name],
    ...(wasActive ? [['lvchange', '--activate', 'y', '--ignoreactivationskip', '--select', itself, vg]] : []),
    ...(autoactivation ? [['lvchange', '--setautoactivation', 'y', '--select', itself, vg]] : []),
  ];
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, called ${vg}/${gone} until it is removed`,
    look: [show(itself)],
    clear: way === 'back' ? back : forward(vg, itself),
  };
}

/** Manual recovery of a renamed volume: restore its name. lvrename accepts no selection. */
export function renamedRecovery({
  undo: { vg, lvUuid, name, to },
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly to: string;
  };
}): ManualRecovery {
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, renamed to ${vg}/${to}`,
    look: [show(`lv_uuid=${lvUuid}`)],
    clear: [['lvrename', vg, to, name]],
  };
}

/** Manual recovery of a volume whose tags were changed. */
export function taggedRecovery({
  undo: { vg, lvUuid, name, add, remove },
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly add: readonly string[];
    readonly remove: readonly string[];
  };
}): ManualRecovery {
  const itself = `lv_uuid=${lvUuid}`;
  const said = [...add.map((tag) => `${tag} added`), ...remove.map((tag) => `${tag} removed`)];
  const back = [...add.flatMap((tag) => ['--deltag', tag]), ...remove.flatMap((tag) => ['--addtag', tag])];
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, with the tags ${said.join(', ')}`,
    look: [show(itself)],
    clear: [['lvchange', ...back, '--select', itself, vg]],
  };
}

/**
 * The remedy for a name that is in use. Names the interrupted sequence if the volume belongs to
 * one.
 */
export function takenRemedy(tags: readonly string[]): string {
  const [id] = tags.flatMap((tag) => /^bofh\.(?<id>[0-9a-z]+)\.\d+$/.exec(tag)?.groups?.id ?? []);
  if (id === undefined) return 'choose another name';
  return `choose another name; or, if the sequence ${id} that created it is unfinished (bofh journal show ${id}): bofh recover ${id}`;
}

/** Commands that show and remove exactly one volume by its uuid, whatever its name is now. */
export function removeRecovery({
  vg,
  uuid,
  role,
}: {
  readonly vg: string;
  readonly uuid: string;
  readonly role: readonly string[];
}): {
  readonly look: readonly Argv[];
  readonly clear: readonly Argv[];
} {
  const itself = `lv_uuid=${uuid}`;
  const clear = role.includes('thicksnapshot') ? snapshotRemoval : removal;
  return { look: [show(itself)], clear: clear(vg, itself) };
}

/** A command that shows the volumes of a selection. */
export function show(select: string): Argv {
  const columns = 'vg_name,lv_name,lv_uuid,lv_active,lv_device_open,lv_autoactivation,origin,lv_tags';
  return ['lvs', '--all', '--options', columns, '--select', select];
}

// Names the group and not the volume, so that another volume of the same name is never removed. For
// an inactive origin the selection is empty, because lvm would remove its snapshots without asking
// (2.03.16).
function removal(vg: string, select: string): readonly Argv[] {
  const alone = '!(lv_role={thickorigin} || lv_role={extorigin})';
  return [
    ['lvchange', '--activate', 'n', '--select', select, vg],
    ['lvremove', '--select', `${select} && ${alone}`, vg],
  ];
}

/**
 * Commands that remove a classic snapshot. Without lvchange, which would also deactivate its
 * origin. lvremove asks, because the snapshot is active.
 */
export function snapshotRemoval(vg: string, select: string): readonly Argv[] {
  return [['lvremove', '--select', `${select} && lv_role={thicksnapshot}`, vg]];
}
