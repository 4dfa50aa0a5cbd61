import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { withBofh } from '../../src/bofh.ts';
import { type Bofh } from '../../src/connect.ts';
import { loadScript } from '../../src/script/load.ts';

const root = join(import.meta.dirname, '../..');

/** A page of ours, by its name below the root. */
export function pageOf(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

/** The blocks of a page that are marked with this language. */
export function blocks(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(?<language>\w*)\n(?<body>[^]*?)^```$/gm)].flatMap(({ groups }) =>
    groups?.language === language ? [groups.body ?? ''] : [],
  );
}

/** What a script did: all that it printed, its exports and its exit code. */
export interface Ran {
  readonly printed: readonly string[];
  readonly tables: readonly unknown[];
  readonly complained: readonly string[];
  readonly exports: unknown;
  readonly exitCode: typeof process.exitCode;
}

/** Runs a script of a user as `bofh run` does, in a context of the test's own. */
export async function runScriptIn(
  bofh: Bofh,
  file: string,
  { args = [], onPrint = () => undefined }: { args?: readonly string[]; onPrint?: () => void } = {},
): Promise<Ran> {
  const [printed, tables, complained]: [string[], unknown[], string[]] = [[], [], []];
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((text: string) => {
      printed.push(text);
      onPrint();
    }),
    vi.spyOn(console, 'table').mockImplementation((table: unknown) => void tables.push(table)),
    vi.spyOn(console, 'error').mockImplementation((text: string) => void complained.push(text)),
  ];
  const { argv, exitCode } = process;
  process.argv = [process.execPath, file, ...args];
  process.exitCode = undefined;
  try {
    const exports = await withBofh(bofh, () => loadScript(file, { cache: 'unused', warn: () => undefined }));
    return { printed, tables, complained, exports, exitCode: process.exitCode };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.argv = argv;
    process.exitCode = exitCode;
  }
}
