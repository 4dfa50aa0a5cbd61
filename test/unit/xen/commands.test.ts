import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/command/index.ts';
import { ParseError } from '../../../src/core/errors.ts';
import {
  classifyXl,
  messageOfFailedCreate,
  xlCheck,
  xlCreate,
  xlDestroy,
  xlInfo,
  xlList,
  xlListLong,
  xlMemSet,
  xlPause,
  xlResources,
  xlShutdown,
  xlUnpause,
  xlVcpuSet,
  xlWeight,
} from '../../../src/xen/commands.ts';
import { recorded, situations } from './fixture.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const config = '/etc/xen/web1.cfg';
const create = xlCreate({ config, uuid });
const reasonOf = (command: Command<unknown>, situation: string) => command.classify?.(recorded(situation));

describe('the commands of xl', () => {
  test.each([
    [xlList(), ['list', '-v'], 'read'],
    [xlListLong(), ['list', '-l'], 'read'],
    [xlInfo(), ['info'], 'read'],
    [xlCheck({ config }), ['-N', 'create', config], 'read'],
    [xlCheck({ config, uuid }), ['-N', 'create', config, `uuid="${uuid}"`], 'read'],
    [create, ['create', config, `uuid="${uuid}"`], 'change'],
    [xlCreate({ config, uuid, initially: 'paused' }), ['create', config, '-p', `uuid="${uuid}"`], 'change'],
    [xlDestroy({ id: 7 }), ['destroy', '7'], 'destroy'],
    [xlShutdown({ id: 7, timeoutMs: 5 }), ['shutdown', '-F', '-w', '7'], 'change'],
    [xlMemSet({ id: 7, kib: 65536 }), ['mem-set', '7', '65536k'], 'change'],
    [xlVcpuSet({ id: 7, vcpus: 2 }), ['vcpu-set', '--ignore-host', '7', '2'], 'change'],
    [xlWeight({ id: 7, scheduler: 'credit', weight: 9 }), ['sched-credit', '-d', '7', '-w', '9'], 'change'],
    [xlPause({ id: 7 }), ['pause', '7'], 'change'],
    [xlUnpause({ id: 7 }), ['unpause', '7'], 'change'],
  ])('%j', (command, argv, access) => {
    expect({ ...command }).toMatchObject({ tool: 'xl', argv, access });
  });

  test('only the waiting for a shutdown may be ended, and has a time limit', () => {
    expect(xlShutdown({ id: 7, timeoutMs: 5 })).toMatchObject({ stop: 'safe', timeoutMs: 5 });
    expect(create).not.toHaveProperty('stop');
    expect(create).not.toHaveProperty('timeoutMs');
  });
});

describe('xl list -l', () => {
  const text = recorded('list-long-running').stdout;
  const parse = (stdout: string) => xlResources().parse({ exitCode: 0, stdout, stderr: '' });

  test('shows the settings of each guest, without Domain-0', () => {
    const domid = xlListLong().parse(recorded('list-long-running')).at(-1);
    expect(parse(text)).toEqual([
      {
        ...{ domid, memoryKiB: 131072, maxMemoryKiB: 131072, vcpus: 1, maxVcpus: 1 },
        ...{ scheduler: 'credit2', weight: 256 },
      },
    ]);
  });

  test('shows one virtual CPU without vcpus in its configuration', () => {
    const without = text.replaceAll(/"(?:max|avail)_vcpus"/g, '"other"');
    expect(parse(without)).toMatchObject([{ vcpus: 1, maxVcpus: 1 }]);
  });

  test('shows no weight of another scheduler', () => {
    expect(parse(text.replaceAll('credit2', 'null'))[0]).not.toHaveProperty('weight');
  });

  test.each(['max_vcpus', 'avail_vcpus', 'max_memkb', 'target_memkb', 'b_info'])(
    'is an error without %s',
    (key) => {
      expect(() => parse(text.replaceAll(`"${key}"`, '"other"'))).toThrow();
    },
  );
});

