import type { ManualRecovery } from '../core/errors.ts';
import { show } from './manual-recovery.ts';

/** Manual recovery of a pool that will be extended: extend it, or leave it as it is. */
export function poolGrownRecovery({
  undo: { vg, name, lvUuid, from, to },
}: {
  readonly undo: {
    readonly vg: string;
    readonly name: string;
    readonly lvUuid: string;
    readonly from: { readonly data: number; readonly metadata: number };
    readonly to: { readonly data: number; readonly metadata: number };
  };
}): ManualRecovery {
  const said = (['data', 'metadata'] as const).filter((part) => to[part] > from[part]);
  const words = said.map((part) => `${part} from ${from[part]} to ${to[part]} bytes`);
  const spare = said.includes('metadata') ? '; the spare metadata volume of its group becomes as large' : '';
  const options = { data: '--size', metadata: '--poolmetadatasize' } as const;
  return {
    what: `the thin pool of uuid ${lvUuid}: ${vg}/${name}, which will be grown: ${words.join(', ')}${spare}`,
    look: [show(`lv_uuid=${lvUuid}`)],
    clear: [['lvextend', ...said.flatMap((part) => [options[part], `${to[part]}b`]), `${vg}/${name}`]],
  };
}
