import type { Way } from '../atomic/operation.ts';
import type { ManualRecovery } from '../core/errors.ts';

/** Manual recovery of a created volume group: remove it by its tag, only while it has no volume. */
export function groupMadeRecovery({
  undo: { name, tag },
  result,
}: {
  readonly undo: { readonly name: string; readonly tag: string };
  readonly result?: { readonly uuid: string };
}): ManualRecovery {
  const marked = `vg_tags={${tag}}`;
  const uuid = result === undefined ? '' : ` (uuid ${result.uuid})`;
  return {
    what: `the volume group with the tag ${tag}: created as ${name}${uuid}`,
    look: [['vgs', '--options', 'vg_name,vg_uuid,lv_count,pv_count,vg_tags', '--select', marked]],
    clear: [['vgremove', '--select', `${marked} && lv_count=0`]],
  };
}

/**
 * Manual recovery of devices added to or removed from a group: look at them, then do the opposite.
 */
export function devicesRecovery({
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
}): ManualRecovery {
  const named = pvs.map(({ device, uuid }) => `${device} (uuid ${uuid})`);
  const select = pvs.map(({ uuid }) => `pv_uuid=${uuid}`).join(' || ');
  return {
    what: `${named.join(' and ')}, ${done} the volume group ${vg} (uuid ${vgUuid})`,
    look: [['pvs', '--options', 'pv_name,pv_uuid,vg_name,vg_uuid,pv_used,pv_tags', '--select', select]],
    clear: [[verb, vg, ...pvs.map(({ device }) => device)]],
  };
}

/** Manual recovery of a renamed group: restore its name, by its uuid. */
export function groupRenamedRecovery({
  undo: { vg, vgUuid, to },
}: {
  readonly undo: { readonly vg: string; readonly vgUuid: string; readonly to: string };
}): ManualRecovery {
  return {
    what: `the volume group of uuid ${vgUuid}: ${vg}, renamed to ${to}`,
    look: [['vgs', '--options', 'vg_name,vg_uuid,lv_count', '--select', `vg_uuid=${vgUuid}`]],
    clear: [['vgrename', vgUuid, vg]],
  };
}

/** Manual recovery of a group whose removal has begun: restore its name, or remove it for good. */
export function groupRemovedRecovery({
  undo: { vg, vgUuid, gone },
  way,
}: {
  readonly undo: { readonly vg: string; readonly vgUuid: string; readonly gone: string };
  readonly way: Way;
}): ManualRecovery {
  const itself = `vg_uuid=${vgUuid}`;
  return {
    what: `the volume group of uuid ${vgUuid}: ${vg}, called ${gone} until it is removed`,
    look: [['vgs', '--options', 'vg_name,vg_uuid,lv_count', '--select', itself]],
    clear: [way === 'back' ? ['vgrename', vgUuid, vg] : ['vgremove', '--select', `${itself} && lv_count=0`]],
  };
}
