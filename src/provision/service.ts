import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';
import { refuseActivity } from '../service/activity.ts';
import { isEnabled, refuseEnablement } from '../service/enablement.ts';
import { unitDirectory } from '../service/links.ts';
import { expectUp, isOffline, isOneshot, isUp, loadedUnit, showUnit, type Unit } from '../service/unit.ts';
import { probe } from '../shell/commands.ts';
import { isAbsentUnit, isFileOf, isIn, isAmong, type Resource, stoppedBefore } from './resource.ts';

export type ServiceResource = Extract<Resource, { readonly kind: 'service' }>;

/** Handles services while their files change. */
export interface Services {
  /** The keys of the services whose files these are. */
  readonly keysOf: (paths: readonly string[]) => readonly string[];
  /** Called before each step that changes a path. */
  readonly before: (path: string) => Promise<void>;
  /** Applies one service when its turn comes, and returns what was done. */
  readonly settle: (one: ServiceResource) => Promise<readonly string[]>;
  /**
   * Waits until the services that were started so far have stayed up long enough. Called as late as
   * possible: later steps take a part of that time, and all services are watched at the same time.
   */
  readonly stayUp: (
    named: (one: ServiceResource, body: () => Promise<void>) => Promise<void>,
  ) => Promise<void>;
  /** Called after the last resource. */
  readonly end: () => Promise<void>;
}

/**
 * Handles the services of a description. Before a file changes, adds a step whose undo lets the
 * service read the old file again.
 */
export function servicesOf(
  tx: Pick<Tx, 'service' | 'shell'>,
  host: ReadHost,
  resources: readonly Resource[],
): Services {
  const services = resources.filter((one) => one.kind === 'service');
  const paths = resources.flatMap(({ path }) => (path === undefined ? [] : [path]));
  const opened = new Set<string>();
  const pending = new Map<string, 'restart' | 'reload'>();
  const started: { readonly one: ServiceResource; readonly invocation: string; readonly at: number }[] = [];
  let isStale = false;
  let offline: Promise<boolean> | undefined;
  const isOff = (): Promise<boolean> => (offline ??= host.run(isOffline()));
  const open = async (asked: Parameters<Tx['service']['beforeChange']>[0]): Promise<void> => {
    const name = `${asked.unit ?? ''} ${asked.by}`;
    if (opened.has(name)) return;
    opened.add(name);
    await tx.service.beforeChange(asked);
  };
  const reloadManager = async (): Promise<void> => {
    if (!isStale) return;
    isStale = false;
    await tx.service.reload({ by: 'daemon-reload' });
  };
  /**
   * Updates the started services: an action on one service may have restarted others, for example
   * by PartOf=. These are watched from now on.
   */
  const renew = async (): Promise<void> => {
    for (const [index, each] of started.entries()) {
      const { InvocationID: invocation } = await host.run(showUnit(each.one.unit));
      if (invocation !== each.invocation) started[index] = { ...each, invocation, at: performance.now() };
    }
  };
  return {
    keysOf: (changed) =>
      services
        .filter(({ unit, wanted: { restartOn, reloadOn } }) =>
          changed.some((path) => isAmong([...restartOn, ...reloadOn], path) || isFileOf(unit, path)),
        )
        .map(({ unit }) => `unit:${unit}`),
    before: async (path) => {
      if (services.length === 0 && !isIn(path, unitDirectory)) return;
      if (await isOff()) return;
      for (const { unit, wanted } of services) {
        const by = isAmong(wanted.restartOn, path)
          ? 'restart'
          : isAmong(wanted.reloadOn, path)
            ? 'reload'
            : undefined;
        if (by === undefined && !isFileOf(unit, path)) continue;
        const all = [...wanted.restartOn, ...wanted.reloadOn];
        const files = paths.filter((each) => isAmong(all, each) || isFileOf(unit, each));
        await open({ unit, by: by ?? 'restart', files });
        if (by !== undefined && pending.get(unit) !== 'restart') pending.set(unit, by);
      }
      if (!isIn(path, unitDirectory)) return;
      await open({ by: 'daemon-reload', files: paths.filter((each) => isIn(each, unitDirectory)) });
      isStale = true;
    },
    settle: async (one) => {
      if (await isOff()) return await settleOffline(tx, host, one);
      const { unit, wanted } = one;
      const { enabled, running } = wanted;
      await reloadManager();
      // An earlier apply, or another program, has already stopped the unit and removed its file.
      const goes = resources.some((other) => isAbsentUnit(other, unit));
      const shown = await host.run(showUnit(unit));
      if ((goes && shown.LoadState === 'not-found') || isMasked(shown, wanted)) return [];
      const found = await loadedUnit(host, unit);
      const done: string[] = [];
      if (enabled !== undefined && isEnabled(found) !== enabled) {
        await tx.service.setEnablement({ unit, enabled });
        done.push(enabled ? 'enable' : 'disable');
      }
      const by = pending.get(unit);
      if (running !== undefined && isUp(found) !== running) {
        await tx.service.setActivity({ unit, running, seconds: 0 });
        done.push(running ? 'start' : 'stop');
      } else if (by !== undefined && isUp(found)) {
        await tx.service.reload({ unit, by, seconds: 0 });
        done.push(by);
      }
      if (done.length > 0) await renew();
      const isStarted = done.some((each) => ['start', 'restart', 'reload'].includes(each));
      const now = isStarted ? await host.run(showUnit(unit)) : undefined;
      if (now !== undefined && !isOneshot(now))
        started.push({ one, invocation: now.InvocationID, at: performance.now() });
      return done;
    },
    stayUp: async (named) => {
      for (const { one, invocation, at } of started.splice(0)) {
        const { unit, wanted } = one;
        const over = (performance.now() - at) / 1000;
        await named(one, async () => {
          await expectUp(host, { unit, invocation, seconds: wanted.seconds ?? 5, over });
        });
      }
    },
    end: reloadManager,
  };
}

