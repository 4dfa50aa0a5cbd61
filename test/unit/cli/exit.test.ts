import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failure } from '../../../src/cli/output/answers/index.ts';
import { bofh, builtCommand, type Ended, run as runProgram } from './support/built.ts';

const root = process.getuid?.() === 0;

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-exit-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const made = (name: string): string => join(work, name);

function write(name: string, text: string): string {
  writeFileSync(made(name), text);
  return made(name);
}

const options = (): readonly string[] => ['--state-dir', made('state'), '--site', write('site.json', '{}')];

const script = (text: string, ...words: readonly string[]): Promise<Ended> =>
  bofh(['run', ...options(), ...words, write('a.ts', text)]);

describe('a site file of --site or BOFH_SITE', () => {
  const verbs = [['journal', 'list'], ['block', 'loop', 'list'], ['network', 'list'], ['doctor']];

  it.each(verbs)('must exist, and be safe: %s %s', async (...verb) => {
    const at = ['--state-dir', made('state')];
    const missing = await bofh([...at, '--site', made('none.json'), ...verb]);
    expect(missing).toMatchObject({ exitCode: 2, stdout: '' });
    expect(missing.stderr).toContain('there is no site file');

    const site = write('open.json', '{}');
    chmodSync(site, 0o666);
    const open = await bofh([...at, '--site', site, ...verb]);
    expect(open).toMatchObject({ exitCode: 2, stdout: '' });
    expect(open.stderr).toContain('open.json can be written by others (mode 666)');
  });

  it.runIf(root)('does not stop recovery at boot, and its error is reported', async () => {
    const at = ['--state-dir', made('state'), '--site', made('none.json')];
    const { exitCode, stderr } = await bofh([...at, 'recover', '--boot']);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('there is no site file');
  });
});

describe('the exit code of a script', () => {
  it.each([
    ['a number', 'process.exitCode = 5', 5],
    ['the text of a number', `process.exitCode = '5'`, 5],
    ['70, which bofh has for itself', 'process.exitCode = 70', 70],
    ['set beside what it left running', `setTimeout(() => { process.exitCode = 6; }, 20)`, 6],
    ['by process.exit() of the text that stands there', `process.exitCode = '7'; process.exit()`, 7],
    ['nothing, by process.exit()', 'process.exit()', 0],
    ['nothing', 'console.log(process.exitCode)', 0],
  ])('is its own: %s', async (_how, text, exitCode) => {
    expect(await script(text)).toMatchObject({ exitCode, stderr: '' });
  });

  it('is not that of its site file', async () => {
    const site = write('site.ts', 'process.exitCode = 9; export default {};');

    const argv = ['--state-dir', made('state'), '--site', site, write('a.ts', 'console.log(1)')];

    expect(await bofh(['run', ...argv])).toMatchObject({ exitCode: 0, stdout: '1\n' });
  });

  it.each([
    [`process.exitCode = '5'`, 5],
    ['console.log(1)', 0],
  ])('of a dry run: %s', async (text, exitCode) => {
    expect(await script(text, '--dry-run')).toMatchObject({ exitCode });
  });
});

describe('a script whose top level never ends', () => {
  it.each([[], ['--dry-run']])('is reported: %j', async (...words) => {
    const { exitCode, stderr } = await script('await new Promise(() => undefined);', ...words);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('the top-level await of the script never ends');
    expect(stderr).not.toContain('process.exit()');
  });
});

describe('a thrown value without a text', () => {
  it.each([
    ['thrown', 'throw Object.create(null);'],
    ['rejected, with no handler', 'void Promise.reject(Object.create(null)); setTimeout(() => 0, 500);'],
  ])('is reported when it is %s', async (_how, text) => {
    const { exitCode, stderr } = await script(text);

    expect(stderr).toContain('it threw a value without a text');
    expect(exitCode).toBe(1);
  });

  it('is reported when a site file throws it', async () => {
    const site = write('site.ts', 'throw Object.create(null);');

    const { exitCode, stderr } = await bofh(['xen', 'list', '--site', site]);

    expect(stderr).toContain('a value without a text');
    expect(exitCode).toBe(2);
  });

  it('an error that is its own cause is reported once, in the log too', async () => {
    const text = `const e = new Error('round'); e.cause = e; throw e;`;

    const { exitCode, stderr } = await script(text, '--log-level', 'debug');

    expect(exitCode).toBe(1);
    expect(stderr).toContain('failed: Error: round');
    expect(stderr).toContain('the command failed');
  });
});

