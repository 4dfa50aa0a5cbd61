import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { asks, repairOf } from '../../../src/filesystem/commands/repair.ts';
import { check } from '../../../src/filesystem/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost, simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { argvOf, bofhOn, recoverAll } from '../simulator/support.ts';

const device = '/dev/vg0/web1';
const uuid = '11111111-2222-4333-8444-555555555555';
const lossy = { files: 'may be lost' } as const;

describe('the commands', () => {
  test.each(
    everyVersion([
      ['e2fsck/clean', 'ended'],
      ['e2fsck/errors', 'left'],
    ] as const),
  )('%s: %s', (name, state) => {
    const answer = recorded(name);
    const { argv, accepts = [], parse } = repairOf('ext4', '/dev/x', 'safe');
    expect(argv.slice(0, -1)).toEqual(answer.argv.slice(1, -1));
    expect(accepts).toContain(answer.exitCode);
    expect(parse(answer).state).toBe(state);
  });

  // e2fsck(8), xfs_repair(8), fsck.fat(8).
  test.each([
    ['ext4', 0, 'ended'],
    ['ext4', 1, 'ended'],
    ['ext4', 2, 'mounted'],
    ['ext4', 3, 'mounted'],
    ['ext4', 4, 'left'],
    ['ext4', 5, 'left'],
    ['ext4', 6, 'left'],
    ['ext4', 8, undefined],
    ['ext4', 9, undefined],
    ['ext4', 12, undefined],
    ['ext4', 16, undefined],
    ['ext4', 32, undefined],
    ['ext4', 128, undefined],
    ['xfs', 0, 'ended'],
    ['xfs', 1, undefined],
    ['xfs', 2, 'unplayed'],
    ['xfs', 4, undefined],
    ['vfat', 0, 'ended'],
    ['vfat', 1, 'ended'],
    ['vfat', 2, undefined],
    ['vfat', 6, undefined],
  ] as const)('of %s, exit %i: %s', (type, exitCode, state) => {
    const { accepts = [], parse } = repairOf(type, '/dev/x', 'safe');
    expect(accepts.includes(exitCode)).toBe(state !== undefined);
    if (state !== undefined)
      expect(parse({ exitCode, stdout: 'a\n\n', stderr: 'b' })).toEqual({ state, output: ['a', 'b'] });
  });

  test('only a repair that answers yes, or asks nothing, may lose files', () => {
    for (const type of ['xfs', 'vfat'] as const)
      expect(repairOf(type, '/dev/x', 'safe').access).toBe('destroy');

    expect(repairOf('ext4', '/dev/x', 'yes')).toMatchObject({
      argv: ['-f', '-y', '/dev/x'],
      access: 'destroy',
    });
    expect(repairOf('ext4', '/dev/x', 'safe')).toMatchObject({
      argv: ['-f', '-p', '/dev/x'],
      access: 'change',
    });
    expect(repairOf('xfs', '/dev/x', 'safe').argv).toEqual(['/dev/x']);
    expect(repairOf('vfat', '/dev/x', 'safe').argv).toEqual(['-a', '/dev/x']);
  });
});