/** Applies a service without systemd: it cannot run, and `enabled` is only links in files. */
async function settleOffline(
  tx: Pick<Tx, 'shell'>,
  host: ReadHost,
  { unit, wanted: { enabled, running } }: ServiceResource,
): Promise<readonly string[]> {
  const systemctl = (verb: string): string[] => ['systemctl', verb, '--quiet', '--', unit];
  // A unit that does not exist yet has the exit code 4 (since systemd 256; before, it was 1).
  const asked = 'systemctl is-enabled --quiet -- "$1"';
  const isDone = ['sh', '-c', `${asked} || exit 1`, 'sh', unit];
  const [enable, disable] = [systemctl('enable'), systemctl('disable')];
  const isEnabledNow = await host.run(probe(unit, isDone));
  if (running === true && !(enabled ?? isEnabledNow))
    throw new RefusedError(`${unit} cannot run: systemd does not run here, as in a guest that is off`, {
      remedy: 'describe it with enabled: true: then it starts at boot',
    });
  if (enabled === undefined) return [];
  // `systemctl is-enabled` exits with 0 for these states too.
  const fixed = 'static|indirect|alias|generated|transient';
  const isFixed = `case $(systemctl is-enabled -- "$1" 2>/dev/null) in ${fixed}) ;; *) exit 1 ;; esac`;
  if (await host.run(probe(`state:${unit}`, ['sh', '-c', isFixed, 'sh', unit])))
    throw new RefusedError(
      `${unit} has no [Install] section of its own, so it cannot be ${enabled ? 'enabled' : 'disabled'} here`,
      { remedy: 'leave out "enabled", or describe the unit that starts it' },
    );
  if (enabled === isEnabledNow) return [];
  await tx.shell.run(
    enabled
      ? { name: unit, isDone, run: enable, undo: disable }
      : { name: unit, isDone: ['sh', '-c', `! ${asked}`, 'sh', unit], run: disable, undo: enable },
  );
  return [enabled ? 'enable' : 'disable'];
}

/** Whether a masked unit is as described: it neither runs nor starts at boot. */
function isMasked(unit: Unit, { enabled, running }: ServiceResource['wanted']): boolean {
  return unit.LoadState === 'masked' && !isUp(unit) && enabled !== true && running !== true;
}

/**
 * RefusedError for a state that the unit cannot have. A unit that does not exist yet may be created
 * by an earlier step.
 */
export async function checkService(
  host: ReadHost,
  one: ServiceResource,
  resources: readonly Resource[],
): Promise<void> {
  const { unit, wanted } = one;
  if (await host.run(isOffline())) return;
  const shown = await host.run(showUnit(unit));
  if (shown.LoadState === 'not-found' || isMasked(shown, wanted)) return;
  const found = await loadedUnit(host, unit);
  if (wanted.enabled !== undefined) refuseEnablement(found, wanted.enabled);
  if (wanted.running !== undefined)
    await refuseActivity(host, found, wanted.running, stoppedBefore(resources, one));
  if (wanted.reloadOn.length > 0 && found.CanReload === 'no')
    throw new RefusedError(`${unit} cannot be reloaded: it has no ExecReload=`, {
      remedy: 'use restartOn instead of reloadOn',
    });
}
