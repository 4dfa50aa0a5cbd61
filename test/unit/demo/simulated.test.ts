import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cacheDirectory } from '../../../src/script/cache.ts';
import { run } from '../cli/support/built.ts';

const root = join(import.meta.dirname, '../../..');

/** As scripts/demo.mjs starts it: in a process of its own, whose end tells `bofh run` that its script has ended. */
const code = `await import('./scripts/lib/typescript.mjs');
const { simulatedDemo } = await import('./test/support/demo/simulated.ts');
await simulatedDemo();`;

/** The demo's script among what `bofh run` has transpiled on this machine. */
function cachedTours(): readonly string[] {
  // Who is not root has no cache there, and cannot look into that of root.
  if (process.getuid?.() !== 0 || !existsSync(cacheDirectory)) return [];
  return readdirSync(cacheDirectory).filter((name) => {
    try {
      return readFileSync(join(cacheDirectory, name), 'utf8').includes('disk for my_vm');
    } catch {
      // Pruned meanwhile by a script of another test.
      return false;
    }
  });
}

test('the simulated tour introduces itself, and completes all its acts', { timeout: 300_000 }, async () => {
  const before = cachedTours();

  const { exitCode, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
  });

  // What the tour transpiles is none of this machine's scripts.
  expect(cachedTours()).toEqual(before);
  expect(exitCode, stderr).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toContain('this host is simulated');
  expect(lines.filter((line) => line.startsWith('\x1b[1m── '))).toHaveLength(6);
  expect(lines.filter((line) => line.includes('the host is exactly as before: '))).toHaveLength(4);
  expect(stdout).toContain('failed and was rolled back: mkswap');
  expect(stdout).toMatch(/^[0-9a-f]{12} {2}undone {2}vm create db1$/m);
  expect(stdout).toMatch(/^web1 {3}off {2}running .*\n[^]*^web1 {3}running {2}running /m);
  expect(stdout.trimEnd().split('\n').slice(-3)).toEqual([
    'GUEST  STATE    DOMAIN  MEMORY  VCPUS  CONFIGURATION',
    'web1   running  1       96 MiB  1      /etc/xen/web1.cfg',
    expect.stringContaining('that was all'),
  ]);
});
