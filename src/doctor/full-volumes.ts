import type { ReadHost } from '../command/index.ts';
import { filledInWords, fillingOf, fullLimit, isThinPool, type LogicalVolume, lvs } from '../lvm/index.ts';
import { type Finding, finding, looking } from './finding.ts';

/** Reports full classic snapshots and thin pools. */
export async function fullVolumes(host: ReadHost, root: boolean): Promise<readonly Finding[]> {
  return looking({ check: 'lvm', what: 'snapshots and thin pools', root }, async () =>
    (await lvs(host)).filter((lv) => fillingOf(lv) === 'full').map(findingOf),
  );
}

function findingOf(lv: LogicalVolume): Finding {
  if (isThinPool(lv)) {
    const says = `the thin pool ${lv.fullName} is full (${filledInWords(lv)}): writes to its volumes fail`;
    const parts = [
      ...((lv.data ?? 0) >= fullLimit ? ['--size', '+SIZE'] : []),
      ...((lv.metadata ?? 0) >= fullLimit ? ['--metadata-size', '+128m'] : []),
    ];
    return finding('lvm', 'problem', says, [['bofh', 'lvm', 'pool', 'resize', lv.fullName, ...parts]]);
  }
  const enlarge = ['bofh', 'lvm', 'resize', lv.fullName, '+SIZE'];
  const name = `the snapshot ${lv.fullName} of ${lv.vg}/${lv.origin?.name ?? '?'}`;
  // lvm shows 100 % for an invalid snapshot (lv_attr I), and an extension does not repair it.
  return (lv.data ?? 0) >= 100
    ? finding('lvm', 'problem', `${name} is invalid, because it was full: it can only be removed`, [
        ['bofh', 'lvm', 'remove', lv.fullName],
      ])
    : finding('lvm', 'problem', `${name} is full (${filledInWords(lv)}), and becomes invalid at 100 %`, [
        enlarge,
      ]);
}
