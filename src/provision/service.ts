import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';
import { refuseActivity } from '../service/activity.ts';
import { isEnabled, refuseEnablement } from '../service/enablement.ts';
import { unitDirectory } from '../service/links.ts';
import { isUp, loadedUnit, showUnit } from '../service/unit.ts';
import { isFileOf, isIn, reads, type Resource } from './resource.ts';

export type ServiceResource = Extract<Resource, { readonly kind: 'service' }>;

/** What becomes of services while their files change. */
export interface Services {
  /** Called before each step that changes a path. */
  readonly before: (path: string) => Promise<void>;
  /** In its turn: returns what was done with it. */
  readonly settle: (one: ServiceResource) => Promise<readonly string[]>;
  /** After the last resource. */
  readonly end: () => Promise<void>;
}

/** The services of a description. The undo of the step before a file has it read the old file again. */
export function servicesOf(
  tx: Pick<Tx, 'service'>,
  host: ReadHost,
  resources: readonly Resource[],
): Services {
  const services = resources.filter((one) => one.kind === 'service');
  const paths = resources.flatMap(({ path }) => (path === undefined ? [] : [path]));
  const opened = new Set<string>();
  const pending = new Map<string, 'restart' | 'reload'>();
  let isStale = false;
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
  return {
    before: async (path) => {
      for (const { unit, wanted } of services) {
        const by = reads(wanted.restartOn, path)
          ? 'restart'
          : reads(wanted.reloadOn, path)
            ? 'reload'
            : undefined;
        if (by === undefined && !isFileOf(unit, path)) continue;
        const all = [...wanted.restartOn, ...wanted.reloadOn];
        const files = paths.filter((each) => reads(all, each) || isFileOf(unit, each));
        await open({ unit, by: by ?? 'restart', files });
        if (by !== undefined && pending.get(unit) !== 'restart') pending.set(unit, by);
      }
      if (!isIn(path, unitDirectory)) return;
      await open({ by: 'daemon-reload', files: paths.filter((each) => isIn(each, unitDirectory)) });
      isStale = true;
    },
    settle: async ({ unit, wanted: { enabled, running, seconds } }) => {
      await reloadManager();
      const found = await loadedUnit(host, unit);
      const watch = seconds === undefined ? {} : { seconds };
      const done: string[] = [];
      if (enabled !== undefined && isEnabled(found) !== enabled) {
        await tx.service.setEnablement({ unit, enabled });
        done.push(enabled ? 'enable' : 'disable');
      }
      const by = pending.get(unit);
      if (running !== undefined && isUp(found) !== running) {
        await tx.service.setActivity({ unit, running, ...watch });
        done.push(running ? 'start' : 'stop');
      } else if (by !== undefined && isUp(found)) {
        await tx.service.reload({ unit, by, ...watch });
        done.push(by);
      }
      return done;
    },
    end: reloadManager,
  };
}

/** RefusedError for what a unit can never be. One that does not exist yet may come with an earlier step. */
export async function checkService(host: ReadHost, { unit, wanted }: ServiceResource): Promise<void> {
  if ((await host.run(showUnit(unit))).LoadState === 'not-found') return;
  const found = await loadedUnit(host, unit);
  if (wanted.enabled !== undefined) refuseEnablement(found, wanted.enabled);
  if (wanted.running !== undefined) await refuseActivity(host, found, wanted.running);
  if (wanted.reloadOn.length > 0 && found.CanReload === 'no')
    throw new RefusedError(`${unit} cannot be reloaded: it has no ExecReload=`, {
      remedy: 'use restartOn instead of reloadOn',
    });
}
