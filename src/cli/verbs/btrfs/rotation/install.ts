import { withBofh } from '../../../../bofh.ts';
import { placeOf } from '../../../../btrfs/place.ts';
import { subvolumeAt } from '../../../../btrfs/reads.ts';
import { type RotationRequest, rotationRequest } from '../../../../btrfs/rotation.ts';
import { commandLine, type ReadHost } from '../../../../command/index.ts';
import { RefusedError } from '../../../../core/errors.ts';
import { plan } from '../../../runtime/change.ts';
import type { Program, Runtime } from '../../../runtime/runtime.ts';
import { openSession, refuseOtherHost, untilInterrupted } from '../../../runtime/session.ts';
import { rootStateDir } from '../../../../host/own-places.ts';
import { logged } from '../../../runtime/system-log.ts';
import { value, verb } from '../../../runtime/verb.ts';
import { programOf, refuseUnsafe } from '../../boot/program.ts';
import { installedOptions } from '../../boot/unit-options.ts';
import { refuseForeign, writeUnits } from '../../boot/units.ts';
import { keep, label } from '../options.ts';
import { giveRotations } from './table.ts';
import { calendarOf, findRotation, rotationUnits } from './units.ts';

/** Writes a service and a timer, both or none. systemctl enables the timer. */
export default verb({
  changes: true,
  answers: 'btrfs rotation install',
  args: {
    source: ['<source>', 'path of the subvolume'],
    target: ['<target>', 'directory of the snapshots, on the same filesystem'],
  },
  options: {
    label,
    keep,
    calendar: value(
      '<EVENT>',
      'when to run, as in OnCalendar= (default for daily, weekly, monthly and yearly: the label)',
    ),
  },
  examples: ['btrfs rotation install /srv/data /srv/snapshots --label daily'],
  run: async (runtime, { calendar: event, ...typed }) => {
    refuseOtherHost(runtime, 'the systemd units of this installation');
    const request = rotationRequest(typed);
    const calendar = calendarOf(request.label, event);
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const { host } = bofh;
    const checked = await untilInterrupted(runtime, withRealPaths(host, request));
    const program = programOf(runtime);
    const call = await callOf(runtime, host, program);
    const units = rotationUnits(call.words, { ...checked, calendar }, call.stateDir);
    await refuseUnsafe(host, program);
    refuseForeign(await findRotation(host, units), 'btrfs rotation install');
    const change = () => writeUnits(runtime.verb, (now) => findRotation(now, units));
    if (runtime.settings.mode === 'plan') return await plan(runtime, bofh, change);
    await logged(runtime, host, () => withBofh(bofh, change));
    await giveRotations(runtime, host);
    const [, timer] = await findRotation(host, units);
    const next = timer?.enabled === true ? ['daemon-reload'] : ['enable', '--now', units.timer.name];
    runtime.terminal.line(`next: ${commandLine({ tool: 'systemctl', argv: next })}`);
    return 0;
  },
});

/**
 * The request with paths without links, for the units. Throws if source and target do not exist or do not fit
 * a rotation.
 */
async function withRealPaths(host: ReadHost, request: RotationRequest): Promise<RotationRequest> {
  const [source, target] = [await placeOf(host, request.source), await placeOf(host, request.target)];
  if ((await subvolumeAt(host, source.path)) === undefined)
    throw new RefusedError(`${request.source} is not a subvolume`, {
      remedy: `the subvolumes of its filesystem: bofh btrfs list ${source.mount.path}`,
    });
  if (source.fs !== target.fs)
    throw new RefusedError(`${request.target} is on another filesystem than ${request.source}`, {
      remedy: 'choose a directory on the same filesystem',
    });
  return { ...request, source: source.path, target: target.path };
}

/**
 * The command line of the rotation. It uses the state directory of recovery at boot, unless another one was
 * typed.
 */
async function callOf(
  { settings }: Runtime,
  host: ReadHost,
  program: Program,
): Promise<{ readonly words: readonly string[]; readonly stateDir: string }> {
  const ofBoot = (await installedOptions(host))?.stateDir ?? rootStateDir;
  const stateDir = settings.stateDirBy === 'named' ? settings.stateDir : ofBoot;
  const words = stateDir === rootStateDir ? [] : ['--state-dir', stateDir];
  return { words: [...program, ...words], stateDir };
}
