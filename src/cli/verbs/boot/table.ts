import { give } from '../../output/answer.ts';
import type { BootUnits } from '../../output/answers/index.ts';
import { stated } from '../../output/style.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { FoundUnit } from './units.ts';

/** The answer of every verb of boot: the units and their state. */
export function giveUnits(runtime: Runtime<BootUnits>, found: readonly FoundUnit[]): void {
  const data: BootUnits = found.map(({ unit, state, enabled }) => ({
    unit: unit.name,
    file: unit.path,
    state,
    atBoot: atBootOf({ unit, state, enabled }),
  }));
  give(runtime, {
    data,
    head: ['UNIT', 'STATE', 'AT BOOT', 'FILE'],
    rows: data.map((row) => [row.unit, stated(row.state), atBootWords[row.atBoot], row.file]),
    none: '',
  });
}

/** The text for the start at boot. A unit for failures is never enabled: the failed service starts it. */
function atBootOf({ unit, state, enabled }: Pick<FoundUnit, 'unit' | 'state' | 'enabled'>) {
  if (unit.atBoot) return enabled ? 'enabled' : 'disabled';
  return state === 'absent' ? 'disabled' : 'on-failure';
}

const atBootWords: Readonly<Record<BootUnits[number]['atBoot'], string>> = {
  enabled: 'yes',
  disabled: 'no',
  'on-failure': 'when recovery fails',
};
