import { beforeEach, describe, expect, test } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { ParseError, RefusedError } from '../../../src/core/errors.ts';
import { checkOf } from '../../../src/filesystem/commands/check.ts';
import { check } from '../../../src/filesystem/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';

const device = '/dev/vg0/web1';

describe('the commands', () => {
  test.each(
    everyVersion([
      ['e2fsck/checked', 'ext4', 'clean'],
      ['e2fsck/checked-errors', 'ext4', 'errors'],
      ['e2fsck/checked-dirty', 'ext4', 'unplayed'],
      ['xfs_repair/clean', 'xfs', 'clean'],
      ['xfs_repair/errors', 'xfs', 'errors'],
      ['xfs_repair/dirty', 'xfs', 'unplayed'],
      ['xfs_repair/mounted', 'xfs', 'not checked'],
      ['xfs_repair/missing', 'xfs', 'not checked'],
      ['btrfs/check', 'btrfs', 'clean'],
      ['btrfs/check-errors', 'btrfs', 'errors'],
      ['btrfs/check-mounted', 'btrfs', 'not checked'],
      ['fsck.vfat/clean', 'vfat', 'clean'],
      ['fsck.vfat/errors', 'vfat', 'errors'],
    ] as const),
  )('%s of %s: %s', (name, type, state) => {
    const answer = recorded(name);
    const { argv, access, accepts = [], parse } = checkOf(type, '/dev/x');
    expect(argv.slice(0, -1)).toEqual(answer.argv.slice(1, -1));
    expect(access).toBe('read');
    expect(accepts).toContain(answer.exitCode);
    expect(parse(answer).state).toBe(state);
    // Rule zero: exit 0 alone, without its last words, does not make it clean.
    if (state === 'clean')
      expect(() => parse({ ...answer, stdout: '\u0001 no answer of this tool\n' })).toThrow(ParseError);
  });
});

test.each(
  everyVersion([
    ['xfs_repair/clean', 6],
    ['xfs_repair/clean', 7],
  ] as const),
)('refuses %s without phase %i', (name, phase) => {
  const { stderr, ...answer } = recorded(name);
  const cut = stderr.slice(0, stderr.indexOf(`Phase ${String(phase)}`));
  expect(() => checkOf('xfs', '/dev/x').parse({ ...answer, stderr: cut })).toThrow(ParseError);
});

describe('filesystem.check', () => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  });
  const make = (type: string, more: object = {}): void =>
    host.admin.format(device, { type, usage: 'filesystem', uuid: 'f0', ...more });

  test.each(['ext4', 'xfs', 'vfat'] as const)(
    'of %s reports that it is clean, and changes nothing',
    async (type) => {
      make(type);
      const before = host.snapshot();
      expect(await check(host, device)).toMatchObject({ type, uuid: 'f0', state: 'clean' });
      expect(host.snapshot()).toBe(before);
    },
  );

  test.each(['ext4', 'xfs'] as const)('of %s finds errors: the verb exits 6', async (type) => {
    make(type, { errors: true });
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });

    expect(await runVerb(runtime, `filesystem check ${device}`)).toBe(6);

    expect(answers.filesystemCheck.parse(JSON.parse(stdout()))).toMatchObject({ type, state: 'errors' });
  });

  test('is refused while mounted, and the mount is named', async () => {
    make('ext4');
    host.admin.mount(device, '/mnt');
    await expect(check(host, device)).rejects.toThrow(/mounted on \/mnt/);
  });

  test('is refused while its journal needs a replay', async () => {
    make('ext4');
    host.admin.mount(device, '/mnt');
    const after = host.powerCut({ keep: 'all' });
    await expect(check(after, device)).rejects.toThrow(/its journal has changes/);
  });

  test('is refused for other content', async () => {
    make('swap');
    await expect(check(host, device)).rejects.toBeInstanceOf(RefusedError);
  });
});
