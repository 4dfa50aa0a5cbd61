import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { archived, simulated } from './commands.ts';
import type { Act } from './output.ts';
import { type Known, knownPackages } from './state.ts';

export const packageName = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$/, 'must be the name of a package'));
export const packageVersion = z.string().check(z.regex(/^[\w.+:~-]+$/, 'must be a version, or latest'));
const names = z.exactOptional(z.readonly(z.array(packageName)));

/** The requested changes of packages. */
export const packageArgs = z.strictObject({
  /** Names, or `NAME=VERSION`. An installed package stays as it is, unless its version differs. */
  install: z.exactOptional(
    z.readonly(
      z.array(
        z
          .string()
          .check(
            z.regex(
              /^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](?:=[\w.+:~-]+)?$/,
              'must be the name of a package, or NAME=VERSION',
            ),
          ),
      ),
    ),
  ),
  /** Names. Installs the newest version in the archives. */
  upgrade: names,
  /** Names. The configuration files stay. */
  remove: names,
  /**
   * Names. Also removes the configuration files; only after the commit, because nothing restores
   * them.
   */
  purge: names,
  /**
   * Names of packages that are installed after the change. apt keeps their version (`apt-mark
   * hold`).
   */
  hold: names,
  /** Names of packages that are installed after the change. */
  unhold: names,
});

export type PackageArgs = z.infer<typeof packageArgs>;

const kept = z.strictObject({ version: z.string(), auto: z.boolean(), hold: z.boolean() });

/** A package that changes. */
export const changedPackage = z.strictObject({
  name: z.string(),
  /** Missing: the package did not exist. */
  before: z.exactOptional(z.extend(kept, { status: z.enum(['installed', 'config-files']) })),
  /** Missing: the package is removed. */
  after: z.exactOptional(kept),
  /** Its configuration files are removed, too. */
  purged: z.exactOptional(z.literal(true)),
  /** The caller did not name the package: it changes because another package needs that. */
  follows: z.exactOptional(z.literal(true)),
  /** Source of the .deb of the old version; missing if the undo needs none. */
  old: z.exactOptional(z.enum(['archive', 'repack'])),
});

export type ChangedPackage = z.infer<typeof changedPackage>;

/** A package that will change. */
export interface PlannedPackage extends ChangedPackage {
  /** Size of the new .deb, in bytes. Missing if nothing is downloaded, or if it was not asked for. */
  readonly size?: number;
}

/**
 * Lists the packages that the request changes, as apt would change them. RefusedError if apt
 * cannot. `sizes`: with the sizes of the downloads, for which apt reads all its lists once more.
 */
export async function plannedPackages(
  host: ReadHost,
  args: PackageArgs,
  { sizes }: { readonly sizes: boolean },
): Promise<readonly PlannedPackage[]> {
  const { install = [], upgrade = [], remove = [], purge = [], hold = [], unhold = [] } = args;
  const wanted = new Map(install.map((each) => [each.split('=')[0] ?? '', each.split('=')[1]]));
  refuseTwice([...wanted.keys(), ...remove, ...purge], 'both installed and removed');
  refuseTwice([...hold, ...unhold], 'both held and not held');
  refuseTwice([...upgrade, ...remove, ...purge], 'both upgraded and removed');
  const known = await knownPackages(host);
  const installed = (each: string): Known | undefined => {
    const found = known.get(each);
    return found?.status === 'config-files' ? undefined : found;
  };
  const words = [
    ...[...wanted].flatMap(([each, version]) => {
      const there = installed(each);
      if (version === undefined && upgrade.includes(each)) return [];
      if (there === undefined || (version !== undefined && version !== there.version))
        return [version === undefined ? each : `${each}=${version}`];
      return [];
    }),
    ...upgrade.filter((each) => wanted.get(each) === undefined),
    ...[...remove, ...purge].filter((each) => installed(each) !== undefined).map((each) => `${each}-`),
  ];
  const acts = words.length === 0 ? [] : await simulatedOrRefused(host, words);
  const named = new Set([...wanted.keys(), ...upgrade, ...remove, ...purge]);
  const changed = new Map<string, ChangedPackage>();
  const marks = (each: string): { readonly auto: boolean; readonly hold: boolean } => ({
    auto: wanted.has(each) ? false : (installed(each)?.auto ?? !named.has(each)),
    hold: hold.includes(each) || (installed(each)?.hold === true && !unhold.includes(each)),
  });
  const add = (each: string, after: ChangedPackage['after']): void => {
    const { status, version, auto, hold: held } = known.get(each) ?? {};
    const isThere = status === 'installed' || status === 'config-files';
    changed.set(each, {
      name: each,
      ...(isThere && version !== undefined
        ? { before: { status, version, auto: auto === true, hold: held === true } }
        : {}),
      ...present({ after }),
      ...(named.has(each) || hold.includes(each) || unhold.includes(each) ? {} : { follows: true as const }),
      ...(after === undefined && purge.includes(each) ? { purged: true as const } : {}),
    });
  };
  const needed = new Set([...wanted.keys(), ...upgrade, ...hold, ...unhold]);
  for (const { act, name: each, version } of acts) {
    if (act === 'remove' && needed.has(each))
      throw new RefusedError(`apt would remove ${each}, which must be installed`, {
        remedy: `see why: apt-get --simulate install ${words.join(' ')}`,
      });
    if (installed(each)?.hold === true && !named.has(each))
      throw new RefusedError(`${each} is held, and the requested change would change it`, {
        remedy: `see the held packages: apt-mark showhold; to let it change: apt-mark unhold ${each}`,
      });
    add(each, act === 'install' && version !== undefined ? { version, ...marks(each) } : undefined);
  }
  for (const each of purge)
    if (known.get(each)?.status === 'config-files' && !changed.has(each)) add(each, undefined);
  for (const each of new Set([...wanted.keys(), ...hold, ...unhold])) {
    const there = installed(each);
    if (there === undefined && !changed.has(each) && wanted.has(each))
      throw new RefusedError(`${each} is not the name of a package: ${insteadOf(acts)}`, {
        code: 'not-found',
        remedy: `name the package itself; see which packages provide it: apt-cache showpkg ${each}`,
      });
    if (there === undefined && !changed.has(each))
      throw new RefusedError(`${each} is not installed: it cannot be held`, {
        code: 'not-found',
        remedy: `install it too: install: ['${each}']`,
      });
    if (there === undefined || changed.has(each)) continue;
    const { auto, hold: held } = marks(each);
    if (auto !== there.auto || held !== there.hold) add(each, { version: there.version, auto, hold: held });
  }
  return withSources(host, [...changed.values()], { sizes });
}

