import { expect, it } from 'vitest';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { reportProgress } from '../../../src/cli/output/progress.ts';
import { plain, plainLook } from '../../../src/cli/output/style.ts';
import { localTime } from '../../../src/cli/output/times.ts';
import { openSession } from '../../../src/cli/runtime/session.ts';
import type { GlobalOptions } from '../../../src/cli/runtime/settings.ts';
import type { Terminal } from '../../../src/cli/runtime/terminal.ts';
import { testRuntime } from './support/runtime.ts';

const mkfs = { tool: 'mkfs.ext4', argv: ['/dev/vg0/a b'] };
const step = { n: 3, kind: 'filesystem.create' };

function fake(kind: 'live' | 'plain') {
  const said: string[] = [];
  const terminal: Terminal = {
    interactive: false,
    live: kind === 'live',
    look: plainLook,
    paint: plain,
    answer: (text) => said.push(`answer ${text}`),
    line: (text) => said.push(text),
    draw: (text) => said.push(text ?? '(nothing)'),
    ask: async () => '',
    heard: () => true,
    flush: async () => undefined,
  };
  return { terminal, said };
}

it('a terminal shows step, program, part done, time and remaining time in one line', () => {
  const { terminal, said } = fake('live');
  let now = 1000;
  const progress = reportProgress(terminal, { now: () => now });

  progress.onProgress(step, { command: mkfs });
  now += 3200;
  progress.onProgress(step, { command: mkfs, fraction: 0.429 });
  progress.end();

  expect(said).toEqual([
    "3 filesystem.create: mkfs.ext4 '/dev/vg0/a b'",
    "[########............] 42 %  3.2 s  4.3 s left  3 filesystem.create: mkfs.ext4 '/dev/vg0/a b'",
    '(nothing)',
  ]);
});

it('shows the title of a script, and then its own messages', () => {
  const { terminal, said } = fake('live');
  const progress = reportProgress(terminal, { now: () => 0 });
  const command = { tool: 'sh', argv: ['-e', '-c', 'a\nb'], title: 'the script index' };

  progress.onProgress({ n: 1, kind: 'shell.run' }, { command });
  progress.onProgress({ n: 1, kind: 'shell.run' }, { command, line: 'added 3 packages' });
  progress.end();

  expect(said).toEqual(['1 shell.run: the script index', '1 shell.run: added 3 packages', '(nothing)']);
});

it('other outputs get a line for each program, and one every ten seconds', () => {
  const { terminal, said } = fake('plain');
  let now = 0;
  const progress = reportProgress(terminal, { now: () => now });

  progress.onProgress(step, { command: mkfs });
  for (const seconds of [1, 5, 9, 10, 12]) {
    now = seconds * 1000;
    progress.onProgress(step, { command: mkfs, fraction: seconds / 20 });
  }
  progress.onProgress({ n: 4, kind: 'x.y' }, { command: { tool: 'sync', argv: [] } });
  progress.end();

  const day = localTime(new Date(0).toISOString()).slice(0, 16);
  expect(said.filter((line) => line !== '(nothing)')).toEqual([
    `${day}:00  3 filesystem.create: mkfs.ext4 '/dev/vg0/a b'`,
    `${day}:10   50 %  3 filesystem.create: mkfs.ext4 '/dev/vg0/a b'`,
    `${day}:12  4 x.y: sync`,
  ]);
});

it.each(['plain', 'live'] as const)('prints nothing with --quiet (%s)', (kind) => {
  const { terminal, said } = fake(kind);
  const progress = reportProgress(terminal, { silent: true });
  progress.onProgress(step, { command: mkfs, fraction: 0.5 });
  expect(said).toEqual([]);
});

it.each<[words: string, options: GlobalOptions, says: RegExp]>([
  ['no option', {}, /3 filesystem\.create: mkfs\.ext4/],
  ['--quiet', { quiet: true }, /^$/],
  ['--log-level silent', { logLevel: 'silent' }, /^$/],
])('with %s a command reports its programs as requested', async (_, options, says) => {
  const { runtime, stderr } = testRuntime(simulatedBofh({ host: simulatedHost() }), options);
  const { progress } = await openSession(runtime, { site: 'unused', root: 'not-needed' });

  progress.onProgress(step, { command: mkfs });
  progress.end();

  expect(stderr()).toMatch(says);
});
