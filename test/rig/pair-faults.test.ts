import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noting } from '../support/dom0/real-report.ts';
import { bothCut, cableCut, powerCut, startBooted } from '../support/dom0/two-faults.ts';
import { background } from '../support/matrix/stage.ts';
import {
  clearCommand,
  differences,
  heldOnB,
  installOnB,
  makeCommand,
  makeSlowlyCommand,
  makeWholeCommand,
  openOn,
  openTwoHosts,
  recoveryWaiting,
  resetTwoHosts,
  runOnA,
  type TwoHosts,
} from '../support/dom0/two-hosts.ts';
import { available, type Machine, removeAllFaults, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

// The second host's tool stands still while something happens to the hosts or to the cable between them.
describe.skipIf(!can.ok && !required)('a sequence over two machines', () => {
  let two: TwoHosts;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    two = await openTwoHosts();
  });
  const note = noting('pair-faults');
  let begun = 0;
  beforeEach(() => {
    begun = performance.now();
  });
  afterEach(async ({ task }) => {
    note.ended(
      { ...task, suite: task.suite?.suite === undefined ? undefined : task.suite.name },
      (performance.now() - begun) / 1000,
    );
    if (task.result?.state === 'fail') await resetTwoHosts(two);
    else await removeAllFaults(two.pair.b);
  });
  afterAll(async () => {
    await two.pair.close();
    note.write(12);
  });

  const asAtTheStart = async (): Promise<void> => {
    expect(await differences(two, two.start)).toBe('');
  };

  it('creates on both, and undoes on both', async () => {
    await runOnA(two, makeWholeCommand, 0);
    for (const machine of [two.pair.a, two.pair.b]) {
      const { stdout } = await machine.run('blkid -s TYPE -o value /dev/vg0/two');
      expect(stdout).toBe('ext4\n');
      expect(await openOn(machine)).toEqual([]);
    }

    await runOnA(two, clearCommand, 0);

    expect(await differences(two, two.start)).toBe('');
  });

  it('that is killed on the first one: the program continues, its host is reserved, and recovery waits for it', async () => {
    const { bofh, fault } = await heldOnB(two, makeCommand, { tool: 'lvcreate', words: ['two'] });
    await two.pair.a.run(`kill -KILL ${String(bofh.pid)}`);
    await bofh.ended;
    await installOnB(two);
    const refused = await two.pair.b.run('bofh lvm create vg0/two --size 8m 2>&1', { check: 'return' });
    const other = await two.pair.b.run(
      'bofh lvm create vg0/other --size 8m && bofh --yes lvm remove vg0/other',
      {
        check: 'return',
      },
    );
    const recovery = await recoveryWaiting(two, 'lvcreate');
    await fault.release();

    expect(refused).toMatchObject({ exitCode: 4 });
    expect(refused.stdout).toMatch(
      /vg0\/two.* is reserved by sequence \S+ "make on two hosts" of the bofh on a/,
    );
    expect(other.exitCode).toBe(0);
    expect(await recovery.ended).toMatchObject({ exitCode: 0 });
    expect(await differences(two, two.start)).toBe('');
  });

  it('has one step with --host, which a dry run only shows', async () => {
    const told = await runOnA(two, 'bofh --host b --dry-run lvm create vg0/over --size 8m', 0);
    expect(told).toMatch(/lvcreate .*vg0/);
    expect(await differences(two, two.start)).toBe('');

    await runOnA(two, 'bofh --host b lvm create vg0/over --size 8m', 0);
    expect(await lvsOf(two.pair.b)).toEqual(['over']);
    expect(await lvsOf(two.pair.a)).toEqual([]);
    await runOnA(two, 'bofh --host b --yes lvm remove vg0/over', 0);

    expect(await differences(two, two.start)).toBe('');
  });

  async function lvsOf(machine: Machine): Promise<readonly string[]> {
    const { stdout } = await machine.run('lvs --noheadings -o lv_name vg0');
    return stdout.split(/\s+/).filter((name) => name !== '');
  }

  describe('whose cable is cut', () => {
    it('in the middle of a change: the first host is undone at once, the second when the cable is repaired', () =>
      cableCut(two));

    it('in the middle of a change whose program ends meanwhile', async () => {
      const { bofh, fault } = await heldOnB(two, makeCommand, { tool: 'lvcreate', words: ['two'] });
      await two.pair.cutLink();
      await fault.release();
      expect(await bofh.ended).toMatchObject({ exitCode: 3 });
      expect((await two.pair.b.run('lvs --noheadings -o lv_name vg0')).stdout.trim()).toBe('two');
      await runOnA(two, 'bofh recover --yes', 3);
      await two.pair.mendLink();

      await runOnA(two, 'bofh recover --yes', 0);

      await asAtTheStart();
    });

    it('after the commit: the rest on the second host is done when the cable is repaired', async () => {
      await runOnA(two, makeCommand, 0);
      const { bofh, fault } = await heldOnB(two, clearCommand, { tool: 'lvremove' });
      await two.pair.cutLink();
      const { exitCode } = await bofh.ended;
      expect([0, 3]).toContain(exitCode);
      expect(await openOn(two.pair.b)).not.toEqual([]);
      await fault.release();
      await two.pair.mendLink();

      await runOnA(two, 'bofh recover --yes', 0);

      await asAtTheStart();
    });
  });

  describe('and a power cut', () => {
    beforeAll(() => startBooted(two));

    it('on the second one, in the middle of a change', async () => {
      const { bofh } = await heldOnB(two, makeCommand, { tool: 'lvcreate', words: ['two'] });
      await two.pair.b.powerCut();
      expect(await bofh.ended).toMatchObject({ exitCode: 3 });
      await two.pair.b.boot();

      await runOnA(two, 'bofh recover --yes', 0);

      await asAtTheStart();
    });

    it('on the second one, so short that the first one sees it again', async () => {
      const { bofh } = await heldOnB(two, makeCommand, { tool: 'lvcreate', words: ['two'] });
      await powerCut(two, 'b');
      const { exitCode } = await bofh.ended;

      expect([3, 5]).toContain(exitCode);
      await runOnA(two, 'bofh recover --yes', 0);
      await asAtTheStart();
    });

    it('on the second one, between its last step and the commit, which does not happen', async () => {
      const bofh = await background({ machine: two.pair.a }, makeSlowlyCommand);
      await until({
        what: 'both are made',
        timeoutMs: 120_000,
        everyMs: 500,
        probe: async () => {
          const { exitCode } = await two.pair.a.run('test -e /run/two-made', { check: 'return' });
          return exitCode === 0 ? true : undefined;
        },
      });
      await powerCut(two, 'b');
      await two.pair.a.run('touch /run/two-go');

      expect(await bofh.ended).toMatchObject({
        exitCode: 5,
        output: expect.stringMatching(/boot/) as string,
      });
      await two.pair.a.run('rm /run/two-made /run/two-go');
      await asAtTheStart();
    });

    it('on the first one, while the program on the second continues', async () => {
      const { bofh, fault } = await heldOnB(two, makeCommand, { tool: 'lvcreate', words: ['two'] });
      await powerCut(two, 'a');
      await bofh.ended;
      expect(await openOn(two.pair.b)).not.toEqual([]);

      const recovery = await recoveryWaiting(two, 'lvcreate');
      await fault.release();

      expect(await recovery.ended).toMatchObject({ exitCode: 0 });
      await asAtTheStart();
    });

    it('on both at one moment', () => bothCut(two));

    it('on both after the commit: the rest is done', async () => {
      await runOnA(two, makeCommand, 0);
      const { bofh } = await heldOnB(two, clearCommand, { tool: 'lvremove' });
      await powerCut(two, 'a', 'b');
      await bofh.ended;

      await runOnA(two, 'bofh recover --yes', 0);

      await asAtTheStart();
    });
  });
});
