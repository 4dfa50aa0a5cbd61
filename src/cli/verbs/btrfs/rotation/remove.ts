import { atomic, withBofh } from '../../../../bofh.ts';
import { rotationRequest } from '../../../../btrfs/rotation.ts';
import { commandLine } from '../../../../command/index.ts';
import { RefusedError } from '../../../../core/errors.ts';
import { realPath } from '../../../../mount/index.ts';
import { plan } from '../../../runtime/change.ts';
import { openSession, refuseOtherHost } from '../../../runtime/session.ts';
import { logged } from '../../../runtime/system-log.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { foreignUnits, unitDir } from '../../boot/units.ts';
import { giveRotations } from './table.ts';
import { rotationUnitNames, seenRotations } from './units.ts';

/** Removes both units and keeps the snapshots. Refused while the timer is enabled. */
export default verb({
  changes: true,
  answers: 'btrfs rotation remove',
  args: { source: ['<source>', 'path of the subvolume'] },
  options: { label: value('<LABEL>', 'label of the rotation', { required: true }) },
  examples: ['btrfs rotation remove /srv/data --label daily'],
  run: async (runtime, typed) => {
    refuseOtherHost(runtime, 'the systemd units of this installation');
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const { label, source } = rotationRequest({ ...typed, target: typed.source, keep: 1 });
    // The units name the path without links. For a source that no longer exists, the typed path is used.
    const exists = (await bofh.host.stat(source)) !== undefined;
    const names = rotationUnitNames({ label, source: exists ? await realPath(bofh.host, source) : source });
    const seen = (await seenRotations(bofh.host)).find(({ timer }) => timer === names.timer);
    if (seen === undefined)
      throw new RefusedError(`no rotation of ${source} with the label ${label} is installed`, {
        remedy: 'see those that are: bofh btrfs rotation status',
      });
    if (seen.rotation === undefined)
      throw foreignUnits([names.service, names.timer], 'btrfs rotation install');
    if (seen.enabled)
      throw new RefusedError(
        `${names.timer} is still enabled; without its file, systemd would keep a broken link`,
        {
          remedy: commandLine({ tool: 'systemctl', argv: ['disable', '--now', names.timer] }),
        },
      );
    const change = () =>
      atomic(runtime.verb, async (tx) => {
        for (const name of [names.timer, names.service]) await tx.file.remove({ path: `${unitDir}/${name}` });
      });
    if (runtime.settings.mode === 'plan') return await plan(runtime, bofh, change);
    await logged(runtime, bofh.host, () => withBofh(bofh, change));
    await giveRotations(runtime, bofh.host);
    runtime.terminal.line('next: systemctl daemon-reload');
    return 0;
  },
});
