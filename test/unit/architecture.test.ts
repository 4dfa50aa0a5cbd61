import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = resolve(import.meta.dirname, '../../src');

// A room may import itself and the rooms before it.
const order = [
  ['core'],
  ['command'],
  ['host', 'atomic'],
  ['blockdevice'],
  // Before its fellows: who writes to a device asks whether a thin pool beneath it is full.
  ['lvm'],
  ['file', 'erase'],
  ['filesystem'],
  ['mount'],
  ['crypt', 'btrfs', 'drbd', 'xen', 'network'],
  ['copy'],
  ['operations.ts'],
  ['layers.ts'],
  ['stack'],
  ['site.ts'],
  ['site-settings.ts'],
  ['replica'],
  ['vm'],
  ['doctor'],
  ['bofh.ts'],
  ['api'],
  ['simulator'],
  ['index.ts'],
  ['script'],
  ['cli'],
] as const;

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

function room(file: string): string {
  return file.split('/')[0] ?? '';
}

function rank(name: string): number {
  return order.findIndex((rooms) => (rooms as readonly string[]).includes(name));
}

/** Imports of values and of types, as paths below src or package names. */
function imports(file: string): readonly string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [
    ...text.matchAll(/(?:^|\n)(?:import|export)\s[^;]*?from '(?<from>[^']+)'|import\('(?<lazy>[^']+)'\)/g),
  ]
    .map(({ groups }) => groups?.from ?? groups?.lazy ?? '')
    .map((from) => (from.startsWith('.') ? relative(source, resolve(source, dirname(file), from)) : from));
}

describe('the rooms of the source', () => {
  it('are all in the order of imports', () => {
    expect([...new Set(files.map(room))].filter((name) => rank(name) < 0)).toEqual([]);
  });

  it('import only rooms before them, and drivers never one another', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .filter((from) => from.endsWith('.ts'))
        .filter((from) => room(from) !== room(file) && rank(room(from)) >= rank(room(file)))
        .map((from) => `${file} imports ${from}`),
    );
    // host/process.ts and the engine stand side by side: it names the type of the engine's signals.
    expect(wrong.filter((line) => line !== 'host/process.ts imports atomic/engine.ts')).toEqual([]);
  });

  it('start programs in host/ alone', () => {
    const starting = files.filter((file) =>
      imports(file).some((from) => ['execa', 'node:child_process', 'child_process'].includes(from)),
    );
    expect(starting.filter((file) => room(file) !== 'host' && room(file) !== 'script')).toEqual([]);
  });

  it('parse arguments in cli/ alone', () => {
    expect(files.filter((file) => imports(file).includes('commander') && room(file) !== 'cli')).toEqual([]);
  });
});
