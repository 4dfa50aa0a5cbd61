import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bofh, builtCommand } from '../cli/support/built.ts';

const root = process.getuid?.() === 0;

let work = '';
let child: ChildProcess | undefined;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-stale-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
});

function script(name: string, step: string, then = ''): string {
  const path = join(work, `${name}.ts`);
  writeFileSync(
    path,
    `import { atomic } from 'bofh';
     await atomic('${name}', async (tx) => {
       await tx.file.${step};
       ${then}
     });`,
  );
  return path;
}

const remove = (): string => `remove({ path: '${join(work, 'same')}' })`;
const make = (file: string): string =>
  `create({ path: '${join(work, file)}', content: 'made', mode: 0o644 })`;

const run = (...args: readonly string[]) => bofh([...args, '--state-dir', join(work, 'state')]);
const runScript = (path: string) => bofh(['--state-dir', join(work, 'state'), 'run', path]);

describe.skipIf(!root)('stale locks after a crash', () => {
  it('there are none: locks of a dead process are free by themselves', async () => {
    writeFileSync(join(work, 'same'), 'the old one');
    const holding = script(
      'first',
      remove(),
      `console.log('held'); await new Promise((r) => setTimeout(r, 60_000));`,
    );
    child = spawn(
      process.execPath,
      [await builtCommand(), '--state-dir', join(work, 'state'), 'run', holding],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const holder = child;
    await new Promise((held) => holder.stdout?.once('data', held));

    // While it lives the object is its own, and it is named.
    const living = await runScript(script('second', make('same')));
    expect(living.exitCode).toBe(4);
    expect(living.stderr).toMatch(/"first"/);
    expect(living.stderr).toContain(String(holder.pid));

    const died = new Promise((ended) => holder.once('close', ended));
    holder.kill('SIGKILL');
    await died;

    // Another object: at once. The same one: refused by the unfinished sequence, not by a lock.
    expect(await runScript(script('other', make('other')))).toMatchObject({ exitCode: 0 });
    const dead = await runScript(script('second', make('same')));
    expect(dead.exitCode).toBe(4);
    expect(dead.stderr).toContain('bofh recover');
    expect(await run('recover', '--yes')).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(work, 'same'), 'utf8')).toBe('the old one');
    expect(await runScript(script('third', remove()))).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(work, 'same'))).toBe(false);
  });
});