describe('xl list -v', () => {
  const rows = (situation: string) => xlList().parse(recorded(situation));

  test('shows every domain with its uuid and flags', () => {
    expect(rows('list-running')).toEqual([
      {
        id: 0,
        name: 'Domain-0',
        uuid: '00000000-0000-0000-0000-000000000000',
        memoryMiB: 1536,
        vcpus: 2,
        flags: 'r-----',
        seconds: expect.any(Number) as number,
      },
      {
        id: 1,
        name: 'web1',
        uuid,
        memoryMiB: 128,
        vcpus: 1,
        flags: expect.any(String) as string,
        seconds: expect.any(Number) as number,
      },
    ]);
  });

  test.each([
    ['list-paused', 'web1', '-bp---'],
    ['list-shutdown', 'web2', '---s--'],
    ['list-crashed', 'web2', '---sc-'],
    ['list-half-built', 'web2', '--p---'],
    ['list-odd-name', 'odd  name (null) 7 é', '--p---'],
  ])('%s', (situation, name, flags) => {
    expect(rows(situation)[1]).toMatchObject({ name, flags });
  });

  const [head = '', first = '', web1 = ''] = recorded('list-running').stdout.split('\n');
  const parse = (...lines: readonly string[]) =>
    xlList().parse({ exitCode: 0, stdout: lines.map((line) => `${line}\n`).join(''), stderr: '' });

  test('a domain without a name has none', () => {
    expect(parse(head, first, web1.replace('web1  ', '(null)'))[1]).not.toHaveProperty('name');
  });

  test('a name that looks like the columns is still a name', () => {
    const name = 'x 1 2 3     r-----  1.0 11111111-2222-4333-8444-555555555555 - -';
    expect(parse(head, first, web1.replace(/^.{40}/, name))[1]).toMatchObject({ name, id: 1 });
  });

  test('keeps blanks at the end of a name that is longer than its column', () => {
    const name = `${'x'.repeat(40)}  `;
    const line = web1.replace(/^.{40}/, name);
    expect(parse(head, first, line)[1]).toMatchObject({ name, id: 1 });
    expect(parse(head, first, line.replace(/ {5}1 /, ' 12345 '))[1]).toMatchObject({ name, id: 12345 });
  });

  test.each([
    ['another header', ['Name ID', first]],
    ['a line of odd shape', [head, first, 'web1 1']],
    ['an unknown flag', [head, first, web1.replace(/ [r-][b-]----/, ' x-----')]],
    ['a name with a newline', [head, first, 'a', web1]],
    ['no Domain-0', [head, web1]],
    ['nothing', []],
  ])('%s is an error', (_, lines) => {
    expect(() => parse(...lines)).toThrow(ParseError);
  });
});

describe('xl list -l', () => {
  test('shows which domains are complete', () => {
    expect(xlListLong().parse(recorded('list-long-running'))).toEqual([0, 1]);
  });
  test('leaves out a half-built one that xl list -v shows', () => {
    expect(
      xlList()
        .parse(recorded('list-half-built'))
        .map(({ id }) => id),
    ).toEqual([0, 15]);
    expect(xlListLong().parse(recorded('list-long-half-built'))).toEqual([0]);
  });
  test.each(['', '{}', '[{}]', '[{"domid":"1"}]', '[{"domid":-1}]', 'null'])('%s is an error', (stdout) => {
    expect(() => xlListLong().parse({ exitCode: 0, stdout, stderr: '' })).toThrow();
  });
});

