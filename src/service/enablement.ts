import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { symlink } from '../file/link.ts';
import { absolutePath } from '../file/path.ts';
import { linksOf, type UnitLink, unitDirectory, unitLink, wantsDirectories, withAlso } from './links.ts';
import { enable, isUp, later, loadedUnit, showUnit, systemctl, type Unit, unitName } from './unit.ts';

const args = z.strictObject({
  /** Full name of the unit: `nginx.service`. */
  unit: unitName,
  /** Whether the unit starts at boot, or with the units that its [Install] section names. */
  enabled: z.boolean(),
});

const undo = z.strictObject({
  unit: unitName,
  /** The unit, and those that its [Install] section names as `Also=`. */
  units: z.array(z.string()),
  enabled: z.boolean(),
  /** The argument for systemctl: the path of the unit, so that systemctl calls no SysV script. */
  file: z.string(),
  /** Every link of these units. */
  before: z.array(unitLink),
  /** The existing ones of `multi-user.target.wants` and similar directories. */
  directories: z.array(absolutePath),
  /** The units that were running, in this boot. */
  running: z.array(z.string()),
  boot: z.string(),
});

const result = z.strictObject({ after: z.array(unitLink) });

type Undo = z.infer<typeof undo>;
type Result = z.infer<typeof result>;

/**
 * `tx.service.setEnablement`: enables or disables a unit. Undo restores exactly the old links,
 * which `systemctl disable` would not do. Links that others have changed meanwhile stay. After a
 * reboot, undo also stops the units that this boot started because of the step, or starts those
 * that it therefore did not start.
 */
export const setEnablement = operation({
  kind: 'service.enablement',
  version: 1,
  args,
  undo,
  result,
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { unit, enabled }, host }): Promise<Undo> => {
    const found = await loadedUnit(host, unit);
    refuseEnablement(found, enabled);
    if (isEnabled(found) === enabled)
      throw new RefusedError(`${unit} is ${enabled ? 'enabled' : 'disabled'} already`, {
        remedy: `see it: systemctl is-enabled ${unit}`,
      });
    const units = [...(await withAlso(host, found))];
    const [before, directories] = [await linksOf(host, units), await wantsDirectories(host)];
    const file = unit.includes('@') ? unit : found.FragmentPath;
    const running: string[] = [];
    for (const each of units) if (isUp(await host.run(showUnit(each)))) running.push(each);
    const { boot } = await host.facts();
    return {
      ...{ unit, units, enabled, file, running, boot },
      ...{ before: [...before], directories: [...directories] },
    };
  },
  claims: ({ undo: { unit, units, file } }) => ({
    changes: units.map((each) => `unit:${each}`),
    ...(file === unit ? {} : { needs: [`file:${file}`] }),
  }),
  run: async ({ undo: of, host }) => {
    // `systemctl enable` reloads the manager itself (systemctl(1)).
    if (of.enabled) await host.run(enable(of.file));
    else {
      await setLinks(host, { from: of.before, to: [] });
      await host.run(systemctl('daemon-reload'));
    }
    return { after: [...(await linksOf(host, of.units))] };
  },
  value: ({ undo: { unit } }) => ({ unit }),
  look: async ({ undo: of, result: known, host }) => (await survey(host, of, known)).look,
  revert: async ({ undo: of, result: known, host }) => {
    if ((await host.facts()).boot !== of.boot) await undoBoot(host, of);
    const { from, to } = await survey(host, of, known);
    await setLinks(host, { from, to });
    await host.run(systemctl('daemon-reload'));
    for (const path of await emptied(host, of)) await host.removeDir(path);
  },
  sync: async ({ undo: of, host }) => syncLinks(host, of),
  describe: ({ undo: { unit, before } }) => ({
    what: `the links of ${unit}, which were ${before.length === 0 ? 'none' : before.map(({ path }) => path).join(', ')}`,
    look: [['systemctl', 'is-enabled', unit]],
    clear: [
      ['systemctl', 'disable', unit],
      ...before.map(({ path, to }) => ['ln', '--symbolic', '--force', '--no-target-directory', to, path]),
      ['systemctl', 'daemon-reload'],
    ],
  }),
});

