import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Answer, Command, Pipeline } from '../../../src/command/index.ts';
import { CommandError, ToolError, UsageError } from '../../../src/core/errors.ts';
import { pipelineScript } from '../../../src/host/shell.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { changing, hostWith, textOf, until } from './support.ts';

const whole = (answer: Answer): Answer => answer;

/** A pipeline of shell scripts: the tool `tar` of these tests runs its first argument. */
function pipeline(first: string, ...rest: readonly string[]): Pipeline<Answer> {
  return { commands: [changing([first]), ...rest.map((script) => changing([script]))], parse: whole };
}

const running = 'eval "$1"';

test('connects its commands and returns the output of the last one to parse', async () => {
  const { change, step } = hostWith(running);

  const answer = await change.pipe(
    pipeline('echo one; echo e1 >&2', 'cat; echo two; echo e2 >&2', 'tr a-z A-Z; echo e3 >&2'),
  );

  expect(answer).toEqual({ exitCode: 0, stdout: 'ONE\nTWO\n', stderr: 'e3\n' });
  for (const name of readdirSync(step.outputs))
    expect(statSync(join(step.outputs, name)).mode & 0o777).toBe(0o600);
});

test('gives each command its arguments as they are', async () => {
  const { change } = hostWith('cat; for word; do printf "<%s>" "$word"; done');
  const [first, second] = [
    ['a b', '$(id)', '"; exit 9', ''],
    ['| cat', '*', '-n', '${1}', '5', '6', '7', '8', '9', '10', '11'],
  ];

  const { stdout } = await change.pipe({ commands: [changing(first), changing(second)], parse: whole });

  expect(stdout).toBe([...first, ...second].map((word) => `<${word}>`).join(''));
});

test('its shell text contains only numbers', () => {
  expect(pipelineScript([2, 1])).toBe(
    'trap : HUP INT TERM; { read -r boot </proc/sys/kernel/random/boot_id; read -r stat </proc/self/stat; ' +
      'printf "%s\\n" "$0 $boot $stat" >"$1"; } 2>/dev/null; session=$1; shift; ' +
      '{ trap : HUP INT TERM; "${1}" "${2}" 3>&- 5>&- 6>&- 7>&- 8>&- 9>&- 4>&-; echo "0 $?" >&4; } | ' +
      '{ trap : HUP INT TERM; "${3}" 3>&- 5>&- 6>&- 7>&- 8>&- 9>&- 4>&-; echo "1 $?" >&4; } 2>&5; ' +
      'code=$?; { printf "" >"$session"; } 2>/dev/null; exit $code',
  );
});

test('accepts a large stream, and standard input for its first command', async () => {
  const { change } = hostWith(running);
  const commands: [Command<unknown>, ...Command<unknown>[]] = [
    changing(['cat; head -c 5000000 /dev/zero'], { stdin: 'start' }),
    changing(['cat']),
    changing(['wc -c']),
  ];

  expect((await change.pipe({ commands, parse: whole })).stdout).toBe('5000005\n');
});

test('fails when any command fails, and shows its name and output', async () => {
  const { change } = hostWith(running);
  const failing = 'echo "it broke" >&2; exit 3';

  for (const work of [
    pipeline(failing, 'cat'),
    pipeline('true', failing),
    pipeline('true', failing, 'cat'),
  ]) {
    const error = await rejectionOf(change.pipe(work));
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ argv: [failing], exitCode: 3, stderr: 'it broke\n' });
  }
});

test('blames the later command when an earlier one gets SIGPIPE', async () => {
  const { change } = hostWith(running);

  const error = await rejectionOf(change.pipe(pipeline('exec yes', 'cat', 'echo full >&2; exit 28')));

  expect(error).toMatchObject({ argv: ['echo full >&2; exit 28'], exitCode: 28, stderr: 'full\n' });
});