describe('xl info', () => {
  test('shows memory and version', () => {
    expect(xlInfo().parse(recorded('info'))).toEqual({
      canVirtualize: true,
      freeMemoryMiB: 1374,
      totalMemoryMiB: 3071,
      xenVersion: '4.17.7',
      commandLine: 'console=com1 com1=115200,8n1 dom0_mem=1536M,max:1536M',
    });
  });
  test.each(['free_memory', 'total_memory', 'xen_version', 'xen_caps', 'xen_commandline'])(
    'without %s is an error',
    (key) => {
      const { stdout, ...rest } = recorded('info');
      const lines = stdout.split('\n').filter((line) => !line.startsWith(`${key} `));
      expect(() => xlInfo().parse({ ...rest, stdout: lines.join('\n') })).toThrow();
    },
  );
  test('with a malformed line is an error', () => {
    const { stdout, ...rest } = recorded('info');
    expect(() => xlInfo().parse({ ...rest, stdout: `${stdout}odd\n` })).toThrow(ParseError);
    expect(() =>
      xlInfo().parse({ ...rest, stdout: stdout.replace(/(free_memory *): \d+/, '$1: many') }),
    ).toThrow();
  });
});

test('a dry run shows the name and UUID that xl parsed', () => {
  expect(xlCheck({ config }).parse(recorded('check-good'))).toEqual({
    name: 'web1',
    uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
  });
});

describe('why xl failed', () => {
  test.each([
    ['create-name-exists', 'exists'],
    ['create-no-memory', 'no-space'],
    ['create-disk-used-by-guest', 'busy'],
    ['create-disk-mounted', 'busy'],
    ['create-no-kernel', 'not-found'],
    ['create-no-ramdisk', 'not-found'],
    ['create-no-disk', 'not-found'],
    ['create-no-bridge', 'not-found'],
    ['create-hotplug-timeout', 'timeout'],
    ['check-missing-file', 'not-found'],
    ['check-bad-quote', 'unknown'],
    ['check-bad-disk', 'unknown'],
    ['check-bad-uuid', 'unknown'],
    ['check-no-name', 'unknown'],
    ['check-no-newline', 'unknown'],
  ])('%s: %s', (situation, reason) => {
    expect(recorded(situation).exitCode).not.toBe(0);
    expect(reasonOf(create, situation)).toBe(reason);
  });

  test.each([
    ['destroy-no-such', 'not-found'],
    ['destroy-no-such-name', 'not-found'],
    ['shutdown-no-such', 'not-found'],
    ['shutdown-no-such-name', 'not-found'],
    ['list-no-such', 'not-found'],
    ['list-no-such-name', 'not-found'],
    ['list-not-root', 'denied'],
    ['info-not-root', 'denied'],
    ['list-no-xen', 'unknown'],
    ['shutdown-of-shutdown', 'timeout'],
  ])('%s: %s', (situation, reason) => {
    expect(recorded(situation).exitCode).not.toBe(0);
    expect(classifyXl(recorded(situation))).toBe(reason);
  });

  test.each([
    ['create-name-exists', 'Domain 2:Domain with name "web1" already exists.'],
    ['create-no-kernel', "failed to open file '/nosuch': No such file or directory: Internal error"],
    ['create-no-bridge', 'Could not find bridge device nobr'],
    [
      'create-disk-mounted',
      'Device /dev/dm-2 is mounted in the privileged domain, and so cannot be mounted by a guest.',
    ],
    ['create-hotplug-timeout', 'killing execution of /etc/xen/scripts/block add because of timeout'],
  ])('%s: keeps the message of xl', (situation, words) => {
    expect(messageOfFailedCreate(recorded(situation).stderr)).toBe(words);
  });

  test('every failed creation has its own message', () => {
    for (const situation of situations('create-'))
      if (recorded(situation).exitCode !== 0)
        expect(messageOfFailedCreate(recorded(situation).stderr), situation).toMatch(/\S/);
  });
});

test('xl itself starts a second domain with a used UUID, and accepts an invalid memory', () => {
  expect(recorded('create-uuid-exists').exitCode).toBe(0);
  expect(recorded('check-bad-memory').exitCode).toBe(0);
});
