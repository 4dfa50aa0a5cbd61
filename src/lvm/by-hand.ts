import type { Way } from '../atomic/operation.ts';
import type { ByHand } from '../errors.ts';
import type { Bytes } from '../units.ts';

type Argv = readonly string[];

/** What a person can do about a volume that was made. By the tag, for names are anybody's. */
export function madeByHand({
  undo: { vg, name, tag },
  result,
}: {
  readonly undo: { readonly vg: string; readonly name: string; readonly tag: string };
  readonly result?: { readonly uuid: string };
}): ByHand {
  const marked = `lv_tags={${tag}}`;
  const uuid = result === undefined ? '' : ` (uuid ${result.uuid})`;
  return {
    what: `the logical volume in ${vg} that bears the tag ${tag}: made as ${vg}/${name}${uuid}`,
    look: [show(marked)],
    clear: removal(vg, marked),
  };
}

/** What a person can do about a volume on its way to be removed: give it back its name, or remove it for good. */
export function removedByHand({
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
}): ByHand {
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
export function renamedByHand({
  undo: { vg, lvUuid, name, to },
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly to: string;
  };
}): ByHand {
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, renamed to ${vg}/${to}`,
    look: [show(`lv_uuid=${lvUuid}`)],
    clear: [['lvrename', vg, to, name]],
  };
}

/** What a person can do about a volume group that was made: by the tag, and only while it has no volume. */
export function groupMadeByHand({
  undo: { name, tag },
  result,
}: {
  readonly undo: { readonly name: string; readonly tag: string };
  readonly result?: { readonly uuid: string };
}): ByHand {
  const marked = `vg_tags={${tag}}`;
  const uuid = result === undefined ? '' : ` (uuid ${result.uuid})`;
  return {
    what: `the volume group that bears the tag ${tag}: made as ${name}${uuid}`,
    look: [['vgs', '--options', 'vg_name,vg_uuid,lv_count,pv_count,vg_tags', '--select', marked]],
    clear: [['vgremove', '--select', `${marked} && lv_count=0`]],
  };
}

/** What a person can do about devices that were put into a group, or taken out of it: the opposite, once they are looked at. */
export function devicesByHand({
  vg,
  vgUuid,
  pvs,
  verb,
  done,
}: {
  readonly vg: string;
  readonly vgUuid: string;
  readonly pvs: readonly { readonly device: string; readonly uuid: string }[];
  readonly verb: 'vgextend' | 'vgreduce';
  readonly done: string;
}): ByHand {
  const named = pvs.map(({ device, uuid }) => `${device} (uuid ${uuid})`);
  const select = pvs.map(({ uuid }) => `pv_uuid=${uuid}`).join(' || ');
  return {
    what: `${named.join(' and ')}, ${done} the volume group ${vg} (uuid ${vgUuid})`,
    look: [['pvs', '--options', 'pv_name,pv_uuid,vg_name,vg_uuid,pv_used,pv_tags', '--select', select]],
    clear: [[verb, vg, ...pvs.map(({ device }) => device)]],
  };
}

/** What a person can do about a group that was renamed: give it back its name, by its uuid. */
export function groupRenamedByHand({
  undo: { vg, vgUuid, to },
}: {
  readonly undo: { readonly vg: string; readonly vgUuid: string; readonly to: string };
}): ByHand {
  return {
    what: `the volume group of uuid ${vgUuid}: ${vg}, renamed to ${to}`,
    look: [['vgs', '--options', 'vg_name,vg_uuid,lv_count', '--select', `vg_uuid=${vgUuid}`]],
    clear: [['vgrename', vgUuid, vg]],
  };
}

/** What a person can do about a group on its way to be removed: give it back its name, or remove it for good. */
export function groupRemovedByHand({
  undo: { vg, vgUuid, gone },
  way,
}: {
  readonly undo: { readonly vg: string; readonly vgUuid: string; readonly gone: string };
  readonly way: Way;
}): ByHand {
  const itself = `vg_uuid=${vgUuid}`;
  return {
    what: `the volume group of uuid ${vgUuid}: ${vg}, called ${gone} until it is removed`,
    look: [['vgs', '--options', 'vg_name,vg_uuid,lv_count', '--select', itself]],
    clear: [way === 'back' ? ['vgrename', vgUuid, vg] : ['vgremove', '--select', `${itself} && lv_count=0`]],
  };
}

/** What a person can do about a physical volume that was resized: give it back its size. lvm asks, and names both sizes. */
export function resizedByHand({
  undo: { pv, vg, start, extentSize, was, now },
}: {
  readonly undo: {
    readonly pv: { readonly device: string; readonly uuid: string };
    readonly vg: string;
    readonly start: Bytes;
    readonly extentSize: Bytes;
    readonly was: number;
    readonly now: number;
  };
}): ByHand {
  const old = `${String(start + was * extentSize)}b`;
  return {
    what: `the physical volume of uuid ${pv.uuid} on ${pv.device}, in ${vg}: ${String(was)} extents, resized to ${String(now)}`,
    look: [
      ['pvs', '--options', 'pv_name,pv_uuid,pv_size,pv_pe_count,dev_size', '--select', `pv_uuid=${pv.uuid}`],
    ],
    clear: [['pvresize', '--setphysicalvolumesize', old, pv.device]],
  };
}

/** What a person can do about a volume that got another size. Neither program takes a selection: look first. */
export function volumeResizedByHand({
  undo: { vg, lvUuid, name, from, to, cut, pool, tag, origin, when },
  way,
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly from: number;
    readonly to: number;
    readonly cut: readonly { readonly device: string; readonly start: number; readonly count: number }[];
    readonly pool?: { readonly name: string };
    readonly tag: string;
    readonly origin?: string;
    readonly when?: string;
  };
  readonly way: Way;
}): ByHand {
  const itself = `the logical volume of uuid ${lvUuid}: ${vg}/${name}`;
  const full = `${vg}/${name}`;
  const look = [show(`lv_uuid=${lvUuid}`)];
  if (when !== undefined)
    return {
      what: `${itself}, ${origin === undefined ? 'which DRBD stores on, and which' : `a snapshot of ${origin} whose room`} is to grow from ${from} to ${to} bytes`,
      look,
      clear: way === 'back' ? [] : [['lvextend', '--size', `${to}b`, full]],
    };
  if (to === from)
    return {
      what: `${itself}, which had its ${from} bytes already and bears the tag ${tag}`,
      look,
      clear: [['lvchange', '--deltag', tag, '--select', `lv_uuid=${lvUuid}`, vg]],
    };
  if (to > from)
    return {
      what: `${itself}, grown from ${from} to ${to} bytes; what lies on it must not reach beyond the old size`,
      look,
      clear: [['lvreduce', '--size', `${from}b`, full]],
    };
  if (pool !== undefined)
    return {
      what: `${itself}, cut from ${from} to ${to} bytes; what lay at its end is in the pool ${vg}/${pool.name} still`,
      look,
      clear: [['lvextend', '--size', `${from}b`, full]],
    };
  const places = cut.map(({ device, start, count }) => `${device}:${start}-${start + count - 1}`);
  return {
    what: `${itself}, cut from ${from} to ${to} bytes; its end lay on ${places.join(', then ')}`,
    look: [...look, ['pvs', '--segments', '--options', 'pv_name,pv_uuid,pvseg_start,pvseg_size,lv_name']],
    clear: [['lvextend', '--size', `${from}b`, full, ...places]],
  };
}

/** What a person can do about a volume whose tags were changed. */
export function taggedByHand({
  undo: { vg, lvUuid, name, add, remove },
}: {
  readonly undo: {
    readonly vg: string;
    readonly lvUuid: string;
    readonly name: string;
    readonly add: readonly string[];
    readonly remove: readonly string[];
  };
}): ByHand {
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
export function removeByHand({
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