describe('a site file', () => {
  const never = 'await new Promise(() => undefined); export default {};';
  const create = ['vm', 'create', 'web1', '--source', 'tar:/x.tar', '--size', '1g'];
  const verbs = [['xen', 'list'], ...(root ? [create, ['vm', 'remove', 'web1', '--yes']] : [])];

  it.each(verbs)('that never ends is a usage error of %s %s', async (...verb) => {
    const site = write('site.ts', never);

    const { exitCode, stdout, stderr } = await bofh(['--json', '--site', site, ...verb]);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(`the top-level await of the site file ${site} never ends`);
    expect(failure.parse(JSON.parse(stdout)).error.class).toBe('UsageError');
  });

  it.each(verbs)('that ends the process makes %s %s fail', async (...verb) => {
    const site = write('site.ts', 'process.exit(0);');

    const { exitCode, stdout, stderr } = await bofh(['--json', '--site', site, ...verb]);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(`the site file ${site} ended the process`);
    expect(failure.parse(JSON.parse(stdout)).error.exitCode).toBe(2);
  });

  it('that never ends is a problem in doctor, which continues', async () => {
    const site = write('site.ts', never);

    const { exitCode, stdout } = await bofh(['doctor', '--site', site, '--state-dir', made('state')]);

    expect(exitCode).toBe(6);
    expect(stdout).toMatch(/problem +site file: the top-level await of .* never ends/);
    expect(stdout).toMatch(/problems?; \d+ warnings?/);
  });
});

describe('a bofh whose files are removed while it runs', () => {
  /** An installed bofh of its own. */
  async function installed(): Promise<string> {
    const folder = dirname(await builtCommand());
    cpSync(folder, made('dist'), { recursive: true, filter: (path) => !path.endsWith('/node') });
    return made('dist/bofh.cjs');
  }

  const takeAway = (pattern: RegExp): void => {
    for (const name of readdirSync(made('dist'))) if (pattern.test(name)) rmSync(made(`dist/${name}`));
  };

  it.skipIf(!root)('reports how its sequences ended', async () => {
    const command = await installed();
    const text = `
      import { atomic } from 'bofh';
      import { existsSync, writeFileSync } from 'node:fs';
      const file = (name, then) => atomic(name, async (tx) => {
        await tx.file.create({ path: ${JSON.stringify(work)} + '/' + name, content: 'x', mode: 0o644 });
        await then();
      });
      await file('one', () => 0);
      await file('two', async () => {
        writeFileSync(${JSON.stringify(made('open'))}, '');
        while (!existsSync(${JSON.stringify(made('gone'))})) await new Promise((go) => setTimeout(go, 20));
        throw new Error('on purpose');
      });`;

    const running = runProgram(process.execPath, [command, 'run', ...options(), write('a.ts', text)]);
    while (!existsSync(made('open'))) await delay(20);
    takeAway(/^(?:chunk|command)-/);
    write('gone', '');
    const { exitCode, stderr } = await running;

    expect(stderr).toContain('"two" failed and was rolled back: on purpose');
    expect(stderr).toMatch(/"one" \(\w+\) is committed and stays/);
    expect(exitCode).toBe(5);
    expect(existsSync(made('two'))).toBe(false);
  });

  it('prints a plain message when the explanation cannot be loaded', async () => {
    const command = await installed();
    takeAway(/^command-explain-/);

    const argv = [command, '--json', 'journal', 'show', 'zz', '--state-dir', made('state')];
    const { exitCode, stdout, stderr } = await runProgram(process.execPath, argv);

    expect(stderr).toContain('bofh: there is no journal zz in ');
    expect(stderr).toContain('it cannot be explained: ');
    expect(failure.parse(JSON.parse(stdout)).error.exitCode).toBe(70);
    expect(exitCode).toBe(70);
  });

  it('continues without a log that cannot be loaded', async () => {
    const command = await installed();
    takeAway(/^command-pino-/);

    const argv = [command, 'run', ...options(), '--log-level', 'debug', write('a.ts', 'console.log(1)')];
    const { exitCode, stdout, stderr } = await runProgram(process.execPath, argv);

    expect(stdout).toBe('1\n');
    expect(stderr).toContain('bofh: the log cannot be written: ');
    expect(exitCode).toBe(0);
  });

  it('has loaded the retry code with the host, because an undo may need it first', async () => {
    const folder = dirname(await builtCommand());
    const texts = readdirSync(folder)
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFileSync(join(folder, name), 'utf8'));

    expect(texts.some((text) => text.includes('retryingBusy'))).toBe(true);
    expect(texts.filter((text) => /import\("\.\/chunk-p-retry/.test(text))).toEqual([]);
  });
});

describe('a state directory that cannot be written', () => {
  it.skipIf(!root)('is an error of the journal: exit 4', async () => {
    const text = `import { atomic } from 'bofh';
      await atomic('x', (tx) => tx.file.create({ path: '${made('x')}', content: '', mode: 0o600 }));`;

    const { exitCode, stderr } = await bofh([
      'run',
      ...options(),
      '--state-dir',
      '/proc/x',
      write('a.ts', text),
    ]);

    expect(exitCode).toBe(4);
    expect(stderr).toContain('/proc/x');
    expect(stderr).not.toContain('RangeError');
  });
});