/** Whether the unit is enabled. */
export function isEnabled({ UnitFileState: state }: Unit): boolean {
  return state === 'enabled';
}

/** RefusedError for a unit that can be neither enabled nor disabled. */
export function refuseEnablement({ Id: unit, UnitFileState: state }: Unit, enabled: boolean): void {
  if (state === 'enabled' || state === 'disabled') return;
  const verb = enabled ? 'enabled' : 'disabled';
  const why = {
    static: 'has no [Install] section',
    indirect: 'only has an [Install] section for other units',
    alias: 'is an alias of a unit',
    generated: 'was generated from another file, such as a SysV script',
    transient: 'was created at run time, without a file',
    '': 'has no file',
  }[state as string];
  throw new RefusedError(`${unit} ${why ?? `is in the state ${state}`}, so it cannot be ${verb} here`, {
    remedy: 'leave out "enabled", or describe the unit that starts it',
  });
}

interface Survey {
  readonly look: Look;
  /** Links of the step, and the links that replace them. */
  readonly from: readonly UnitLink[];
  readonly to: readonly UnitLink[];
}

async function survey(host: ReadHost, of: Undo, known: Result | undefined): Promise<Survey> {
  const now = await linksOf(host, of.units);
  const says = (all: readonly UnitLink[], at: string) => all.find(({ path }) => path === at)?.to;
  const paths = [...new Set([...now, ...of.before].map(({ path }) => path))];
  const differing = paths.filter((path) => says(now, path) !== says(of.before, path));
  const own = differing.filter((path) => known === undefined || says(now, path) === says(known.after, path));
  const others = differing.filter((path) => !own.includes(path));
  const found = `others changed ${others.join(', ')} since`;
  const look: Look =
    own.length > 0 || (await emptied(host, of)).length > 0
      ? { state: 'ours', ...(others.length === 0 ? {} : { found }) }
      : others.length > 0
        ? { state: 'not-ours', found }
        : { state: 'gone' };
  const at = (all: readonly UnitLink[]) => all.filter(({ path }) => own.includes(path));
  return { look, from: at(now), to: at(of.before) };
}

/** Directories that the step created and that contain no link now. */
async function emptied(host: ReadHost, { directories }: Undo): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of await wantsDirectories(host))
    if (!directories.includes(path) && (await host.readDir(path)).length === 0) found.push(path);
  return found;
}

/**
 * Stops or starts the units that a reboot started, or did not start, because of the step. Does not
 * wait for the jobs, because they may wait for recovery.
 */
async function undoBoot(host: ChangeHost, { units, enabled, running }: Undo): Promise<void> {
  for (const each of units) {
    const up = isUp(await host.run(showUnit(each)));
    if (enabled && up && !running.includes(each)) await host.run(later('stop', each));
    if (!enabled && !up) await host.run(later('start', each));
  }
}

/** Removes the links `from` and creates the links `to`. */
async function setLinks(
  host: ChangeHost,
  { from, to }: { readonly from: readonly UnitLink[]; readonly to: readonly UnitLink[] },
): Promise<void> {
  for (const { path } of from) await host.removeFile(path);
  for (const { path, to: target } of to) {
    await host.makeDir(posix.dirname(path), { mode: 0o755, parents: true });
    await host.run(symlink(target, path));
  }
}

async function syncLinks(host: ChangeHost, { directories, before }: Undo): Promise<void> {
  const there = await wantsDirectories(host);
  for (const path of new Set([
    unitDirectory,
    ...directories,
    ...there,
    ...before.map((each) => posix.dirname(each.path)),
  ]))
    if ((await host.stat(path))?.kind === 'directory') await host.sync(path);
}
