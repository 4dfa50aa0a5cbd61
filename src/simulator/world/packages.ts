import type { World } from './world.ts';

/** The databases of dpkg and apt, as the text of their files. A change is durable at once. */
export interface Packages {
  /** /var/lib/dpkg/status */
  status: string;
  /** /var/lib/apt/extended_states */
  marks: string;
  /** The lists of the archives. */
  archives: string;
  /** Repositories by URI: their lists, and the key that signs them. */
  repositories: ReadonlyMap<string, { readonly archives: string; readonly key: string }>;
  /** In a dry run: the plan changed the packages, so the real host is no longer asked about them. */
  isChanged?: true;
}

/** A package as in these files: the values of a paragraph, by their keys. */
export type Paragraph = ReadonlyMap<string, string>;

export function paragraphsIn(text: string): readonly Paragraph[] {
  return text
    .split(/\n\n+/)
    .filter((each) => each.trim() !== '')
    .map(
      (each) =>
        new Map(
          [...each.matchAll(/^([\w-]+): ?(.*(?:\n .*)*)$/gm)].map(([, key = '', value = '']) => [key, value]),
        ),
    );
}

export function textOf(all: readonly Paragraph[]): string {
  return all
    .map((each) => `${[...each].map(([key, value]) => `${key}: ${value}\n`).join('')}\n`)
    .toSorted()
    .join('');
}

/** Returns the name that apt uses: `libc6:i386` for a package of another architecture. */
export function nameOf(paragraph: Paragraph): string {
  const architecture = paragraph.get('Architecture') ?? 'all';
  const name = paragraph.get('Package') ?? '';
  return ['all', 'amd64'].includes(architecture) ? name : `${name}:${architecture}`;
}

/** Whether more of a package is installed than its configuration files. */
export function isInstalled(paragraph: Paragraph): boolean {
  return !/ (?:config-files|not-installed)$/.test(paragraph.get('Status') ?? '');
}

export function databaseOf(world: World): readonly Paragraph[] {
  return paragraphsIn(world.packages.status);
}

export function writeDatabase(world: World, all: readonly Paragraph[]): void {
  world.packages.status = textOf(all);
  world.packages.isChanged = true;
}

export function autoNames(world: World): ReadonlySet<string> {
  return new Set(
    paragraphsIn(world.packages.marks)
      .filter((each) => each.get('Auto-Installed') === '1')
      .map((each) => each.get('Package') ?? ''),
  );
}

export function writeAuto(world: World, names: ReadonlySet<string>): void {
  const own =
    databaseOf(world)
      .find((each) => each.get('Package') === 'dpkg')
      ?.get('Architecture') ?? 'all';
  world.packages.marks = textOf(
    [...names].map(
      (name) =>
        new Map([
          ['Package', name],
          ['Architecture', own],
          ['Auto-Installed', '1'],
        ]),
    ),
  );
  world.packages.isChanged = true;
}

/** Returns one line for each package: `package web1 1.0 install ok installed, auto`. */
export function packageLines(world: World): readonly string[] {
  const auto = autoNames(world);
  return databaseOf(world).map((each) => {
    const name = nameOf(each);
    return `package ${name} ${each.get('Version') ?? ''} ${each.get('Status') ?? ''}${auto.has(name) ? ', auto' : ''}`;
  });
}
