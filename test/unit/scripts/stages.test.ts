import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Ended, run } from '../cli/support/built.ts';

const root = join(import.meta.dirname, '../../..');

let checkout = '';
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'bofh-npm-test-'));
  cpSync(join(root, 'scripts'), join(checkout, 'scripts'), { recursive: true });
  lay('package-lock.json', '{}');
  lay('node_modules/.bofh-lock', createHash('sha256').update('{}').digest('hex'));
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

function lay(name: string, text: string): void {
  mkdirSync(dirname(join(checkout, name)), { recursive: true });
  writeFileSync(join(checkout, name), text);
}

interface Reported {
  readonly passed: number;
  readonly skipped: number;
  /** As vitest's JSON reporter writes a file: at least one of its tests failed, or it could not be read. */
  readonly failed?: readonly {
    readonly file: string;
    readonly message: string;
    readonly tests: readonly { readonly fullName: string; readonly failureMessages: readonly string[] }[];
  }[];
}

/** A test runner that reports so many tests. */
function runner({ passed, skipped, failed = [] }: Reported): void {
  const report = {
    numPassedTests: passed,
    numFailedTests: failed.flatMap(({ tests }) => tests).length,
    numPendingTests: skipped,
    numTodoTests: 0,
    testResults: failed.map(({ file, message, tests }) => ({
      name: join(checkout, file),
      status: 'failed',
      message,
      assertionResults: [
        { fullName: 'one that passed', status: 'passed', failureMessages: [] },
        ...tests.map((test) => ({ ...test, status: 'failed' })),
      ],
    })),
  };
  lay(
    'node_modules/vitest/vitest.mjs',
    `import { writeFileSync } from 'node:fs';
     const [, path] = /^--outputFile.json=(.*)$/.exec(process.argv.find((word) => word.startsWith('--outputFile'))) ?? [];
     writeFileSync(path, ${JSON.stringify(JSON.stringify(report))});
     process.exit(${String(failed.length > 0 ? 1 : 0)});`,
  );
}

/** `npm test -- WORDS` where no program but Node can be found: no dpkg, no strace, no npm. */
const npmTest = (...words: readonly string[]): Promise<Ended> =>
  run(process.execPath, [join(checkout, 'scripts/test.mjs'), ...words], { env: { PATH: '/nowhere' } });

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

describe('npm test', () => {
  it.each([['nosuch'], ['unit', 'loops'], ['--coverage']])(
    'refuses %s, and names the stages',
    async (...words) => {
      const { exitCode, stdout } = await npmTest(...words);

      expect(exitCode).toBe(2);
      expect(stdout).toContain(`no such stage: ${words.at(-1) ?? ''}`);
      for (const stage of ['"build"', '"unit"', '"rig"', '"unit on Node 24"'])
        expect(stdout).toContain(stage);
    },
  );

  it('runs the unit tests where there is neither dpkg nor strace', async () => {
    runner({ passed: 7, skipped: 2 });

    const { exitCode, stdout } = await npmTest('unit');

    expect(stdout).toMatch(/^unit +passed/m);
    expect(stdout).toContain('may be skipped: this is not Debian');
    expect(stdout).toMatch(/^7 passed, 0 failed, \d+ skipped$/m);
    expect(exitCode).toBe(0);
  });

  it('ends its children when it is ended', async () => {
    const pidFile = join(checkout, 'pid');
    lay(
      'node_modules/vitest/vitest.mjs',
      `import { renameSync, writeFileSync } from 'node:fs';
       writeFileSync('${pidFile}.new', String(process.pid));
       renameSync('${pidFile}.new', '${pidFile}');
       setInterval(() => {}, 1000);`,
    );
    const all = spawn(process.execPath, [join(checkout, 'scripts/test.mjs'), 'unit'], {
      env: { PATH: '/nowhere' },
      stdio: 'ignore',
    });
    const ended = once(all, 'close');
    await vi.waitUntil(() => existsSync(pidFile), { timeout: 30_000 });
    const pid = Number(readFileSync(pidFile, 'utf8'));
    try {
      all.kill('SIGTERM');
      expect(await ended).toEqual([null, 'SIGTERM']);
      await vi.waitUntil(() => hasEnded(pid), { timeout: 30_000 });
    } finally {
      if (!hasEnded(pid)) process.kill(pid, 'SIGKILL');
    }
  });

  it('prints last which tests failed, and why', async () => {
    runner({
      passed: 3,
      skipped: 0,
      failed: [
        {
          file: 'test/unit/a.test.ts',
          message: '',
          tests: [
            { fullName: 'a volume is kept', failureMessages: ['\u001b[31mexpected 1\u001b[39m\nto be 2'] },
          ],
        },
        { file: 'test/unit/b.test.ts', message: 'Cannot find module', tests: [] },
      ],
    });

    const { exitCode, stdout } = await npmTest('unit');

    const afterTable = stdout.slice(stdout.search(/^unit +failed/m));
    expect(afterTable).toContain(
      'failed: test/unit/a.test.ts > a volume is kept\n    expected 1\n    to be 2\n',
    );
    expect(afterTable).toContain('failed: test/unit/b.test.ts\n    Cannot find module\n');
    expect(afterTable).not.toContain('one that passed');
    expect(afterTable).toMatch(/^3 passed, 2 failed, \d+ skipped$/m);
    expect(exitCode).toBe(1);
  });

  it('is no success when nothing was tested', async () => {
    runner({ passed: 0, skipped: 3 });

    const { exitCode, stdout } = await npmTest('unit');

    expect(stdout).toContain('nothing was tested');
    expect(exitCode).toBe(1);
  });

  it('is no success when the only stage was skipped', async () => {
    const { exitCode, stdout } = await npmTest('loop');

    expect(stdout).toMatch(/^loop +skipped/m);
    expect(stdout).toContain('nothing was tested');
    expect(exitCode).toBe(1);
  });
});
