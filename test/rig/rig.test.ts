import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  available,
  bootMachine,
  fingerprint,
  type FaultOptions,
  guestGone,
  guestUp,
  layFault,
  type Machine,
  makeGuest,
  removeAllFaults,
  RigError,
} from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('the rig', () => {
  let machine: Machine;

  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen' });
    await machine.saveSnapshot('clean');
  });
  afterAll(async () => {
    await machine.close();
  });

  describe('a Xen host', () => {
    beforeEach(async () => {
      await machine.loadSnapshot('clean');
    });

    it('answers xl and has an empty volume group', async () => {
      const domains = await machine.run('xl list');
      const groups = await machine.run('vgs --noheadings -o vg_name,lv_count');

      expect(domains.stdout).toMatch(/^Domain-0 /m);
      expect(groups.stdout.trim().split(/\s+/)).toEqual(['vg0', '0']);
    });

    it('runs the node of this machine', async () => {
      const { stdout } = await machine.run('node --version');

      expect(stdout.trim()).toBe(process.version);
    });

    it('says how a command ended, and throws only when not told otherwise', async () => {
      const kept = await machine.run('echo out; echo err >&2; exit 7', { check: 'return' });

      expect(kept).toEqual({ exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
      await expect(machine.run('exit 7')).rejects.toMatchObject({ exitCode: 7 });
      await expect(machine.run(['sh', '-c', 'exit 255'], { check: 'return' })).resolves.toMatchObject({
        exitCode: 255,
      });
    });

    it('passes words and input through unharmed', async () => {
      const words = ['a b', `it's`, '$HOME', '*', '', 'ü'];

      const echoed = await machine.run(['printf', '%s\\n', ...words]);
      const piped = await machine.run('cat', { stdin: 'x\0y\n' });

      expect(echoed.stdout).toBe(words.map((word) => `${word}\n`).join(''));
      expect(piped.stdout).toBe('x\0y\n');
    });

    it('takes files and gives them back', async () => {
      await machine.putText('/etc/xen/with space.cfg', 'name = "x"\n', 0o600);
      await machine.put(
        [
          { path: 'a/b', text: '1', mode: 0o755 },
          { path: 'c', text: '2' },
        ],
        '/srv/put',
      );

      const modes = await machine.run(
        `stat -c '%a %U %n' /etc '/etc/xen/with space.cfg' /srv/put/a/b /srv/put/c`,
      );

      expect((await machine.get('/etc/xen/with space.cfg')).toString()).toBe('name = "x"\n');
      expect(modes.stdout).toBe(
        '755 root /etc\n600 root /etc/xen/with space.cfg\n755 root /srv/put/a/b\n644 root /srv/put/c\n',
      );
    });

    it('forgets everything when a snapshot is loaded', async () => {
      await machine.run('lvcreate -y -L 64M -n gone vg0 && touch /root/gone /tmp/gone');

      await machine.loadSnapshot('clean');

      const left = await machine.run('ls /root/gone /tmp/gone /dev/vg0/gone 2>/dev/null', {
        check: 'return',
      });
      expect(left.stdout).toBe('');
    });

    it('has the time of day after a snapshot', async () => {
      const { stdout } = await machine.run('date +%s');

      expect(Math.abs(Number(stdout) - Date.now() / 1000)).toBeLessThan(20);
    });

    it('boots a PV guest, and shuts it down', async () => {
      const config = await makeGuest(machine, { name: 'web1' });

      await machine.run(['xl', 'create', config]);
      await guestUp(machine, { name: 'web1' });
      await machine.run('xl shutdown web1');
      await guestGone(machine, { name: 'web1', timeoutMs: 30_000 });

      expect((await machine.run('tail -n 20 /var/log/xen/console/guest-web1.log')).stdout).toContain(
        'guest web1 up',
      );
    });

    it('has the same fingerprint after something was made and taken away', async () => {
      const before = await fingerprint(machine);
      await machine.run(
        'lvcreate -y -L 64M -n web1 vg0 && mkfs.ext4 -q /dev/vg0/web1 && mount /dev/vg0/web1 /mnt',
      );
      const between = await fingerprint(machine);
      await machine.run('umount /mnt && lvremove -y vg0/web1');
      const after = await fingerprint(machine);

      expect(before.diff(after)).toBe('');
      const difference = before.diff(between);
      for (const section of [
        'logical volumes',
        'volume groups',
        'device mapper',
        'mounts',
        'content of block devices',
      ])
        expect(difference).toContain(`== ${section}`);
    });

    it('sees a guest, its disk and its config file in the fingerprint', async () => {
      const before = await fingerprint(machine);
      const config = await makeGuest(machine, { name: 'web2' });
      const made = await fingerprint(machine);
      await machine.run(['xl', 'create', config]);
      const running = await fingerprint(machine);

      expect(before.diff(made)).toContain('+ /etc/xen/web2.cfg f 644 0:0');
      expect(made.diff(running)).toMatch(/^\+ web2 [0-9a-f-]{36} memory=96 vcpus=1 alive$/m);
      expect(made.diff(running)).toMatch(/^\+ +"xvda" "\/dev\/vg0\/web2" "w"$/m);
      await machine.run('xl destroy web2');
      await guestGone(machine, { name: 'web2' });
      expect(made.diff(await fingerprint(machine))).toBe('');
    });
  });

  describe('a fault', () => {
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

      it('leaves other calls and, once it is off, every call alone', async () => {
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

    it('hits the nth matching call, as often as it was told', async () => {
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

      while ((await laid.hits()) === 0);
      expect(ended).toBe(false);
      await laid.release();

      expect((await call).exitCode).toBe(0);
    });

    it('kills the process that called the tool, and the tool does its work all the same', async () => {
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

  describe('a power cut', () => {
    beforeAll(async () => {
      await machine.loadSnapshot('clean');
    });

    it('keeps what was synced, and ends what was mounted, covered or under way', async () => {
      await machine.run(
        'lvcreate -y -L 64M -n kept vg0 && mkfs.ext4 -q /dev/vg0/kept && mount /dev/vg0/kept /mnt',
      );
      await machine.run('echo synced > /mnt/file && echo synced > /root/file && sync');
      await layFault(machine, { tool: 'lvs', mode: 'fail' });
      const underWay = machine.run('sleep 100');
      const cut = expect(underWay).rejects.toBeInstanceOf(RigError);

      await machine.powerCut();
      await cut;
      await expect(machine.run('true')).rejects.toThrow('the machine is off');
      await machine.boot();

      expect((await machine.run('cat /root/file; mountpoint -q /mnt || echo not mounted')).stdout).toBe(
        'synced\nnot mounted\n',
      );
      expect((await machine.run('mount /dev/vg0/kept /mnt && cat /mnt/file')).stdout).toBe('synced\n');
      expect((await machine.run('lvs --noheadings -o lv_name vg0')).stdout.trim()).toBe('kept');
    });

    it('leaves snapshots loadable', async () => {
      await machine.loadSnapshot('clean');

      expect((await machine.run('xl list; lvs vg0')).stdout).toMatch(/^Domain-0 /m);
    });
  });
});

describe.skipIf(!can.ok && !required)('a host without Xen', () => {
  it('runs beside another machine without either seeing the other', async () => {
    const machines = await Promise.all(
      ['alpha', 'beta'].map(async (name) => await bootMachine({ hypervisor: 'none', name })),
    );
    try {
      const names = await Promise.all(
        machines.map(
          async (one) =>
            (await one.run('hostname; touch /root/$(hostname); ls /root; vgs --noheadings -o vg_name'))
              .stdout,
        ),
      );

      expect(names.map((text) => text.split(/\s+/).filter(Boolean))).toEqual([
        ['alpha', 'alpha', 'vg0'],
        ['beta', 'beta', 'vg0'],
      ]);
    } finally {
      await Promise.all(
        machines.map(async (one) => {
          await one.close();
        }),
      );
    }
  });
});