test('is no success when an earlier command got SIGPIPE and no other failed', async () => {
  const { change } = hostWith(running);

  const error = await rejectionOf(change.pipe(pipeline('exec yes', 'head -n 1')));

  expect(error).toMatchObject({ argv: ['exec yes'], reason: 'killed' });
});

test('respects the accepted exit codes and failure reasons of each command', async () => {
  const { change } = hostWith(running);
  const first = changing(['echo ok; exit 1'], { accepts: [0, 1] });
  const last = changing(['cat; exit 2'], { classify: () => 'no-space' });

  expect((await change.pipe({ commands: [first, changing(['cat'])], parse: whole })).stdout).toBe('ok\n');
  const error = await rejectionOf(change.pipe({ commands: [first, last], parse: whole }));
  expect(error).toMatchObject({ exitCode: 2, reason: 'no-space' });
});

test('with a command that cannot be started is a ToolError', async () => {
  const { change } = hostWith(running, { tools: { sync: '/nowhere/sync' } });

  const error = await rejectionOf(
    change.pipe({ commands: [changing(['echo']), { ...changing(), tool: 'sync' }], parse: whole }),
  );

  expect(error).toBeInstanceOf(ToolError);
});

test('no command inherits the lock, the statuses or the files of the others', async () => {
  const { change } = hostWith(running);
  const list = 'cat; ls -l /proc/self/fd';

  const { stdout } = await change.pipe(pipeline(list, list, list));

  expect(stdout.split('total 0')).toHaveLength(4);
  expect(stdout).not.toMatch(/lock|status\./);
  // 3 is the directory that ls reads.
  expect(stdout).not.toMatch(/ [4-9] -> /);
});

test('is ended whole, with cleanup, when all its commands are "safe"', async () => {
  const interrupt = new AbortController();
  const { change, directory } = hostWith(running, { step: { signal: interrupt.signal } });
  const script = (name: string): string =>
    `trap "sleep 0.2; echo cleaned >${directory}/${name}; exit 1" TERM; touch ${directory}/${name}; while [ -d ${directory} ]; do sleep 0.02; done`;
  const safe = (name: string): Command<unknown> => changing([script(name)], { stop: 'safe' });

  const failing = rejectionOf(change.pipe({ commands: [safe('a'), safe('b')], parse: whole }));
  await until('both run', () => ['a', 'b'].every((name) => readdirSync(directory).includes(name)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  interrupt.abort();

  expect(await failing).toMatchObject({ reason: 'killed' });
  expect([textOf(join(directory, 'a')), textOf(join(directory, 'b'))]).toEqual(['cleaned\n', 'cleaned\n']);
});

test('may finish when one of its commands is not "safe"', async () => {
  const interrupt = new AbortController();
  const { change, directory } = hostWith(running, { step: { signal: interrupt.signal } });
  const go = join(directory, 'go');
  const first = changing(
    [`echo on; while [ -d ${directory} ] && [ ! -e ${go} ]; do sleep 0.02; done; echo off`],
    { stop: 'safe' },
  );

  const work = change.pipe({ commands: [first, changing(['cat'])], parse: whole });
  await new Promise((resolve) => setTimeout(resolve, 100));
  interrupt.abort();
  await new Promise((resolve) => setTimeout(resolve, 100));
  writeFileSync(go, '');

  expect((await work).stdout).toBe('on\noff\n');
});

test('refuses more than six commands, and standard input for a later one', async () => {
  const { change } = hostWith(running);
  const none = changing(['cat']);

  const seven = rejectionOf(
    change.pipe({ commands: [none, none, none, none, none, none, none], parse: whole }),
  );
  const late = rejectionOf(
    change.pipe({ commands: [none, changing(['cat'], { stdin: 'x' })], parse: whole }),
  );
  const six = change.pipe({
    commands: [none, none, none, none, none, changing(['cat; echo six >&2'])],
    parse: whole,
  });

  expect(await seven).toBeInstanceOf(UsageError);
  expect(await late).toBeInstanceOf(UsageError);
  expect((await six).stderr).toBe('six\n');
});
