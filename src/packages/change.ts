import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import { type ChangeHost, inShell, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
import { act, expect, isAs, isThere, mark, finishInterrupted, refuseEdited, statesOf } from './acts.ts';
import { purge } from './commands.ts';
import { type ChangedPackage, changedPackage, isReplaced, packageArgs, plannedPackages } from './plan.ts';
import { refuseUnready } from './state.ts';
import { debOf, debsIn, fillStore, refuseForeignFiles, removeStore, storeOf } from './store.ts';

const undo = z.strictObject({
  /** Directory with the new and the old .debs; proves the step until the commit. */
  store: absolutePath,
  packages: z.readonly(z.array(changedPackage)),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.packages.change`: installs, upgrades and removes Debian packages in one run of apt-get(8),
 * with the dependencies that apt chooses. The new and the old .debs are on the host before the
 * first package changes, so the undo needs no network: it installs the old versions and purges the
 * packages that were not installed before.
 *
 * The undo restores versions and marks, but not what scripts of packages did: users that they
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
    const packages = await plannedPackages(host, asked, { sizes: false });
    if (packages.length === 0)
      throw new RefusedError('the packages are already as requested', {
        remedy: 'see them: dpkg-query --list',
      });
    const store = storeOf(mark);
    if ((await host.stat(store)) !== undefined)
      throw new RefusedError(`${store} exists already`, {
        code: 'exists',
        remedy: `move it away: mv ${inShell(store)} ${inShell(`${store}.old`)}`,
      });
    return { store, packages };
  },
  claims: ({ undo: { packages } }) => ({ changes: keysOf(packages) }),
  run: async ({ undo: { store, packages }, host }) => {
    await fillStore(host, store, packages);
    // The downloads take time.
    await refuseUnready(host);
    await expect(host, packages, 'before', 'were changed concurrently');
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
    await finishInterrupted(host, packages, old);
    const now = await statesOf(host, packages);
    const back = packages.filter((each) => isReplaced(each) && !isAs(each, now.get(each.name), 'before'));
    const gone = packages.filter(
      (each) => each.before?.status !== 'installed' && isThere(now.get(each.name)),
    );
    const debs = back.map(({ name }) => debOf(old, name, packages)).filter((file) => file !== undefined);
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
    if (packages.some(({ purged }) => purged === true)) await purgeRemoved(host, packages);
    await removeStore(host, store);
  },
  // apt and dpkg sync their own changes.
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
      ...(way === 'back' ? [['dpkg', '--configure', '-a'], restoring(store, packages)] : []),
      ['rm', '--recursive', store],
    ],
  }),
});

/**
 * The command that restores the old packages. From the store: the archives may not have their
 * versions any more, and never have a repacked one.
 */
function restoring(store: string, packages: readonly ChangedPackage[]): readonly string[] {
  const gone = packages.filter(({ before }) => before?.status !== 'installed').map(({ name }) => `${name}-`);
  const install = ['apt-get', 'install', '--allow-downgrades', ...gone];
  if (!packages.some(isReplaced)) return install;
  return ['find', posix.join(store, 'old'), '-name', '*.deb', '-exec', ...install, '{}', '+'];
}

/** The keys that a change of these packages claims. */
export function keysOf(packages: readonly ChangedPackage[]): readonly string[] {
  return ['packages:dpkg', ...packages.map(({ name }) => `package:${name}`)];
}

/** `nginx 1.22.1-9 → 1.24.0-2`; of a package that stays installed, the marks of apt-mark(8) that change. */
export function inWords({ name, before, after, purged }: ChangedPackage): string {
  const old = before?.status === 'installed' ? before.version : undefined;
  if (after === undefined) return `${name} ${old ?? ''} → ${purged === true ? 'purged' : 'removed'}`;
  if (old === undefined) return `${name} ${after.version}`;
  if (old !== after.version) return `${name} ${old} → ${after.version}`;
  const marks = [
    ...(after.hold === before?.hold ? [] : [after.hold ? 'held' : 'not held']),
    ...(after.auto === before?.auto
      ? []
      : [after.auto ? 'marked as automatically installed' : 'marked as manually installed']),
  ];
  return `${name} ${marks.join(', ')}`;
}

/** Removes the configuration files of the packages that are purged. */
async function purgeRemoved(host: ChangeHost, packages: readonly ChangedPackage[]): Promise<void> {
  const now = await statesOf(host, packages);
  const names = packages
    .filter(({ name, purged }) => purged === true && now.get(name)?.status === 'config-files')
    .map(({ name }) => name);
  if (names.length === 0) return;
  await host.run(purge(names));
  const left = await statesOf(host, packages);
  const still = names.filter((name) => left.get(name)?.status === 'config-files');
  if (still.length > 0)
    throw new RefusedError(`dpkg reported success, but did not purge ${still.join(', ')}`, {
      remedy: `purge them: dpkg --purge ${still.join(' ')}; then: bofh recover`,
    });
}

function removed(packages: readonly ChangedPackage[]): readonly string[] {
  return packages
    .filter(({ before, after }) => before?.status === 'installed' && after === undefined)
    .map(({ name }) => `${name}-`);
}

/**
 * Returns the state of the step: the store directory is created before the first package changes,
 * and removed last.
 */
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
