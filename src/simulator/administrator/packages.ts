import {
  autoNames,
  databaseOf,
  type Paragraph,
  textOf,
  writeAuto,
  writeDatabase,
} from '../world/packages.ts';
import type { World } from '../world/world.ts';
import type { WrapAct } from './act.ts';

/** A package of a simulated host, or of its archives. */
export interface SimulatedPackage {
  /** Name of the package: `nginx`. */
  readonly name: string;
  /** Its version: `1:1.22.1-9`. */
  readonly version: string;
  /** Names of packages. */
  readonly depends?: readonly string[];
  /** Names of packages. */
  readonly conflicts?: readonly string[];
  /** Paths in its list of files; none is written. Those in /etc are configuration files. */
  readonly files?: readonly string[];
}

/** Acts of an administrator on packages. */
export interface PackageAdmin {
  /** Installs packages, or other versions of them, without their dependencies. */
  install(
    packages: readonly (SimulatedPackage & {
      /** Whether it was installed only because another package needs it (default: false). */
      readonly auto?: boolean;
    })[],
  ): void;
  /** Adds packages to the archives; of several versions the last one is the newest. */
  publish(packages: readonly SimulatedPackage[]): void;
  /** Creates a repository at a URI, which apt knows only after an update. The key signs it. */
  repository(
    uri: string,
    of: {
      /** Text of its public key. */
      readonly key: string;
      /** Packages in the repository. */
      readonly packages: readonly SimulatedPackage[];
    },
  ): void;
}

/** Returns these methods for a simulated host. */
export function packageActs(world: World, does: WrapAct): PackageAdmin {
  return {
    install: does((packages) => {
      const names = packages.map(({ name }) => name);
      const others = databaseOf(world).filter((each) => !names.includes(each.get('Package') ?? ''));
      writeDatabase(world, [
        ...others,
        ...packages.map((each) => paragraph(each, [['Status', 'install ok installed']])),
      ]);
      const auto = packages.filter((each) => each.auto === true).map(({ name }) => name);
      writeAuto(world, new Set([...autoNames(world), ...auto]));
    }),
    publish: does((packages) => void (world.packages.archives += archivesOf(packages))),
    repository: does((uri, { key, packages }) => {
      const { repositories } = world.packages;
      world.packages.repositories = new Map([
        ...repositories,
        [uri, { key, archives: archivesOf(packages) }],
      ]);
    }),
  };
}

function archivesOf(packages: readonly SimulatedPackage[]): string {
  return textOf(
    packages.map((each) =>
      paragraph(each, [
        ['Filename', `./${each.name}.deb`],
        ['Size', '800'],
      ]),
    ),
  );
}

function paragraph(
  { name, version, depends = [], conflicts = [], files = [] }: SimulatedPackage,
  more: readonly (readonly [string, string])[],
): Paragraph {
  const conffiles = files.filter((path) => path.startsWith('/etc/'));
  return new Map([
    ['Package', name],
    ...more,
    ['Architecture', 'all'],
    ['Version', version],
    ...(depends.length === 0 ? [] : ([['Depends', depends.join(', ')]] as const)),
    ...(conflicts.length === 0 ? [] : ([['Conflicts', conflicts.join(', ')]] as const)),
    ...(conffiles.length === 0
      ? []
      : ([['Conffiles', conffiles.map((path) => `\n ${path} 0`).join('')]] as const)),
    ...(files.length === 0 ? [] : ([['X-Files', files.join(' ')]] as const)),
    ['X-Simulated', 'yes'],
  ]);
}
