import type { Way } from '../atomic/operation.ts';
import type { ByHand } from '../core/errors.ts';
import type { ConvertUndo } from './operations/convert-lv.ts';

/** What a person can do about a copy that a volume got, or is to lose: take that very copy away. */
export function convertedByHand({ vg, name, lvUuid, to, on }: ConvertUndo, way: Way): ByHand {
  const devices = on.map(({ device }) => device);
  const does = to === 'raid1' ? 'which got a copy on' : 'which is to lose its copy on';
  return {
    what: `the logical volume of uuid ${lvUuid}: ${vg}/${name}, ${does} ${devices.join(' and ')} (uuid ${on.map(({ uuid }) => uuid).join(' and ')})`,
    look: [['lvs', '--all', '--options', 'lv_name,lv_uuid,lv_layout,copy_percent,devices', vg]],
    // A copy that is to go is still there before the commit.
    clear:
      to === 'linear' && way === 'back' ? [] : [['lvconvert', '--mirrors', '0', `${vg}/${name}`, ...devices]],
  };
}
