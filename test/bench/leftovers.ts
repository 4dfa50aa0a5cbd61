import { posix } from 'node:path';
import { markdown } from './markdown.ts';

/** What a tool left when it failed. */
export interface Leftovers {
  readonly tool: string;
  readonly exitCode: number | null;
  /** Facts of `wholeHost` that are new, and those that are gone. */
  readonly more: readonly string[];
  readonly less: readonly string[];
}

/** A table with a column for each tool. */
export function leftoversTable(all: readonly Leftovers[]): readonly string[] {
  const row = (title: string, cell: (of: Leftovers) => readonly string[]): readonly string[] => [
    title,
    ...all.map((of) => {
      const found = cell(of);
      return found.length === 0 ? 'none' : `${String(found.length)}: ${inside(found).join(', ')}`;
    }),
  ];
  return markdown(
    ['what is left', ...all.map(({ tool }) => tool)],
    [
      ['exit code', ...all.map(({ exitCode }) => String(exitCode))],
      row('packages', ({ more }) => words(more, /^package (\S+)/)),
      row('new files, directories and links', ({ more, less }) => {
        const before = words(less, entry);
        return words(more, entry).filter((path) => !before.includes(path));
      }),
      row('changed files and directories', ({ more, less }) => {
        const after = words(more, entry);
        return words(less, entry).filter((path) => after.includes(path));
      }),
      row('removed files', ({ more, less }) => {
        const after = words(more, entry);
        return words(less, entry).filter((path) => !after.includes(path));
      }),
      row('units', ({ more }) => more.filter((fact) => fact.startsWith('unit ')).map(unitInWords)),
      row('other facts', ({ more, less }) =>
        [...more, ...less].filter((fact) => !/^(?:package|file|directory|link|special|unit) /.test(fact)),
      ),
    ],
  );
}

/** The database of dpkg is counted as packages. */
const entry = /^(?:file|directory|link|special) (?!\/var\/lib\/dpkg\/)(\S+) /;

function words(facts: readonly string[], pattern: RegExp): readonly string[] {
  return facts.flatMap((fact) => pattern.exec(fact)?.[1] ?? []);
}

/** A directory stands for what is in it: `/etc/shop (9)`. */
function inside(all: readonly string[]): readonly string[] {
  const within = (each: string): readonly string[] =>
    all.filter((other) => other === each || other.startsWith(`${each}/`));
  const tops = all.filter((each) => !all.some((other) => other !== each && within(other).includes(each)));
  return tops
    .map((each) => {
      const count = each.startsWith('/') ? within(each).length : 1;
      return `\`${each}\`${count === 1 ? '' : ` (${String(count)})`}`;
    })
    .toSorted();
}

/** `unit file shop.service enabled enabled`, `unit failed shop.service loaded failed failed`: the unit and its state. */
function unitInWords(fact: string): string {
  const [, state = '', name = '', enablement = ''] = fact.split(/\s+/);
  return posix.basename(`${name} ${state === 'file' ? enablement : state}`);
}
