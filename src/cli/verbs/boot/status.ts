import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { programOf } from './program.ts';
import { giveUnits } from './table.ts';
import { installedOptions, optionsFor, unitsFor } from './unit-options.ts';
import { findUnits } from './units.ts';

/** `systemctl status` shows whether the units have run, and the result. */
export default verb({
  changes: false,
  answers: 'boot status',
  table: true,
  examples: ['boot status'],
  run: async (runtime) => {
    refuseOtherHost(runtime, 'the systemd units of this installation');
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const options = optionsFor(runtime, await installedOptions(bofh.host));
    giveUnits(runtime, await findUnits(bofh.host, unitsFor(programOf(runtime), options)));
    return 0;
  },
});
