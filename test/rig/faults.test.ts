import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  available,
  bootMachine,
  fingerprint,
  type FaultOptions,
  layFault,
  type Machine,
  removeAllFaults,
} from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a fault of the rig', () => {
  let machine: Machine;

  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen' });
    await machine.saveSnapshot('clean');
  });
  afterAll(async () => {
    await machine.close();
  });

  describe('over a tool', () => {
    beforeAll(async () => {
      await machine.loadSnapshot('clean');
    });
    afterEach(async () => {
      await removeAllFaults(machine);
    });

    /** Each tool with a call that works, and what shows that it did its work. */
    const tools: readonly {
      readonly fault: Pick<FaultOptions, 'tool' | 'words'>;
      readonly before: string;
      readonly call: string;
      readonly done: string;
      readonly after: string;
    }[] = [
      {
        fault: { tool: 'lvcreate', words: ['web1'] },
        before: 'true',
        call: 'lvcreate -qq -y -L 64M -n web1 vg0',
        done: 'test -e /dev/vg0/web1',
        after: 'lvremove -qq -y vg0/web1 || true',
      },
      {
        fault: { tool: 'lvremove', words: ['vg0/web1'] },
        before: 'lvcreate -qq -y -L 64M -n web1 vg0',
        call: 'lvremove -qq -y vg0/web1',
        done: 'test ! -e /dev/vg0/web1',
        after: 'lvremove -qq -y vg0/web1 || true',
      },
      {
        fault: { tool: 'vgs', words: ['vg0'] },
        before: 'rm -f /tmp/out',
        call: 'vgs vg0 > /tmp/out',
        done: 'test -s /tmp/out',
        after: 'true',
      },
      {
        fault: { tool: 'mkfs.ext4', words: ['/tmp/disk'] },
        before: 'truncate -s 8M /tmp/disk',
        call: 'mkfs.ext4 -q /tmp/disk',
        done: 'blkid -p /tmp/disk',
        after: 'rm /tmp/disk',
      },
      {
        fault: { tool: 'mkswap', words: ['/tmp/disk'] },
        before: 'truncate -s 8M /tmp/disk; chmod 600 /tmp/disk',
        call: 'mkswap /tmp/disk',
        done: 'blkid -p /tmp/disk',
        after: 'rm /tmp/disk',
      },
      {
        fault: { tool: 'mount', words: ['/mnt'] },
        before: 'true',
        call: 'mount -t tmpfs none /mnt',
        done: 'mountpoint -q /mnt',
        after: 'umount /mnt || true',
      },
      {
        fault: { tool: 'umount', words: ['/mnt'] },
        before: 'mount -t tmpfs none /mnt',
        call: 'umount /mnt',
        done: '! mountpoint -q /mnt',
        after: 'umount /mnt || true',
      },
      {
        fault: { tool: 'tar', words: ['/tmp/t'] },
        before: 'mkdir -p /tmp/t',
        call: 'tar -x -f /srv/guest.tar -C /tmp/t',
        done: 'test -e /tmp/t/sbin/init',
        after: 'rm -r /tmp/t',
      },
      {
        fault: { tool: 'xl', words: ['list'] },
        before: 'rm -f /tmp/out',
        call: 'xl list > /tmp/out',
        done: 'test -s /tmp/out',
        after: 'true',
      },
    ];

    async function outcome(
      call: string,
      done: string,
    ): Promise<{ readonly exitCode: number; readonly stderr: string; readonly done: boolean }> {
      const { exitCode, stderr } = await machine.run(call, { check: 'return' });
      const seen = await machine.run(done, { check: 'return' });
      return { exitCode, stderr, done: seen.exitCode === 0 };
    }

    describe.each(tools)('over $fault.tool', ({ fault, before, call, done, after }) => {
      // Every mode is one script for all tools, so two of them try all modes and the others the one that needs most.
      const all = [
        { mode: 'act-then-fail', exitCode: 5, stderr: 'no space', acted: true },
        { mode: 'fail', exitCode: 5, stderr: 'no space', acted: false },
        { mode: 'pretend', exitCode: 0, stderr: '', acted: false },
        { mode: 'killed', exitCode: 137, stderr: '', acted: false },
        { mode: 'act-then-killed', exitCode: 137, stderr: '', acted: true },
      ] as const;

      it.each(['lvcreate', 'xl'].includes(fault.tool) ? all : all.slice(0, 1))(
        '$mode: status $exitCode, acted: $acted',
        async ({ mode, exitCode, stderr, acted }) => {
          await machine.run(before);
          const laid = await layFault(machine, { ...fault, mode, exitCode: 5, stderr: 'no space', times: 1 });

          const first = await outcome(`sh -c '${call}; exit $?'`, done);
          await laid.remove();

          expect(first).toMatchObject({ exitCode, done: acted });
          expect(first.stderr).toContain(stderr);
          await machine.run(after);
        },
      );

      it('affects no other call, and none once it is off', async () => {
        await machine.run(before);
        const laid = await layFault(machine, { ...fault, words: ['no such word'], mode: 'fail' });

        const passed = await outcome(call, done);
        await laid.remove();

        expect(passed).toMatchObject({ exitCode: 0, done: true });
        await machine.run(`${after}; ${before}`);
        expect(await outcome(call, done)).toMatchObject({ exitCode: 0, done: true });
        await machine.run(after);
      });
    });

    it('hits the nth matching call, as often as configured', async () => {
      const laid = await layFault(machine, { tool: 'lvs', words: ['vg*'], mode: 'fail', nth: 2, times: 2 });

      const statuses: number[] = [];
      for (const call of ['lvs vg0', 'lvs', 'lvs vg0', 'lvs vg0', 'lvs vg0'])
        statuses.push((await machine.run(call, { check: 'return' })).exitCode);

      expect(statuses).toEqual([0, 0, 1, 1, 0]);
      expect(await laid.hits()).toBe(4);
    });

    it('shares a file with faults over its other names', async () => {
      const lvs = await layFault(machine, { tool: 'lvs', mode: 'fail', exitCode: 3 });
      const vgs = await layFault(machine, { tool: 'vgs', mode: 'fail', exitCode: 4 });
      const status = async (call: string): Promise<number> =>
        (await machine.run(call, { check: 'return' })).exitCode;

      expect([await status('lvs'), await status('vgs'), await status('pvs')]).toEqual([3, 4, 0]);
      await lvs.remove();
      expect([await status('lvs'), await status('vgs')]).toEqual([0, 4]);
      await vgs.remove();
      expect([await status('lvs'), await status('vgs')]).toEqual([0, 0]);
    });

    it('hangs until it is released', async () => {
      const laid = await layFault(machine, { tool: 'lvs', mode: 'hang' });
      let ended = false;
      const call = machine.run('lvs vg0').finally(() => {
        ended = true;
      });

      while (!(await laid.held()));
      expect(ended).toBe(false);
      await laid.release();

      expect((await call).exitCode).toBe(0);
    });

    it('kills the process that called the tool, and the tool still completes', async () => {
      await layFault(machine, { tool: 'mkswap', mode: 'kill-caller' });

      const { exitCode } = await machine.run(
        `truncate -s 8M /tmp/s; chmod 600 /tmp/s; bash -c 'mkswap /tmp/s; true'; exit $?`,
        { check: 'return' },
      );

      expect(exitCode).toBe(137);
      await machine.run('until blkid -p /tmp/s; do sleep 0.1; done', { timeoutMs: 20_000 });
    });

    it('is not seen in a fingerprint', async () => {
      const before = await fingerprint(machine);
      await layFault(machine, { tool: 'lvcreate', mode: 'fail' });
      await layFault(machine, { tool: 'mount', mode: 'fail' });
      await layFault(machine, { tool: 'xl', words: ['create'], mode: 'fail' });

      expect(before.diff(await fingerprint(machine))).toBe('');
    });
  });
});
