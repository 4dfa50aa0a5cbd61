import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  available,
  bootMachine,
  fingerprint,
  guestGone,
  guestUp,
  layFault,
  type Machine,
  makeGuest,
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

    it('returns the exit status of a command, and throws unless told not to', async () => {
      const kept = await machine.run('echo out; echo err >&2; exit 7', { check: 'return' });

      expect(kept).toEqual({ exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
      await expect(machine.run('exit 7')).rejects.toMatchObject({ exitCode: 7 });
      await expect(machine.run(['sh', '-c', 'exit 255'], { check: 'return' })).resolves.toMatchObject({
        exitCode: 255,
      });
    });

    it('passes arguments and input unchanged', async () => {
      const words = ['a b', `it's`, '$HOME', '*', '', 'ü'];

      const echoed = await machine.run(['printf', '%s\\n', ...words]);
      const piped = await machine.run('cat', { stdin: 'x\0y\n' });

      expect(echoed.stdout).toBe(words.map((word) => `${word}\n`).join(''));
      expect(piped.stdout).toBe('x\0y\n');
    });

    it('copies files there and back', async () => {
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

    it('forgets every change when a snapshot is loaded', async () => {
      await machine.run('lvcreate -y -L 64M -n gone vg0 && touch /root/gone /tmp/gone');

      await machine.loadSnapshot('clean');

      const left = await machine.run('ls /root/gone /tmp/gone /dev/vg0/gone 2>/dev/null', {
        check: 'return',
      });
      expect(left.stdout).toBe('');
    });

    it('has the correct time after a snapshot', async () => {
      const { stdout } = await machine.run('date +%s');

      expect(Math.abs(Number(stdout) - Date.now() / 1000)).toBeLessThan(20);
    });

    it('has the same fingerprint after an object was created and removed', async () => {
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

    it('boots a PV guest, shows its disk and configuration in the fingerprint, and shuts it down', async () => {
      const before = await fingerprint(machine);
      const config = await makeGuest(machine, { name: 'web1' });
      const made = await fingerprint(machine);
      await machine.run(['xl', 'create', config]);
      await guestUp(machine, { name: 'web1' });
      const running = await fingerprint(machine);
      await machine.run('xl shutdown web1');
      await guestGone(machine, { name: 'web1', timeoutMs: 30_000 });

      expect(before.diff(made)).toContain('+ /etc/xen/web1.cfg f 644 0:0');
      expect(made.diff(running)).toMatch(/^\+ web1 [0-9a-f-]{36} memory=96 vcpus=1 alive$/m);
      expect(made.diff(running)).toMatch(/^\+ +"xvda" "\/dev\/vg0\/web1" "w"$/m);
      expect(made.diff(await fingerprint(machine))).toBe('');
    });
  });

  describe('a power cut', () => {
    beforeAll(async () => {
      await machine.loadSnapshot('clean');
    });

    it('keeps synced data, and ends mounts, overlays and processes', async () => {
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

    it('keeps snapshots loadable', async () => {
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
