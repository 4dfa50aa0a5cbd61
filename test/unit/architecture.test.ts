import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = resolve(import.meta.dirname, '../../src');

// A directory may import itself and the directories before it.
const order = [
  ['core'],
  ['command'],
  ['host', 'atomic'],
  ['blockdevice'],
  ['lvm'],
  ['file', 'erase', 'network'],
  ['filesystem'],
  ['mount', 'packages', 'account'],
  ['crypt', 'btrfs', 'drbd', 'xen', 'service', 'shell', 'kernel'],
  ['copy'],
  ['operations.ts'],
  ['layers.ts'],
  ['stack'],
  ['site.ts'],
  ['site-settings.ts'],
  ['replica'],
  ['vm'],
  ['provision'],
  ['map'],
  ['doctor'],
  ['connect.ts'],
  ['bofh.ts'],
  ['api'],
  ['simulator'],
  ['script'],
  ['index.ts'],
  ['cli'],
] as const;

/**
 * What a driver may use of another one, besides the block devices that all of them stand on. A new entry is a decision: whoever
 * changes the driver that is used must think of those who use it.
 */
const usedByDrivers = {
  // Checks the free space of the thin pool below, before and while much is written.
  lvm: ['btrfs', 'copy', 'crypt', 'erase', 'filesystem'],
  // Configuration files are written by its steps; a note of it shows that a step has begun.
  file: [
    ...['account', 'btrfs', 'copy', 'crypt', 'drbd', 'filesystem', 'mount', 'packages'],
    ...['service', 'shell'],
  ],
  // What a filesystem is, and where it is mounted.
  filesystem: ['btrfs', 'copy'],
  mount: ['btrfs', 'copy'],
  // Has this host the addresses of a resource?
  network: ['drbd'],
} as const;
const drivers: readonly string[] = [
  ...[
    'lvm',
    'file',
    'erase',
    'filesystem',
    'mount',
    'crypt',
    'btrfs',
    'drbd',
    'xen',
    'network',
    'copy',
    'packages',
    'service',
    'shell',
    'kernel',
    'account',
  ],
] as const;

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

function directoryOf(file: string): string {
  return file.split('/')[0] ?? '';
}

function rank(name: string): number {
  return order.findIndex((names) => (names as readonly string[]).includes(name));
}

/** Imports as paths below src or package names. Without `types` only those of values that are loaded with the file. */
function imports(file: string, types = true): readonly string[] {
  const text = readFileSync(join(source, file), 'utf8');
  const pattern = /(?:^|\n)(?:import|export)\s[^;]*?from '(?<from>[^']+)'|import\('(?<lazy>[^']+)'\)/g;
  return [...text.matchAll(pattern)]
    .filter(({ 0: all, groups }) => types || (groups?.lazy === undefined && isOfValues(all)))
    .map(({ groups }) => groups?.from ?? groups?.lazy ?? '')
    .map((from) => (from.startsWith('.') ? relative(source, resolve(source, dirname(file), from)) : from));
}

function isOfValues(text: string): boolean {
  if (/^\s*(?:import|export) type /.test(text)) return false;
  const names = /\{(?<names>[^}]*)\}/.exec(text)?.groups?.names;
  return (
    names === undefined || names.split(',').some((name) => name.trim() !== '' && !/^\s*type /.test(name))
  );
}

describe('the directories of the source', () => {
  it('are all in the order of imports', () => {
    expect([...new Set(files.map(directoryOf))].filter((name) => rank(name) < 0)).toEqual([]);
  });

  it('import only earlier directories', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .filter((from) => from.endsWith('.ts'))
        .filter(
          (from) =>
            directoryOf(from) !== directoryOf(file) && rank(directoryOf(from)) >= rank(directoryOf(file)),
        )
        .map((from) => `${file} imports ${from}`),
    );
    // host/process.ts and the engine stand side by side: it names the type of the engine's signals.
    // The public API gives itself to the scripts that import it. It has the types of the command's JSON answers, for programs that read them.
    expect(wrong.toSorted()).toEqual([
      'host/process.ts imports atomic/engine.ts',
      'index.ts imports cli/output/answers/by-verb.ts',
      'script/load.ts imports index.ts',
    ]);
  });

  it('import only listed files of another driver', () => {
    const found = new Set(
      files
        .filter((file) => drivers.includes(directoryOf(file)))
        .flatMap((file) =>
          imports(file)
            .filter((from) => drivers.includes(directoryOf(from)) && directoryOf(from) !== directoryOf(file))
            .map((from) => `${directoryOf(file)} uses ${directoryOf(from)}`),
        ),
    );
    const listed = Object.entries(usedByDrivers).flatMap(([used, users]) =>
      users.map((user) => `${user} uses ${used}`),
    );
    expect([...found].sort()).toEqual(listed.sort());
  });

  it('have no import cycles, except types in the simulated world and the API for scripts', () => {
    const graph = new Map(
      files.map((file) => [file, imports(file, directoryOf(file) !== 'simulator')] as const),
    );
    const cycles: string[] = [];
    const finished = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (finished.has(file) || path.includes(file)) return;
      for (const next of graph.get(file) ?? []) if (next !== 'index.ts') visit(next, [...path, file]);
      finished.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('start programs in host/ only', () => {
    const starting = files.filter((file) =>
      imports(file).some((from) => ['execa', 'node:child_process', 'child_process'].includes(from)),
    );
    expect(starting.filter((file) => directoryOf(file) !== 'host' && directoryOf(file) !== 'script')).toEqual(
      [],
    );
  });

  it('parse arguments in cli/ only', () => {
    expect(
      files.filter((file) => imports(file).includes('commander') && directoryOf(file) !== 'cli'),
    ).toEqual([]);
  });
});
