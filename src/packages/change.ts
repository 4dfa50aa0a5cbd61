import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
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
import { type ChangedPackage, changedPackage, isReplaced, packageArgs, plannedPackages } from './plan.ts';
import { knownPackages, refuseUnready } from './state.ts';
import { debOf, debsIn, fillStore, refuseForeignFiles, removeStore, storeOf } from './store.ts';

const undo = z.strictObject({
  /** Directory with the new and the old .debs until the commit: proves the step. */
  store: absolutePath,
  packages: z.readonly(z.array(changedPackage)),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.packages.change`: installs, upgrades and removes packages of Debian in one run of apt-get(8), with
 * the dependencies that apt chooses. The new and the old .debs are on the host before the first
 * package changes, so the undo needs no network: it installs the old versions and purges what was not
 * there.
 *
 * The undo restores versions and marks, and not what scripts of packages did: users that they
 * created, data in /var/lib, services that they restarted.
 */
export const change = operation({
  kind: 'packages.change',
  version: 1,
  args: packageArgs,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: asked, mark, host }): Promise<Undo> => {
    await refuseUnready(host);
    const packages = await plannedPackages(host, asked);
    if (packages.length === 0)
      throw new RefusedError('the packages are as asked for already', {
        remedy: 'see them: dpkg-query --list',
      });
    const store = storeOf(mark);
    if ((await host.stat(store)) !== undefined)
      throw new RefusedError(`${store} exists already`, { code: 'exists', remedy: 'move it away' });
    return { store, packages };
  },
  claims: ({ undo: { packages } }) => ({
    changes: ['packages:dpkg', ...packages.map(({ name }) => `package:${name}`)],
  }),
  run: async ({ undo: { store, packages }, host }) => {
    await refuseUnready(host);
    await expect(host, packages, 'before', 'were changed concurrently');
    await fillStore(host, store, packages);
    await refuseForeignFiles(host, store, packages);
    const files = await debsIn(host, posix.join(store, 'new'));
    await act(host, [...files, ...removed(packages)], packages);
    await mark(host, packages, 'after');
    await expect(host, packages, 'after', 'are not as apt reported');
    return null;
  },
  value: ({ undo: { packages } }) => ({ packages }),
  look: async ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: { store, packages }, host }) => {
    const old = await debsIn(host, posix.join(store, 'old'));
    await refuseEdited(host, packages);
    await mend(host, packages, old);
    const now = await statesOf(host, packages);
    const back = packages.filter((each) => isReplaced(each) && !isAs(each, now.get(each.name), 'before'));
    const gone = packages.filter(
      (each) => each.before?.status !== 'installed' && isThere(now.get(each.name)),
    );
    const debs = back.map(({ name }) => debOf(old, name)).filter((file) => file !== undefined);
    if (debs.length < back.length)
      throw new RefusedError(`the old packages are not in ${store}`, {
        remedy: `install them: apt-get install ${back.map((each) => `${each.name}=${each.before?.version ?? ''}`).join(' ')}`,
      });
    const words = [...debs, ...gone.map(({ name }) => `${name}-`)];
    if (words.length > 0) await act(host, words, packages);
    const left = await statesOf(host, packages);
    const unwanted = packages.filter(({ name, before }) => before === undefined && left.has(name));
    if (unwanted.length > 0) await host.run(purge(unwanted.map(({ name }) => name)));
    await mark(host, packages, 'before');
    await expect(host, packages, 'before', 'are not as they were');
    await removeStore(host, store);
  },
  afterCommit: async ({ undo: { store, packages }, host }) => {
    const now = await statesOf(host, packages);
    const names = packages
      .filter(({ name, purged }) => purged === true && now.get(name)?.status === 'config-files')
      .map(({ name }) => name);
    if (names.length > 0) await host.run(purge(names));
    const left = await statesOf(host, packages);
    const still = names.filter((name) => left.get(name)?.status === 'config-files');
    if (still.length > 0)
      throw new RefusedError(`dpkg reported success, but did not purge ${still.join(', ')}`, {
        remedy: `purge them: dpkg --purge ${still.join(' ')}; then: bofh recover`,
      });
    await removeStore(host, store);
  },
  // apt and dpkg write what they change to the disk themselves.
  sync: async ({ undo: { store }, host }) => {
    const above = posix.dirname(store);
    if ((await host.stat(above)) !== undefined) await host.sync(above);
  },
  describe: ({ undo: { store, packages }, way }) => ({
    what: `packages: ${packages.map(inWords).join(', ')}; the .debs of both versions are in ${store}`,
    look: [
      ['dpkg', '--audit'],
      ['dpkg-query', '--list', ...packages.map(({ name }) => name)],
    ],
    clear: [
      ...(way === 'back'
        ? [
            ['dpkg', '--configure', '-a'],
            [
              'apt-get',
              'install',
              '--allow-downgrades',
              ...packages
                .filter(({ before }) => before?.status !== 'installed')
                .map(({ name }) => `${name}-`),
              ...packages.filter(isReplaced).map(({ name, before }) => `${name}=${before?.version ?? ''}`),
            ],
          ]
        : []),
      ['rm', '--recursive', store],
    ],
  }),
});

/** `nginx 1.22.1-9 → 1.24.0-2` */
export function inWords({ name, before, after, purged }: ChangedPackage): string {
  const old = before?.status === 'installed' ? before.version : undefined;
  if (after === undefined) return `${name} ${old ?? ''} → ${purged === true ? 'purged' : 'removed'}`;
  if (old === undefined) return `${name} ${after.version}`;
  if (old !== after.version) return `${name} ${old} → ${after.version}`;
  return `${name} ${after.hold ? 'held' : 'not held'}${after.auto ? ', automatic' : ''}`;
}

function removed(packages: readonly ChangedPackage[]): readonly string[] {
  return packages
    .filter(({ before, after }) => before?.status === 'installed' && after === undefined)
    .map(({ name }) => `${name}-`);
}

/** One run of apt-get. RefusedError if it would change another package than these. */
async function act(
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
    throw new RefusedError(`this would also change ${others.join(', ')}`, {
      remedy: `see why: apt-get --simulate install ${words.join(' ')}`,
    });
  try {
    await host.run(changePackages(words));
  } catch (error) {
    // apt ends with the same sentence for every failure of dpkg, which has said before what failed.
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

/** The marks of before or after. */
async function mark(
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

/** Ends what an interrupted dpkg left, so that apt works again. */
async function mend(
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
    .map(({ name }) => debOf(old, name))
    .filter((file) => file !== undefined);
  if (debs.length > 0) {
    await host.run(unpackOver(debs));
    await host.run(configureAll());
  }
  if (fresh.length > 0) await host.run(purge(fresh, 'broken'));
}

/** RefusedError if a purge would remove what others have written since. Newer steps are undone before. */
async function refuseEdited(host: ReadHost, packages: readonly ChangedPackage[]): Promise<void> {
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
      remedy: `keep what you need (cp --archive ${path} ${path}.kept), then: dpkg --purge ${names.join(' ')}; bofh recover`,
    },
  );
}

type States = ReadonlyMap<string, PackageState>;

async function statesOf(host: ReadHost, packages: readonly ChangedPackage[]): Promise<States> {
  const own = new Set(packages.map(({ name }) => name));
  return new Map(
    (await host.run(packageStates())).filter(({ name }) => own.has(name)).map((each) => [each.name, each]),
  );
}

function isThere(now: PackageState | undefined): boolean {
  return now !== undefined && now.status !== 'config-files';
}

/** Whether a package has the version of before or after the step. */
function isAs(each: ChangedPackage, now: PackageState | undefined, when: 'before' | 'after'): boolean {
  const wanted = each[when];
  if (wanted === undefined) return !isThere(now);
  if (when === 'before' && each.before?.status === 'config-files') return !isThere(now);
  return now?.status === 'installed' && now.version === wanted.version;
}

async function expect(
  host: ReadHost,
  packages: readonly ChangedPackage[],
  when: 'before' | 'after',
  what: string,
): Promise<void> {
  const now = await statesOf(host, packages);
  const wrong = packages.filter((each) => !isAs(each, now.get(each.name), when)).map(({ name }) => name);
  if (wrong.length > 0)
    throw new RefusedError(`packages ${what}: ${wrong.join(', ')}`, {
      remedy: `see them: dpkg-query --list ${wrong.join(' ')}`,
    });
}

/** The directory is created before the first package changes, and removed last. */
async function look(host: ReadHost, { store, packages }: Undo): Promise<Look> {
  if ((await host.stat(store))?.kind !== 'directory') return { state: 'gone' };
  const now = await statesOf(host, packages);
  const foreign = packages.find((each) => {
    const state = now.get(each.name);
    if (state?.status === 'partly' || state?.status === 'broken') return false;
    return !isAs(each, state, 'before') && !isAs(each, state, 'after');
  });
  if (foreign === undefined) return { state: 'ours' };
  const { version, status } = now.get(foreign.name) ?? {};
  return {
    state: 'not-ours',
    found: `${foreign.name} was changed since: ${version === undefined || status === 'config-files' ? 'it is removed' : version}`,
  };
}