/** What apt installs for the name of a virtual package. */
function insteadOf(acts: readonly Act[]): string {
  const names = acts.filter(({ act }) => act === 'install').map(({ name: each }) => each);
  return names.length === 0 ? 'an installed package provides it' : `apt would install ${names.join(', ')}`;
}

/** Lists the other packages that apt would remove together with these. */
export async function removedWith(host: ReadHost, names: readonly string[]): Promise<readonly string[]> {
  const words = names.map((each) => `${each}-`);
  return (await simulatedOrRefused(host, words)).flatMap(({ act, name: each }) =>
    act === 'remove' && !names.includes(each) ? [each] : [],
  );
}

function refuseTwice(all: readonly string[], what: string): void {
  const twice = all.find((each, at) => all.indexOf(each) !== at);
  if (twice !== undefined) throw new UsageError(`the package ${twice} is named twice, or ${what}`);
}

async function simulatedOrRefused(host: ReadHost, words: readonly string[]) {
  try {
    return await host.run(simulated(words, 'archives'));
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
    const why = /^E: (?<why>.*)$/m.exec(error.stderr)?.groups?.why ?? error.stderr;
    throw new RefusedError(`apt cannot do this: ${why}`, {
      cause: error,
      ...(error.reason === 'not-found' ? { code: 'not-found' } : {}),
      remedy: `see why: apt-get --simulate install ${words.join(' ')}; if the lists are old: apt-get update`,
    });
  }
}

/**
 * Adds the sources of the old versions, and with `sizes` those of the downloads. RefusedError if the undo
 * could not get an old version.
 */
async function withSources(
  host: ReadHost,
  all: readonly ChangedPackage[],
  { sizes }: { readonly sizes: boolean },
): Promise<readonly PlannedPackage[]> {
  const old = all.filter(isReplaced);
  const fresh = sizes ? all.filter(isFetched) : [];
  const words = [
    ...fresh.map(({ name: each, after }) => `${each}=${after?.version ?? ''}`),
    ...old.map(({ name: each, before }) => `${each}=${before?.version ?? ''}`),
  ];
  const found = words.length === 0 ? [] : await host.run(archived([...new Set(words)]));
  const sizeOf = (each: string, version: string | undefined): number | undefined =>
    found.find((one) => one.name === each.split(':')[0] && one.version === version)?.size;
  const lost = old.filter(({ name: each, before }) => sizeOf(each, before?.version) === undefined);
  const canRepack = lost.length === 0 || (await host.stat('/usr/bin/dpkg-repack')) !== undefined;
  if (!canRepack)
    throw new RefusedError(
      `no archive has the installed version of ${lost.map((each) => `${each.name} (${each.before?.version ?? ''})`).join(', ')}: undo could not restore it`,
      {
        code: 'not-found',
        remedy:
          'to build a package from the installed files: apt-get install dpkg-repack; then run the command again',
      },
    );
  return all.map((each) => {
    const size = sizes && isFetched(each) ? sizeOf(each.name, each.after?.version) : undefined;
    return {
      ...each,
      ...(isReplaced(each) ? { old: lost.includes(each) ? ('repack' as const) : ('archive' as const) } : {}),
      ...present({ size }),
    };
  });
}

/** Whether the installed version is removed or replaced, so that the undo needs it. */
export function isReplaced({ before, after }: ChangedPackage): boolean {
  return before?.status === 'installed' && before.version !== after?.version;
}

/** Whether a new version is installed. */
export function isFetched({ before, after }: ChangedPackage): boolean {
  return after !== undefined && (before?.status !== 'installed' || before.version !== after.version);
}
