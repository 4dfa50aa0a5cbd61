import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ToolError } from '../../../src/core/errors.ts';
import { inForeground } from '../../../src/host/foreground.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'bofh-test-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function fakeXl(script: string): { readonly tools: { readonly xl: string } } {
  const xl = join(dir, 'xl');
  writeFileSync(xl, `#!/bin/sh\n${script}\n`);
  chmodSync(xl, 0o755);
  return { tools: { xl } };
}

const command = { tool: 'xl', argv: ['console', '7'] } as const;

test('the program has the streams of this process, and bofh waits for its end', async () => {
  const ended = await inForeground(
    command,
    fakeXl(`readlink /proc/$$/fd/0 > ${dir}/stdin; echo "$@" > ${dir}/argv`),
  );

  expect(ended).toBe(0);
  expect(readFileSync(join(dir, 'argv'), 'utf8')).toBe('console 7\n');
  expect(readFileSync(join(dir, 'stdin'), 'utf8')).not.toBe('');
});

test.each([
  ['exit 3', 3],
  ['kill -TERM $$', 143],
])('%s is its exit code', async (script, exitCode) => {
  expect(await inForeground(command, fakeXl(script))).toBe(exitCode);
});

test('a missing program is a ToolError', async () => {
  await expect(inForeground(command, { tools: { xl: join(dir, 'none') } })).rejects.toBeInstanceOf(ToolError);
});
