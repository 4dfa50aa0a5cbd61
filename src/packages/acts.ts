import { type ChangeHost, inShell, type ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import {
  changePackages,
  configureAll,
  editedFiles,
  packageStates,
  purge,
  setMark,
  simulated,
  unpackOver,
} from './commands.ts';
import type { PackageState } from './output.ts';
import { type ChangedPackage, isReplaced } from './plan.ts';
import { type Known, knownPackages } from './state.ts';
import { debOf } from './store.ts';

/** Runs apt-get once. RefusedError if it would change other packages than these. */
export async function act(
  host: ChangeHost,
  words: readonly string[],
  packages: readonly ChangedPackage[],
): Promise<void> {
  if (words.length === 0) return;
  const own = new Set(packages.map(({ name }) => name));
  const others = (await host.run(simulated(words, 'files')))
    .map(({ name }) => name)
    .filter((name) => !own.has(name));
  if (others.length > 0)
    throw new RefusedError(`apt-get would also change ${others.join(', ')}`, {
      remedy: `see why: apt-get --simulate install ${words.join(' ')}`,
    });
  try {
    await host.run(changePackages(words));
  } catch (error) {
    // apt prints the same last sentence for every failure of dpkg; dpkg has printed before what
    // failed.
    if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
    const { tool, argv, reason, exitCode, stdout } = error;
    const said = /^dpkg: error .*\n.*$/m.exec(error.stderr)?.[0].replace(/\n\s*/, ' ');
    throw new CommandError({
      tool,
      argv,
      reason,
      exitCode,
      stdout,
      stderr: said ?? error.stderr,
      cause: error,
    });
  }
}

/** Sets the marks (auto, hold) that the packages had before the step, or must have after it. */
export async function mark(
  host: ChangeHost,
  packages: readonly ChangedPackage[],
  when: 'before' | 'after',
): Promise<void> {
  const known = await knownPackages(host);
  const wrong = (what: 'auto' | 'hold', value: boolean): readonly string[] =>
    packages
      .filter((each) => {
        const [wanted, now] = [each[when], known.get(each.name)];
        return wanted?.[what] === value && isThere(now) && now?.[what] !== value;
      })
      .map(({ name }) => name);
  for (const [word, names] of [
    ['auto', wrong('auto', true)],
    ['manual', wrong('auto', false)],
    ['hold', wrong('hold', true)],
    ['unhold', wrong('hold', false)],
  ] as const)
    if (names.length > 0) await host.run(setMark(word, names));
}

/** Completes or removes what an interrupted dpkg left, so that apt works again. */
export async function finishInterrupted(
  host: ChangeHost,
  packages: readonly ChangedPackage[],
  old: readonly string[],
): Promise<void> {
  const all = await host.run(packageStates());
  if (all.some(({ status }) => status === 'partly' || status === 'broken')) await host.run(configureAll());
  const now = await statesOf(host, packages);
  const half = packages.filter(({ name }) => ['partly', 'broken'].includes(now.get(name)?.status ?? ''));
  const fresh = half.filter(({ before }) => before?.status !== 'installed').map(({ name }) => name);
  const debs = half
    .filter(isReplaced)
    .map(({ name }) => debOf(old, name, packages))
    .filter((file) => file !== undefined);
  if (debs.length > 0) {
    await host.run(unpackOver(debs));
    await host.run(configureAll());
  }
  if (fresh.length > 0) await host.run(purge(fresh, 'broken'));
}

/**
 * RefusedError if a purge would remove files that others have edited meanwhile. Newer steps are
 * undone first, so the edits are not theirs.
 */
export async function refuseEdited(host: ReadHost, packages: readonly ChangedPackage[]): Promise<void> {
  const now = await statesOf(host, packages);
  const names = packages
    .filter(({ name, before }) => before === undefined && isThere(now.get(name)))
    .map(({ name }) => name);
  if (names.length === 0) return;
  const [path, ...more] = await host.run(editedFiles(names));
  if (path === undefined) return;
  const all = [path, ...more];
  throw new RefusedError(
    `the undo would purge ${names.join(', ')}, and others have edited ${all.join(', ')}`,
    {
      code: 'has-data',
      remedy: `copy what you need: cp --archive ${inShell(path)} ${inShell(`${path}.kept`)}; then: dpkg --purge ${names.join(' ')}; bofh recover`,
    },
  );
}

type States = ReadonlyMap<string, PackageState>;

/** Returns the current state of these packages in the database of dpkg, by name. */
export async function statesOf(host: ReadHost, packages: readonly ChangedPackage[]): Promise<States> {
  const own = new Set(packages.map(({ name }) => name));
  return new Map(
    (await host.run(packageStates())).filter(({ name }) => own.has(name)).map((each) => [each.name, each]),
  );
}

/** Whether more of a package exists than its configuration files. */
export function isThere(now: PackageState | undefined): boolean {
  return now !== undefined && now.status !== 'config-files';
}

/** Whether a package has the version from before or after the step. */
export function isAs(each: ChangedPackage, now: PackageState | undefined, when: 'before' | 'after'): boolean {
  const wanted = each[when];
  if (wanted === undefined) return !isThere(now);
  if (when === 'before' && each.before?.status === 'config-files') return !isThere(now);
  return now?.status === 'installed' && now.version === wanted.version;
}

/**
 * Whether a package has its marks from before or after the step. `isAs` does not compare the marks,
 * because others may set them meanwhile.
 */
function isMarked(each: ChangedPackage, now: Known | undefined, when: 'before' | 'after'): boolean {
  const wanted = each[when];
  return wanted === undefined || !isThere(now) || (now?.auto === wanted.auto && now.hold === wanted.hold);
}

/**
 * RefusedError if a package does not have its version and marks from before the step, or after it.
 */
export async function expect(
  host: ReadHost,
  packages: readonly ChangedPackage[],
  when: 'before' | 'after',
  what: string,
): Promise<void> {
  const now = await knownPackages(host);
  const wrong = packages
    .filter((each) => !isAs(each, now.get(each.name), when) || !isMarked(each, now.get(each.name), when))
    .map(({ name }) => name);
  if (wrong.length > 0)
    throw new RefusedError(`packages ${what}: ${wrong.join(', ')}`, {
      remedy: `see them: dpkg-query --list ${wrong.join(' ')}`,
    });
}
