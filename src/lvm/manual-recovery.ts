import type { Way } from '../atomic/operation.ts';
import type { ManualRecovery } from '../core/errors.ts';

type Argv = readonly string[];

/** What a person can do about a volume that was made. By the tag, for names are anybody's. */
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
    what: `the logical volume in ${vg} that bears the tag ${tag}: made as ${vg}/${name}${uuid}`,
    look: [show(marked)],
    clear: removal(vg, marked),
  };
}

/** What a person can do about a volume on its way to be removed: give it back its name, or remove it for good. */
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
    ...(wasActive ? [['lvchange', '--activate', 'y', '--select', itself, vg]] : []),
    ...(autoactivation ? [['lvchange', '--setautoactivation', 'y', '--select', itself, vg]] : []),
  ];
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, called ${vg}/${gone} until it is removed`,
    look: [show(itself)],
    clear: way === 'back' ? back : forward(vg, itself),
  };
}

/** What a person can do about a volume that was renamed: give it back its name. lvrename takes no selection. */
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

/** What a person can do about a volume whose tags were changed. */
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
  const said = [...add.map((tag) => `${tag} put on`), ...remove.map((tag) => `${tag} taken off`)];
  const back = [...add.flatMap((tag) => ['--deltag', tag]), ...remove.flatMap((tag) => ['--addtag', tag])];
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, the tags ${said.join(', ')}`,
    look: [show(itself)],
    clear: [['lvchange', ...back, '--select', itself, vg]],
  };
}

/** What to do about a name that is taken: whoever finds a volume of an interrupted sequence there is to hear of that. */
export function takenRemedy(tags: readonly string[]): string {
  const [id] = tags.flatMap((tag) => /^bofh\.(?<id>[0-9a-z]+)\.\d+$/.exec(tag)?.groups?.id ?? []);
  if (id === undefined) return 'choose another name';
  return `choose another name; or, if the sequence ${id} that made it is unfinished (bofh journal show ${id}): bofh recover ${id}`;
}

/** Commands that show and remove one volume, by its uuid: nothing else goes along, whatever has its name by then. */
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

/** The volumes that a selection takes. */
export function show(select: string): Argv {
  const columns = 'vg_name,lv_name,lv_uuid,lv_active,lv_device_open,lv_autoactivation,origin,lv_tags';
  return ['lvs', '--all', '--options', columns, '--select', select];
}

// The group is named and not the volume, so that a volume that others put in its place is never meant. An inactive
// origin's snapshots would go along unasked (2.03.16): then nothing is selected.
function removal(vg: string, select: string): readonly Argv[] {
  const alone = '!(lv_role={thickorigin} || lv_role={extorigin})';
  return [
    ['lvchange', '--activate', 'n', '--select', select, vg],
    ['lvremove', '--select', `${select} && ${alone}`, vg],
  ];
}

/** Of a classic snapshot: lvchange would deactivate its origin with it. It asks, because it is active. */
export function snapshotRemoval(vg: string, select: string): readonly Argv[] {
  return [['lvremove', '--select', `${select} && lv_role={thicksnapshot}`, vg]];
}
