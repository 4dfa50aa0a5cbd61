import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { RefusedError } from '../core/errors.ts';
import {
  downAmong,
  expectUp,
  isOneshot,
  isUp,
  loadedUnit,
  runningAgainst,
  runningWith,
  showUnit,
  systemctl,
  type Unit,
  unitName,
} from './unit.ts';
import type { ReadHost } from '../command/index.ts';

const args = z.strictObject({
  /** Full name of the unit: `nginx.service`. */
  unit: unitName,
  /** True starts it, false stops it. */
  running: z.boolean(),
  /** The unit must stay up for this many seconds (default: 5). */
  seconds: z.exactOptional(z.int().check(z.minimum(0), z.maximum(600))),
});

const undo = z.strictObject({
  unit: unitName,
  running: z.boolean(),
  failed: z.boolean(),
  /**
   * The running units that systemd stops together with this one, or, when it starts this one,
   * because they conflict with it.
   */
  stops: z.exactOptional(z.array(z.string())),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.service.setActivity`: starts a unit and checks that it stays up, or stops it. Undo stops it
 * or starts it again, as a new process. It also starts the units that systemd stopped: together
 * with this one (`Requires=`, `BindsTo=`, `PartOf=`), or because they conflict with it
 * (`Conflicts=`). After a reboot, undo leaves it as the boot did.
 */
export const setActivity = operation({
  kind: 'service.activity',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  restores: 'existence',
  keepsContent: true,
  prepare: async ({ args: { unit, running }, host }): Promise<Undo> => {
    const found = await loadedUnit(host, unit);
    await refuseActivity(host, found, running);
    if (isUp(found) === running)
      throw new RefusedError(`${unit} ${running ? 'runs' : 'is stopped'} already`, {
        remedy: `see it: systemctl status ${unit}`,
      });
    const stops = running ? await runningAgainst(host, unit) : await runningWith(host, unit);
    return {
      unit,
      running,
      failed: found.ActiveState === 'failed',
      ...(stops.length === 0 ? {} : { stops }),
    };
  },
  claims: ({ undo: { unit, stops = [] } }) => ({ changes: [unit, ...stops].map((each) => `unit:${each}`) }),
  run: async ({ args: { unit, running, seconds = 5 }, host }) => {
    await host.run(systemctl(running ? 'start' : 'stop', unit));
    if (running) await expectUp(host, { unit, seconds });
    return null;
  },
  value: ({ undo: { unit } }) => ({ unit }),
  look: async ({ undo: of, host }) => {
    const now = await host.run(showUnit(of.unit));
    if (!of.running) return { state: isUp(now) ? 'gone' : 'ours' };
    const isLeft = now.ActiveState !== 'inactive' && (now.ActiveState !== 'failed' || !of.failed);
    return { state: isLeft || (await downAmong(host, of.stops ?? [])).length > 0 ? 'ours' : 'gone' };
  },
  revert: async ({ undo: { unit, running, failed, stops = [] }, host }) => {
    const before = await host.run(showUnit(unit));
    const down = await downAmong(host, stops);
    if (!running) down.unshift(before);
    // systemd refuses to start a unit that was started too often.
    for (const { Id: each, ActiveState: state } of down)
      if (state === 'failed') await host.run(systemctl('reset-failed', each));
    // At once: after the start of the first one, an interrupted undo would find nothing to do. The
    // start of a unit that conflicts with this one also stops this one.
    if (down.length > 0) await host.run(systemctl('start', ...down.map(({ Id: each }) => each)));
    if (!running) return;
    const { ActiveState: state } = await host.run(showUnit(unit));
    if (!['failed', 'inactive'].includes(state)) await host.run(systemctl('stop', unit));
    const now = await host.run(showUnit(unit));
    if (now.ActiveState === 'failed' && !failed) await host.run(systemctl('reset-failed', unit));
  },
  describe: ({ undo: { unit, running, stops = [] } }) => ({
    what: `the unit ${unit}, which ${running ? 'was stopped' : 'ran'}`,
    look: [['systemctl', 'status', unit]],
    clear: running
      ? [['systemctl', 'stop', unit], ...(stops.length === 0 ? [] : [['systemctl', 'start', ...stops]])]
      : [['systemctl', 'start', unit, ...stops]],
  }),
});

/**
 * RefusedError for a unit that cannot be started and stopped. The undo needs the opposite action
 * too. `stopped`: units that earlier steps stop.
 */
export async function refuseActivity(
  host: ReadHost,
  unit: Unit,
  running: boolean,
  stopped: readonly string[] = [],
): Promise<void> {
  const { Id: name, ActiveState: state, CanStart: canStart, CanStop: canStop } = unit;
  const verb = running ? 'start' : 'stop';
  if (isOneshot(unit))
    throw new RefusedError(
      `${name} is a oneshot service, which ends by itself: it cannot be kept running or stopped`,
      {
        remedy: 'leave out "running", and describe the timer or the unit that starts it',
      },
    );
  if (isUp(unit) === running && state !== 'activating') return;
  if (state === 'activating' || state === 'deactivating')
    throw new RefusedError(`${name} is ${state} now`, {
      remedy: `wait until it has ended: systemctl status ${name}`,
    });
  if (canStart === 'no' || canStop === 'no')
    throw new RefusedError(
      `${name} does not allow a manual start or stop (RefuseManualStart=, RefuseManualStop=)`,
      {
        remedy: `find the unit that it belongs to: systemctl list-dependencies --reverse ${name}; then ${verb} that unit: systemctl ${verb} UNIT`,
      },
    );
  if (running) return;
  for (const trigger of unit.TriggeredBy.split(' ').filter((each) => each !== ''))
    if (!stopped.includes(trigger) && isUp(await host.run(showUnit(trigger))))
      throw new RefusedError(`${trigger} would start ${name} again`, {
        remedy: `stop it first: systemctl stop ${trigger}`,
      });
}
