import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { connectionState, diskState, role } from '../../../src/drbd/schema.ts';
import { stateWords } from '../../../src/xen/index.ts';
import { journalShow } from '../../../src/cli/output/answers/index.ts';
import { endWords } from '../../../src/cli/verbs/recover/text.ts';
import { asText } from '../../../src/cli/errors/explanation.ts';
import { give } from '../../../src/cli/output/answer.ts';
import { type Cell, type Look, paintFor, plainLook, stated } from '../../../src/cli/output/style.ts';
import { table } from '../../../src/cli/output/table.ts';
import { relativeTime } from '../../../src/cli/output/times.ts';
import { settingsOf } from '../../../src/cli/runtime/settings.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { device, encrypted } from '../crypt/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const colored = paintFor('always', { isTTY: false }, {});
const screen = (columns: number): Look => ({ ...plainLook, columns });
const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;
const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`;

describe('colour', () => {
  it.each<[string, Parameters<typeof paintFor>[0], boolean, Record<string, string>, boolean]>([
    ['a terminal has it', 'auto', true, {}, true],
    ['a pipe has none', 'auto', false, {}, false],
    ['a dumb terminal has none', 'auto', true, { TERM: 'dumb' }, false],
    ['NO_COLOR turns it off', 'auto', true, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR is as if unset', 'auto', true, { NO_COLOR: '' }, true],
    ['FORCE_COLOR turns it on', 'auto', false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
    ['FORCE_COLOR=0 turns it off', 'auto', true, { FORCE_COLOR: '0' }, false],
    ['always, whatever the environment says', 'always', false, { NO_COLOR: '1', TERM: 'dumb' }, true],
    ['never, whatever the environment says', 'never', true, { FORCE_COLOR: '1' }, false],
  ])('%s', (_what, when, isTTY, env, has) => {
    expect(paintFor(when, { isTTY }, env)('bad', 'x')).toBe(has ? red('x') : 'x');
  });

  it.each([
    ...[...diskState.options, ...connectionState.options, ...role.options],
    ...Object.values(stateWords),
    ...journalShow.shape.state.options,
    ...['started', 'done', 'undone', 'blocked', 'finished', 'ok', 'warning', 'problem'],
    ...Object.values(endWords),
  ])('the state "%s" is explained, or is neither good nor bad', (word) => {
    const neither = ['Secondary', 'unknown'];
    expect(stated(word)).toHaveProperty('as', neither.includes(word) ? undefined : expect.any(String));
  });

  it('another argument for --color is a usage error', () => {
    expect(() => settingsOf({ color: 'green' }, {})).toThrow('--color green: must be auto, always or never');
  });

  it('is added after escaping, and has no width in a table', () => {
    const rows: readonly (readonly Cell[])[] = [
      [stated('crashed'), 'a\u001b[31m'],
      ['a-longer-word', 'b'],
    ];
    const text = table(['STATE', 'NAME'], rows, { ...plainLook, paint: colored });

    expect(text).toBe(
      `${bold('STATE')}          ${bold('NAME')}\n${red('crashed')}        a\\x1b[31m\na-longer-word  b\n`,
    );
  });

  it('marks the words of an error', () => {
    const of = { class: 'Error', failed: 'no', host: 'unchanged', next: 'bofh', details: [], exitCode: 1 };

    expect(asText(of, colored)).toBe(
      `${red('bofh:')} no\n  ${bold('host:')} unchanged\n  ${bold('next:')} bofh`,
    );
    expect(asText(of)).toBe('bofh: no\n  host: unchanged\n  next: bofh');
  });

  it('shows a pool that is nearly full in yellow and one that is full in red, beside their words', async () => {
    const bofh = simulatedBofh();
    bofh.host.admin.thinPool({ vg: 'vg0', name: 'near', extents: 4 });
    bofh.host.admin.fill('vg0', 'near', { data: 90 });
    bofh.host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 4 });
    bofh.host.admin.fill('vg0', 'pool', { data: 97 });
    const { runtime, stdout } = testRuntime(bofh);
    const terminal = { ...runtime.terminal, look: { ...plainLook, paint: colored } };

    await runVerb({ ...runtime, terminal }, 'lvm list');

    expect(stdout()).toContain('\u001b[33mnear its limit: data 90 %, metadata 10 %\u001b[39m');
    expect(stdout()).toContain('\u001b[33m90.00\u001b[39m');
    expect(stdout()).toContain(red('97.00'));
    expect(stdout()).toContain(red('full: data 97 %, metadata 10 %'));
  });

  it('shows a missing device of btrfs in red', async () => {
    const host = simulatedHost();
    pool(host);
    const missing: SimulatedHost = {
      ...host,
      run: async (command) =>
        command.tool === 'btrfs' && command.argv.includes('show')
          ? command.parse(recorded('btrfs/devices-missing@6.2'))
          : host.run(command),
    };
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: missing }));
    const terminal = { ...runtime.terminal, look: { ...plainLook, paint: colored } };

    await runVerb({ ...runtime, terminal }, 'btrfs device list /srv/pool');

    expect(stdout()).toContain(red('missing'));
  });

  it('shows an unfinished reencryption in yellow', async () => {
    const host = encrypted();
    host.admin.luksReencrypt({ device, key: 'geheim', done: 1024 ** 2 });
    host.admin.luksOpen(device, 'mine');
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }));
    const terminal = { ...runtime.terminal, look: { ...plainLook, paint: colored } };

    await runVerb({ ...runtime, terminal }, 'crypt status mine');

    expect(stdout()).toContain('\u001b[33mreencryption is running or was interrupted\u001b[39m');
  });
});

describe('a table', () => {
  const uuid = 'f7c3a5de-4a55-4b8f-9d80-60b9a42a8f4a';
  const head = ['NAME', 'LABEL', 'UUID', 'NOTE'];
  const rows = [
    ['web1', '', uuid, 'one two three four five six'],
    ['a', '', uuid, ''],
  ];

  it('has no width limit in a pipe: a row is a line', () => {
    expect(table(head, [['x'.repeat(500), '', uuid, 'y z'.repeat(200)]]).split('\n')).toHaveLength(3);
  });

  it('is not stretched on a wide screen', () => {
    expect(table(head, rows, screen(500))).toBe(table(head, rows));
  });

  it('leaves out columns that are empty in every row, if it is too wide otherwise', () => {
    expect(table(head, rows, screen(72))).toBe(
      `NAME  UUID                                  NOTE\nweb1  ${uuid}  one two three four five six\na     ${uuid}\n`,
    );
  });

  it('then wraps its last column between words', () => {
    expect(table(head, rows, screen(69))).toBe(
      [
        'NAME  UUID                                  NOTE',
        `web1  ${uuid}  one two three four five`,
        `${' '.repeat(44)}six`,
        `a     ${uuid}`,
        '',
      ].join('\n'),
    );
  });

  it('then shows each row as a block, whose words, paths and UUIDs stay whole', () => {
    const text = table(head, rows, screen(20));

    expect(text).toBe(
      [
        ...['NAME  web1', `UUID  ${uuid}`, 'NOTE  one two three', '      four five six', ''],
        ...['NAME  a', `UUID  ${uuid}`, ''],
      ].join('\n'),
    );
  });

  it('counts wide characters as two columns', () => {
    expect(table(['A', 'B'], [['日本語', 'x']], screen(8))).toBe('A  日本語\nB  x\n');
    expect(table(['A', 'B'], [['日本語', 'x']], screen(9))).toBe('A       B\n日本語  x\n');
  });
});

describe('doctor', () => {
  it('wraps its messages between words, beside the level, and keeps commands whole', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh());
    const terminal = { ...runtime.terminal, look: { ...screen(60), paint: colored } };
    await runVerb({ ...runtime, terminal }, 'doctor');
    const lines = stripVTControlCharacters(stdout()).split('\n');

    expect(stdout()).toContain('\u001b[32mok\u001b[39m       ');
    expect(lines.filter((line) => line.length > 60 && !/^ +run: |^\S* +\S+$/.test(line))).toEqual([]);
    expect(lines.some((line) => /^ {9}\S/.test(line))).toBe(true);
  });
});

describe('a time', () => {
  const now = new Date(2026, 10, 26, 12, 0, 0).getTime();
  const minutes = 60_000;

  it.each([
    [-30_000, 'just now'],
    [-3 * minutes, '3 min ago'],
    [-59 * minutes, '59 min ago'],
    [-60 * minutes, '1 h ago'],
    [-47 * 60 * minutes, '47 h ago'],
    [-48 * 60 * minutes, '2 days ago'],
    [-29 * 24 * 60 * minutes, '29 days ago'],
    [-31 * 24 * 60 * minutes, '2026-10-26'],
    [2 * 60 * minutes, 'in 2 h'],
  ])('%i ms from now is "%s" on a terminal', (ms, text) => {
    expect(relativeTime(new Date(now + ms).toISOString(), now)).toBe(text);
  });

  it('that is unknown is empty', () => {
    expect(relativeTime('', now)).toBe('');
  });

  it('is relative in a table on a terminal, local in a pipe and with --format, and ISO in JSON', () => {
    const time = new Date(2026, 10, 5, 7, 8, 9).toISOString();
    const shown = (options: Parameters<typeof testRuntime>[1], look: Look): string => {
      const { runtime, stdout } = testRuntime(simulatedBofh(), options);
      const terminal = { ...runtime.terminal, look };
      give({ ...runtime, terminal }, { data: [{ time }], head: ['TIME'], rows: [[{ time }]], none: '' });
      return stdout();
    };
    const look = { ...plainLook, time: (iso: string) => relativeTime(iso, Date.parse(time) + 5 * minutes) };

    expect(shown({}, look)).toBe('TIME\n5 min ago\n');
    expect(shown({}, plainLook)).toBe('TIME\n2026-11-05 07:08:09\n');
    expect(shown({ format: 'time' }, look)).toBe('2026-11-05 07:08:09\n');
    expect(shown({ json: true }, look)).toContain(`"time": "${time}"`);
  });
});
