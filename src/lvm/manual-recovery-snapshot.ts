import type { ManualRecovery } from '../core/errors.ts';
import { madeRecovery, show, snapshotRemoval } from './manual-recovery.ts';

/** Manual recovery of a created snapshot: remove it by its tag, and never its origin. */
export function snapshotRecovery(of: {
  readonly undo: {
    readonly vg: string;
    readonly name: string;
    readonly tag: string;
    readonly origin: { readonly name: string; readonly uuid: string };
    readonly sort: 'classic' | 'thin';
  };
  readonly result?: { readonly uuid: string };
}): ManualRecovery {
  const { vg, name, tag, origin, sort } = of.undo;
  const made = madeRecovery(of);
  const marked = `lv_tags={${tag}}`;
  return {
    what: `${made.what}, a ${sort} snapshot of ${vg}/${origin.name} (uuid ${origin.uuid}), called ${name}`,
    look: [show(marked)],
    clear: sort === 'classic' ? snapshotRemoval(vg, marked) : made.clear,
  };
}

/** Manual recovery of a snapshot that will be merged: merge it, or leave it as it is. */
export function mergedRecovery({
  undo: { vg, name, lvUuid, origin },
}: {
  readonly undo: {
    readonly vg: string;
    readonly name: string;
    readonly lvUuid: string;
    readonly origin: { readonly name: string; readonly uuid: string };
  };
}): ManualRecovery {
  return {
    what: `the snapshot of uuid ${lvUuid}, ${vg}/${name}, which will be merged into ${vg}/${origin.name} (uuid ${origin.uuid})`,
    look: [show(`lv_uuid=${lvUuid} || lv_uuid=${origin.uuid}`)],
    clear: [['lvconvert', '--merge', `${vg}/${name}`]],
  };
}

/** Manual recovery of a volume that was activated or deactivated: do the opposite. */
export function activationRecovery({
  undo: { vg, name, lvUuid, to },
}: {
  readonly undo: {
    readonly vg: string;
    readonly name: string;
    readonly lvUuid: string;
    readonly to: 'active' | 'inactive';
  };
}): ManualRecovery {
  const itself = `lv_uuid=${lvUuid}`;
  const back = to === 'active' ? ['n'] : ['y', '--ignoreactivationskip'];
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, which was made ${to}`,
    look: [show(itself)],
    clear: [['lvchange', '--activate', ...back, '--select', itself, vg]],
  };
}
