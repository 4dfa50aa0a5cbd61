import { withBofh } from '../../../bofh.ts';
import type { ReadHost } from '../../../command/index.ts';
import { plan } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { rootStateDir } from '../../../host/own-places.ts';
import { logged } from '../../runtime/system-log.ts';
import { verb } from '../../runtime/verb.ts';
import { programOf, refuseUnsafe } from './program.ts';
import { giveUnits } from './table.ts';
import { installedOptions, optionsFor, type UnitOptions, unitsFor } from './unit-options.ts';
import { findUnits, refuseForeign, writeUnits } from './units.ts';

/** Writes the units, all or none. systemctl enables them, like every other unit. */
export default verb({
  changes: true,
  answers: 'boot install',
  examples: ['boot install'],
  run: async (runtime) => {
    refuseOtherHost(runtime, 'the systemd units of this installation');
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const { host } = bofh;
    const installed = await installedOptions(host);
    const options = optionsFor(runtime, installed);
    const program = programOf(runtime);
    const units = unitsFor(program, options);
    await refuseUnsafe(host, program);
    const find = (now: ReadHost) => findUnits(now, units);
    refuseForeign(await find(host), 'boot install');
    const change = () => writeUnits(runtime.verb, find);
    if (runtime.settings.mode === 'plan') return await plan(runtime, bofh, change);
    await logged(runtime, host, () => withBofh(bofh, change));
    const found = await find(host);
    giveUnits(runtime, found);
    for (const line of keptAndLost(runtime, installed, options)) runtime.terminal.line(line);
    if (runtime.settings.quiet) return 0;
    const off = found.filter(({ unit, enabled }) => unit.atBoot && !enabled);
    const next = off.length === 0 ? 'daemon-reload' : `enable ${off.map(({ unit }) => unit.name).join(' ')}`;
    runtime.terminal.line(`next: systemctl ${next}`);
    return 0;
  },
});

/** Options that the units keep, and a state directory that they no longer use. */
function keptAndLost(
  { settings }: Runtime,
  installed: UnitOptions | undefined,
  { stateDir, site }: UnitOptions,
): readonly string[] {
  const from = installed?.stateDir ?? rootStateDir;
  const moved = installed !== undefined && from !== (stateDir ?? rootStateDir);
  const isTold = !settings.quiet;
  return [
    ...(isTold && settings.stateDirBy === 'default' && stateDir !== undefined
      ? [`the units keep --state-dir ${stateDir}`]
      : []),
    ...(isTold && settings.site === undefined && site !== undefined ? [`the units keep --site ${site}`] : []),
    ...(moved ? [`unfinished sequences in ${from} are no longer recovered at boot`] : []),
  ];
}
