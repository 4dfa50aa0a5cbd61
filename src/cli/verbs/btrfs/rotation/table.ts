import type { ReadHost } from '../../../../command/index.ts';
import { give } from '../../../output/answer.ts';
import type { BtrfsRotations } from '../../../output/answers/index.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { seenRotations } from './units.ts';

/** The answer of every verb of rotations: those that are installed. */
export async function giveRotations(runtime: Runtime<BtrfsRotations>, host: ReadHost): Promise<void> {
  const data: BtrfsRotations = (await seenRotations(host)).map(({ timer, enabled, rotation }) => ({
    timer,
    enabled,
    rotation: rotation === undefined ? null : { ...rotation },
  }));
  give(runtime, {
    data,
    head: ['LABEL', 'SOURCE', 'TARGET', 'KEEP', 'CALENDAR', 'ENABLED', 'TIMER'],
    rows: data.map(({ timer, enabled, rotation }) => [
      rotation?.label ?? 'edited',
      rotation?.source ?? '-',
      rotation?.target ?? '-',
      rotation === null ? '-' : String(rotation.keep),
      rotation?.calendar ?? '-',
      enabled ? 'yes' : 'no',
      timer,
    ]),
    none: 'no rotation is installed',
  });
}
