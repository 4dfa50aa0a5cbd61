import type { ManualRecovery } from '../core/errors.ts';
import type { Piece } from './operations/moves.ts';

/** Manual recovery of moved extents: move the same extents back, last ones first. */
export function movedRecovery({
  vg,
  vgUuid,
  pvs,
  pieces,
}: {
  readonly vg: string;
  readonly vgUuid: string;
  readonly pvs: readonly { readonly device: string; readonly uuid: string }[];
  readonly pieces: readonly Piece[];
}): ManualRecovery {
  const place = ({ pvUuid, start }: Piece['from'], count: number): string => {
    const device = pvs.find(({ uuid }) => uuid === pvUuid)?.device ?? pvUuid;
    return `${device}:${start}-${start + count - 1}`;
  };
  const names = [...new Set(pieces.map(({ name }) => name))];
  const source = pvs[0]?.device ?? '';
  return {
    what: `extents of ${names.join(', ')} in ${vg} (uuid ${vgUuid}), moved off ${source} (uuid ${pvs[0]?.uuid ?? ''})`,
    look: [
      ['pvs', '--segments', '--options', 'pv_name,pv_uuid,pvseg_start,pvseg_size,lv_name'],
      ['lvs', '--all', '--options', 'lv_name,copy_percent,move_pv', vg],
    ],
    clear: [
      ['pvmove', '--abort', source],
      ...pieces
        .toReversed()
        .map(({ name, from, to, count }) => [
          ...['pvmove', '--name', `${vg}/${name}`],
          ...[place(to, count), place(from, count)],
        ]),
    ],
  };
}
