import { atomic, currentBofh, withBofh } from '../../../bofh.ts';
import { RefusedError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { plan } from '../../runtime/change.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { verb } from '../../runtime/verb.ts';
import { programOf } from './program.ts';
import { giveUnits } from './table.ts';
import { unitsFor } from './unit-options.ts';
import { findUnits, type FoundUnit, isPackaged, refuseForeign } from './units.ts';

/** Removes the units, all or none. Refused while one of them is enabled. */
export default verb({
  changes: true,
  answers: 'boot remove',
  examples: ['boot remove'],
  run: async (runtime) => {
    refuseOtherHost(runtime, 'the systemd units of this installation');
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const units = unitsFor(programOf(runtime), {});
    const change = () =>
      atomic(runtime.verb, async (tx) => {
        for (const { unit, sha256 } of (await findUnits(currentBofh().host, units)).filter(isRemovable))
          await tx.file.remove(present({ path: unit.path, sha256 }));
      });
    const found = await findUnits(bofh.host, units);
    refuseForeign(found, 'boot install');
    refusePackaged(found);
    refuseEnabled(found);
    if (runtime.settings.mode === 'plan') return await plan(runtime, bofh, change);
    await logged(runtime, bofh.host, () => withBofh(bofh, change));
    giveUnits(runtime, await findUnits(bofh.host, units));
    if (!runtime.settings.quiet && found.some(isRemovable))
      runtime.terminal.line('next: systemctl daemon-reload');
    return 0;
  },
});

function isRemovable(unit: FoundUnit): boolean {
  return unit.state !== 'absent' && !isPackaged(unit);
}

function refusePackaged(found: readonly FoundUnit[]): void {
  if (found.some(isRemovable) || !found.some(isPackaged)) return;
  const enabledUnits = found.filter(({ enabled }) => enabled).map(({ unit }) => unit.name);
  throw new RefusedError('the units belong to the Debian package of bofh', {
    remedy: enabledUnits.length === 0 ? 'apt remove bofh' : `systemctl disable ${enabledUnits.join(' ')}`,
  });
}

function refuseEnabled(found: readonly FoundUnit[]): void {
  const enabledUnits = found.filter(({ enabled }) => enabled).map(({ unit }) => unit.name);
  if (enabledUnits.length === 0) return;
  throw new RefusedError(
    `still enabled: ${enabledUnits.join(', ')}; without their files, systemd would keep broken links`,
    {
      remedy: `systemctl disable ${enabledUnits.join(' ')}`,
    },
  );
}