describe('filesystem.repair', () => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  });
  const make = (type: string, more: object = {}): void =>
    host.admin.format(device, { type, usage: 'filesystem', uuid, ...more });
  const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
    withBofh(bofhOn(on), () => atomic('repair', body));
  const repairs = (more: { readonly files?: 'may be lost' } = {}, on = host) =>
    does((tx) => tx.filesystem.repair({ device, ...more }), on);
  const mended = (tool: string): readonly string[] =>
    argvOf(host, tool).map((argv) => argv.slice(0, -1).join(' '));
  const mounted = (): void => {
    host.admin.mkdir('/mnt/a');
    host.admin.mount(device, '/mnt/a');
  };

  test.each([
    ['ext4', 'slight'],
    ['ext4', 'noted'],
    ['xfs', true],
    ['vfat', true],
  ] as const)('repairs a %s with errors (%s), and it is clean then', async (type, errors) => {
    make(type, { errors });

    await repairs(asks(type) ? {} : lossy);

    expect(await check(host, device)).toMatchObject({ state: 'clean', uuid });
    expect(String(await rejectionOf(repairs()))).toContain('is clean: there is nothing to repair');
  });

  test('replays the journal of an ext4, which the check cannot', async () => {
    make('ext4');
    mounted();
    const after = host.powerCut({ keep: 'all' });
    await expect(check(after, device)).rejects.toThrow(/its journal has changes/);

    await repairs({}, after);

    expect(await check(after, device)).toMatchObject({ state: 'clean' });
  });

  test('of an ext4 stays stuck while errors need a decision', async () => {
    make('ext4', { errors: true });

    const error = await rejectionOf(repairs());

    expect(error).toBeInstanceOf(StuckError);
    const { cause, committed } = error as StuckError;
    expect(committed).toBe(true);
    expect(String(cause)).toMatch(
      /has errors that e2fsck does not repair without a question: .*incorrect filetype/,
    );
    expect((cause as RefusedError).remedy).toContain(`e2fsck -f ${device}`);
    expect(await check(host, device)).toMatchObject({ state: 'errors' });
    // An administrator has repaired it.
    make('ext4');
    const next = host.restart();
    await recoverAll(next);
    expect(await openJournals(bofhOn(next).engine)).toEqual([]);
  });

  test('answers yes only where files may be lost, and only after the safe repair', async () => {
    make('ext4', { errors: true });

    await repairs({ files: 'may be lost' });

    expect(await check(host, device)).toMatchObject({ state: 'clean' });
    expect(mended('e2fsck')).toEqual(['-f -p', '-f -y']);
  });

  test('answers nothing with yes where the safe repair was enough', async () => {
    make('ext4', { errors: 'slight' });
    await repairs({ files: 'may be lost' });
    expect(mended('e2fsck')).toEqual(['-f -p']);
  });

  test.each(['ext4', 'xfs', 'vfat'] as const)('of %s does nothing when a later step fails', async (type) => {
    make(type, { errors: 'slight' });
    const before = host.snapshot();
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.filesystem.repair({ device, ...(asks(type) ? {} : lossy) });
        throw new Error('a later step fails');
      }),
    );
    expect(String(error)).toContain('a later step fails');
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['ext4', 'e2fsck'],
    ['xfs', 'xfs_repair'],
    ['vfat', 'fsck.vfat'],
  ] as const)('of %s is finished by recovery after a kill after the commit', async (type, tool) => {
    make(type, { errors: 'slight' });
    host.fault({ tool, mode: 'crash here' });
    await rejectionOf(repairs(asks(type) ? {} : lossy));
    host.clearFaults();
    const next = host.restart();
    await recoverAll(next);
    expect(await check(next, device)).toMatchObject({ state: 'clean' });
  });

  test('is stuck when it was mounted before the act, and names the mount', async () => {
    make('ext4', { errors: 'slight' });
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.filesystem.repair({ device });
        mounted();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(String((error as StuckError).cause)).toContain('mounted on /mnt/a');
    expect(mended('e2fsck')).toEqual([]);
  });

  test('leaves another filesystem in its place alone', async () => {
    make('ext4', { errors: 'slight' });
    await does(async (tx) => {
      await tx.filesystem.repair({ device });
      make('ext4', { errors: 'slight', uuid: `9${uuid.slice(1)}` });
    });
    expect(mended('e2fsck')).toEqual([]);
  });

  describe('is refused, and changes nothing', () => {
    async function refused(work: Promise<unknown>): Promise<RefusedError> {
      const before = host.snapshot();
      const error = await rejectionOf(work);
      expect(error).toBeInstanceOf(RefusedError);
      expect((error as RefusedError).remedy).toBeDefined();
      expect(host.snapshot()).toBe(before);
      return error as RefusedError;
    }

    test.each([
      ['ext4', {}, 'is clean: there is nothing to repair'],
      ['xfs', {}, 'is clean: there is nothing to repair'],
      ['vfat', {}, 'is clean: there is nothing to repair'],
      ['btrfs', {}, 'according to btrfs-check(8) "btrfs check --repair" is dangerous'],
      ['swap', { usage: 'other' }, 'a swap area, in which there is nothing to repair'],
      ['crypto_LUKS', { usage: 'crypto' }, 'which bofh cannot repair'],
    ] as const)('of %s %j', async (type, more, why) => {
      make(type, more);
      expect(String(await refused(repairs()))).toContain(why);
    });

    test('while mounted, and names the mount', async () => {
      make('ext4', { errors: 'slight' });
      mounted();
      expect(String(await refused(repairs()))).toContain('mounted on /mnt/a');
    });

    test('an xfs with an unwritten log', async () => {
      make('xfs');
      mounted();
      const after = host.powerCut({ keep: 'all' });
      const error = await refused(repairs({}, after));
      expect(String(error)).toContain('the log of the xfs has changes that are not written yet');
      expect(error.remedy).toMatch(/^write them first: mount \S+ \/mnt; umount \/mnt; /);
    });

    test('a blank device', async () => {
      expect(String(await refused(repairs()))).toContain('holds nothing, which bofh cannot repair');
    });

    test.each(['xfs', 'vfat'] as const)('%s, unless files may be lost', async (type) => {
      make(type, { errors: true });
      const error = await refused(repairs());
      expect(String(error)).toContain(`files on ${device} may be lost`);
      expect(error.remedy).toContain("files: 'may be lost'");
    });
  });

  const repairLine = `filesystem check ${device} --repair --may-lose-files`;

  test('the verb prints the device that it repaired', async () => {
    make('vfat', { errors: true });
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true, yes: true });

    expect(await runVerb(runtime, repairLine)).toBe(0);

    expect(answers.filesystemRepair.parse(JSON.parse(stdout()))).toEqual({ device, type: 'vfat', uuid });
  });

  test('the verb asks before files may be lost', async () => {
    make('ext4', { errors: true });
    const before = host.snapshot();
    const { runtime } = testRuntime(simulatedBofh({ host }));
    const error = await rejectionOf(runVerb(runtime, repairLine));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('needs confirmation');
    expect(host.snapshot()).toBe(before);
    const asked = testRuntime(simulatedBofh({ host }), {}, ['y']);
    expect(await runVerb(asked.runtime, repairLine)).toBe(0);
    expect(asked.stderr()).toContain(
      `All errors of the ext4 on ${device} will be repaired without asking: files on it may be lost.`,
    );
  });

  test('the verb refuses --may-lose-files without --repair', async () => {
    const { runtime } = testRuntime(simulatedBofh({ host }));
    const line = `filesystem check ${device} --may-lose-files`;
    await expect(runVerb(runtime, line)).rejects.toBeInstanceOf(UsageError);
  });
});
