import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type {
  Answer,
  ChangeHost,
  Command,
  LocalHost,
  ReadCommand,
  StepContext,
} from '../../../src/command/index.ts';
import { localHost, type LocalHostOptions } from '../../../src/host/local.ts';

/** A directory of the test's own, removed at its end. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'bofh-host-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** An executable file with this content; without a first line of its own it is a shell script. */
export function program(directory: string, name: string, body: string): string {
  const path = join(directory, name);
  writeFileSync(path, body.startsWith('#!') ? body : `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The local host with `body` as its tool `tar`, and a step with a lock file. */
export function hostWith(
  body: string,
  more: LocalHostOptions & { readonly step?: Partial<StepContext> } = {},
): {
  readonly host: LocalHost;
  readonly change: ChangeHost;
  readonly step: StepContext;
  readonly directory: string;
} {
  const directory = temporaryDirectory();
  const { step: stepOptions, tools, ...options } = more;
  const host = localHost({ tools: { tar: program(directory, 'tar', body), ...tools }, ...options });
  const outputs = join(directory, 'outputs');
  mkdirSync(outputs, { mode: 0o700 });
  const step = { outputs, lock: openFile(join(directory, 'lock')), ...stepOptions };
  return { host, change: host.during(step), step, directory };
}

/** Opens a file, creating it, until the test's end. */
export function openFile(path: string): number {
  const file = openSync(path, 'a+', 0o600);
  onTestFinished(() => closeSync(file));
  return file;
}

const whole = (answer: Answer): Answer => answer;

/** Reads with the tool `tar`. */
export function reading(
  argv: readonly string[] = [],
  more: Partial<ReadCommand<Answer>> = {},
): ReadCommand<Answer> {
  return { tool: 'tar', argv, access: 'read', parse: whole, ...more };
}

/** Changes something with the tool `tar`. */
export function changing(argv: readonly string[] = [], more: Partial<Command<Answer>> = {}): Command<Answer> {
  return { tool: 'tar', argv, access: 'change', parse: whole, ...more };
}

/** Waits for a condition, a minute at most: a limit against hanging, not for speed. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The file's text, or the empty text while there is no such file. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Does the process run? A zombie does not. */
export function runs(pid: number): boolean {
  return /^State:\t[^ZX]/m.test(textOf(`/proc/${pid}/status`));
}

/** How a TypeScript file is run by a node of its own: `node ...asProcess(FILE) ARG…`. */
export function asProcess(file: string): readonly string[] {
  return ['--import', join(import.meta.dirname, '../../../scripts/lib/typescript.mjs'), file];
}

/** What a script prints that is run as a process of its own, with `localHost` imported. */
export function runScript(directory: string, body: string): string {
  const file = join(directory, 'script.ts');
  const local = join(import.meta.dirname, '../../../src/host/local.ts');
  writeFileSync(file, `import { localHost } from ${JSON.stringify(local)};\n${body}\n`);
  return execFileSync(process.execPath, asProcess(file), { encoding: 'utf8' });
}
