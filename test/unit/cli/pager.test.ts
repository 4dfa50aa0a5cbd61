import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pagerEnvironment } from '../../../src/host/pager.ts';
import { paging } from '../../../src/cli/output/paging.ts';
import { plainLook } from '../../../src/cli/output/style.ts';
import { earlySettings, settingsOf } from '../../../src/cli/runtime/settings.ts';
import { testRuntime } from './support/runtime.ts';
import { simulatedBofh } from '../../../src/simulator/index.ts';
import { builtCommand } from './support/built.ts';
import { begin, layJournal } from './support/journals.ts';

describe('which pager', () => {
  it.each([
    [{}, 'less'],
    [{ PAGER: 'more' }, 'more'],
    [{ PAGER: 'more', BOFH_PAGER: 'less -S' }, 'less -S'],
    [{ PAGER: 'cat' }, undefined],
    [{ PAGER: 'more', BOFH_PAGER: '' }, undefined],
  ])('%j: %s', (env, pager) => {
    expect(settingsOf({}, env).pager).toBe(pager);
    expect(earlySettings(['--help'], env).pager).toBe(pager);
    expect(settingsOf({ pager: false }, env).pager).toBeUndefined();
    expect(earlySettings(['--no-pager', '--help'], env).pager).toBeUndefined();
  });

  it('less gets the options of git, and no shell for root, unless the environment sets others', () => {
    expect(pagerEnvironment({}, true)).toEqual({ LESS: 'FRX', LESSSECURE: '1' });
    expect(pagerEnvironment({}, false)).toEqual({ LESS: 'FRX' });
    expect(pagerEnvironment({ LESS: 'S', LESSSECURE: '0' }, true)).toEqual({ LESS: 'S', LESSSECURE: '0' });
  });

  it.each([
    [['--color=never', 'x'], 'never'],
    [['x', '--color', 'always'], 'always'],
    [['--color', 'green'], 'auto'],
    [['--color'], 'auto'],
    [[], 'auto'],
  ])('before the command line is parsed, the color of %j is %s', (args, color) => {
    expect(earlySettings(args, {}).color).toBe(color);
  });
});

describe('output that fits on the screen', () => {
  const onScreen = (columns: number, rows: number) => {
    const said: string[] = [];
    const { terminal } = testRuntime(simulatedBofh()).runtime;
    const pages = paging(
      {
        ...terminal,
        look: { ...plainLook, columns, rows },
        answer: (text) => said.push(text),
        line: (text) => said.push(text),
      },
      '/nonexistent/pager',
    );
    return { pages, said };
  };

  it('is printed at once, and later output below it', async () => {
    const { pages, said } = onScreen(80, 24);
    pages?.terminal.line('before');
    pages?.page('answer\n');
    pages?.terminal.line('after');

    expect(said).toEqual(['before']);
    await pages?.show();
    expect(said).toEqual(['before', 'answer\n', 'after']);
  });

  it('is printed too if the pager cannot be started', async () => {
    const { pages, said } = onScreen(80, 5);
    pages?.page('line\n'.repeat(100));
    await pages?.show();

    expect(said).toEqual(['line\n'.repeat(100)]);
  });

  it('a pipe has no pager', () => {
    expect(paging(testRuntime(simulatedBofh()).runtime.terminal, 'less')).toBeUndefined();
  });
});

interface Typing {
  /** Keys that are typed, again and again, from when the screen shows the text until it shows the next one. */
  readonly keys?: readonly (readonly [shows: RegExp, keys: string])[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `bofh WORDS` on a pseudo terminal of 24 rows and 80 columns. */
async function onTerminal(words: string, { keys = [], env = {} }: Typing = {}) {
  const command = `stty rows 24 cols 80; exec ${process.execPath} ${await builtCommand()} ${words}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 50_000,
  });
  let screen = '';
  child.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString('utf8')));
  child.stdin.on('error', () => undefined);
  const typing = setInterval(() => {
    const next = keys.findLast(([shows]) => shows.test(screen));
    if (next !== undefined) child.stdin.write(next[1]);
  }, 200);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(typing);
  return { screen: screen.replaceAll('\r\n', '\n'), exitCode };
}

describe('on a terminal', () => {
  let state = '';
  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'bofh-pager-'));
    for (let n = 10; n < 50; n += 1)
      layJournal(state, `0000000000${String(n)}`, [begin(`0000000000${String(n)}`, 'job')]);
    layJournal(state, 'ffffffffffff', [begin('ffffffffffff', 'job')]);
    writeFileSync(join(state, 'journal/ffffffffffff.journal'), 'damaged\n');
  });
  afterAll(() => rmSync(state, { recursive: true, force: true }));

  it('a long answer is in less until q; the exit code and the errors are those of the verb', async () => {
    const { screen, exitCode } = await onTerminal(`--state-dir ${state} journal list`, {
      keys: [
        [/\n:/, '\u0003'],
        [/\n:.*\n:/s, 'G'],
        [/\(END\)/, 'q'],
      ],
    });

    expect(screen).toContain('\u001b[1mID\u001b[22m');
    expect(screen).toContain('\u001b[31minterrupted\u001b[39m');
    expect(screen).toContain('just now');
    expect(screen.lastIndexOf('bofh: ')).toBeGreaterThan(screen.lastIndexOf('(END)'));
    expect(exitCode).toBe(4);
  });

  it('a pager with blanks is a shell command, and one that ends early is no failure', async () => {
    const { screen, exitCode } = await onTerminal('help', { env: { BOFH_PAGER: 'head -n 1; echo ended' } });

    expect(screen).toBe('\u001b[1mUsage:\u001b[22m bofh [options] [command]\nended\n');
    expect(exitCode).toBe(0);
  });

  it.each([
    ['', { PAGER: 'cat' }],
    ['--no-pager', { PAGER: 'echo paged' }],
    ['', { PAGER: '/nonexistent/pager' }],
    ['', { PAGER: 'no-such-program -x 2>/dev/null' }],
  ])('the help %s with %j is printed as it is', async (option, env) => {
    const { screen, exitCode } = await onTerminal(`--color never ${option} help`, { env });

    expect(screen).toMatch(/^Usage: bofh .*130 {2}interrupted and rolled back\n.*\n$/s);
    expect(exitCode).toBe(0);
  });

  it('an error is coloured, and a short answer is not paged', async () => {
    const { screen, exitCode } = await onTerminal('lvm crate', { env: { PAGER: 'echo paged' } });

    expect(screen).toContain('\u001b[31mbofh:\u001b[39m unknown command');
    expect(screen).not.toContain('paged');
    expect(exitCode).toBe(2);
    expect((await onTerminal('--version', { env: { PAGER: 'echo paged' } })).screen).not.toContain('paged');
  });
});
