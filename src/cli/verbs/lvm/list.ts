import { UsageError } from '../../../core/errors.ts';
import { lvs } from '../../../lvm/index.ts';
import { filledInWords, fillingOf, isThinPool, nearLimit } from '../../../lvm/filling.ts';
import type { LogicalVolume } from '../../../lvm/objects.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { LvmList } from '../../output/answers/index.ts';
import { fullness } from '../../output/fullness.ts';
import { type Cell, type TextStyle, stated } from '../../output/style.ts';
import { openSession } from '../../runtime/session.ts';
import { value, verb } from '../../runtime/verb.ts';

/** Lists volumes and pools, without the hidden parts of other volumes (mirror legs, pool metadata). */
export default verb({
  changes: false,
  answers: 'lvm list',
  table: true,
  options: {
    near: value('<PERCENT>', 'warn above this usage, in percent (default: 80)', { read: percent }),
  },
  examples: ['lvm list', 'lvm list --near 90'],
  run: async (runtime, { near = nearLimit }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = (await lvs(bofh.host)).filter((lv) => lv.path !== undefined || isThinPool(lv));
    const data: LvmList = found.map((lv) => ({
      volume: lv.fullName,
      uuid: lv.uuid,
      path: lv.path ?? null,
      size: lv.size,
      active: lv.active,
      open: lv.open,
      layout: [...lv.layout],
      origin: lv.origin?.name ?? null,
      pool: lv.pool?.name ?? null,
      dataPercent: lv.data ?? null,
      metadataPercent: lv.metadata ?? null,
      syncPercent: lv.synced ?? null,
      filling: fillingOf(lv, near) ?? null,
      health: lv.health ?? null,
      merging: lv.merging,
      tags: [...lv.tags],
    }));
    give(runtime, {
      data,
      head: ['VOLUME', 'SIZE', 'ACTIVE', 'OPEN', 'LAYOUT', 'ORIGIN', 'POOL', ...percents, 'STATE', 'TAGS'],
      rows: found.map((lv) => [
        lv.fullName,
        formatSize(lv.size),
        word(lv.active),
        word(lv.open),
        lv.layout.join(','),
        lv.origin?.name ?? '',
        lv.pool?.name ?? '',
        ...[lv.data, lv.metadata].map((part) => stated(part?.toFixed(2) ?? '', fullnessOf(lv, part, near))),
        lv.synced?.toFixed(2) ?? '',
        stateOf(lv, near),
        lv.tags.join(','),
      ]),
      none: 'there is no logical volume on this host',
    });
    return 0;
  },
});

const percents = ['DATA%', 'META%', 'SYNC%'] as const;

/**
 * The style of a usage. A full thin volume needs no warning, nor a snapshot that never becomes
 * full.
 */
function fullnessOf(lv: LogicalVolume, part: number | undefined, near: number): TextStyle | undefined {
  return fillingOf(lv) === undefined || lv.covers === true ? undefined : fullness(part, near);
}

function stateOf(lv: LogicalVolume, near: number): Cell {
  const filling = fillingOf(lv, near);
  const words = [
    ...(filling === 'full' ? [`full: ${filledInWords(lv)}`] : []),
    ...(filling === 'near' ? [`near its limit: ${filledInWords(lv)}`] : []),
    ...(filling === 'unknown' && lv.active === true ? ['usage unknown'] : []),
    ...(lv.merging ? ['merging'] : []),
    ...(lv.health === undefined ? [] : [lv.health]),
    ...(lv.synced === undefined || lv.synced >= 100 ? [] : ['not in sync yet']),
  ];
  const isBad = filling === 'full' || lv.health !== undefined;
  return words.length === 0 ? stated('ok') : stated(words.join('; '), isBad ? 'bad' : 'warning');
}

function percent(text: string, name: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 1 && number <= 100) return number;
  throw new UsageError(`${name} ${text}: must be a percentage from 1 to 100`);
}

function word(flag: boolean | 'unknown'): string {
  if (flag === 'unknown') return flag;
  return flag ? 'yes' : 'no';
}
