import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installBofh } from '../support/dom0/install.ts';
import { background } from '../support/matrix/stage.ts';
import { available, bootMachine, layFault, type Machine, until } from '../support/rig/index.ts';

// What changes its name, its volume group or its clock between a crash and the recovery, on a real kernel.

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

const [uuid, other] = ['5e1f0000-0000-4000-8000-00000000000c', '5e1f0000-0000-4000-8000-00000000000d'];

const waiting = (steps: string): string => `import { writeFileSync } from 'node:fs';
import { atomic } from 'bofh';
await atomic('own', async (tx) => {
  ${steps}
  writeFileSync('/run/gate', 'here');
  await new Promise(() => setInterval(() => {}, 1000));
});
`;

describe.skipIf(!can.ok && !required)('between a crash and the recovery', () => {
  let machine: Machine;

  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    // None of these disks has a serial number.
    const disks = [{ sizeMiB: 1024, volumeGroup: 'vg0' }, { sizeMiB: 64 }, { sizeMiB: 64 }];
    machine = await bootMachine({ hypervisor: 'none', disks });
    await installBofh(machine);
    await machine.run('mkdir -p /srv/own; sync');
    await machine.saveSnapshot('start');
  });
  beforeEach(async () => {
    await machine.loadSnapshot('start');
  });
  afterAll(async () => {
    await machine.close();
  });

  const text = async (command: string): Promise<string> => (await machine.run(command)).stdout.trim();
  const hash = async (device: string): Promise<string> =>
    text(`dd if=${device} iflag=direct bs=1M status=none | sha256sum`);
  const openJournals = async (): Promise<string> =>
    text('ls /var/lib/bofh/journal | grep -c "journal$" || true');

  async function bofh(command: string, ...codes: readonly number[]): Promise<string> {
    const { exitCode, stdout } = await machine.run(`bofh ${command} 2>&1`, {
      check: 'return',
      timeoutMs: 240_000,
    });
    expect(codes, stdout).toContain(exitCode);
    return stdout;
  }

  async function killedAfter(steps: string, kill?: () => Promise<void>): Promise<void> {
    await machine.putText('/root/own.ts', waiting(steps));
    await machine.run('rm -f /run/gate');
    const victim = await background({ machine }, 'bofh run /root/own.ts');
    await until({
      what: 'the script is at its gate',
      timeoutMs: 240_000,
      everyMs: 300,
      probe: async () => (await machine.run('cat /run/gate', { check: 'return' })).stdout.trim() || undefined,
    });
    await (kill === undefined ? machine.run(`kill -9 ${String(victim.pid)}`) : kill());
    await victim.ended;
  }

  /** Committed; what it is to destroy is still there. */
  async function committedAndOpen(device: string): Promise<void> {
    await machine.putText(
      '/root/own.ts',
      `import { atomic } from 'bofh';\nawait atomic('own', async (tx) => { await tx.block.zero({ device: '${device}', overwrite: ['${uuid}'] }); });\n`,
    );
    const fault = await layFault(machine, {
      tool: 'blkdiscard',
      words: ['--offset'],
      times: 9,
      mode: 'fail',
    });
    await bofh('run /root/own.ts', 0, 3);
    expect(await fault.hits()).toBeGreaterThan(0);
    await fault.remove();
    expect(await openJournals()).toBe('1');
    await machine.run('sync');
  }

  async function rebootSwapped(): Promise<void> {
    await machine.run('sync; sync /dev/vdb /dev/vdc /dev/vdd');
    await machine.powerCut();
    await machine.swapDisks(1, 2);
    await machine.boot();
  }

  const modules = async (): Promise<readonly string[]> =>
    (await text('cut --delimiter=" " --fields=1 /proc/modules | sort')).split('\n');

  it('kernel modules are unloaded with their dependencies', async () => {
    const before = await modules();
    await killedAfter(
      `await tx.kernel.loadModule({ name: 'br_netfilter' });
       await tx.kernel.loadModule({ name: 'dummy', parameters: { numdummies: 0 } });
       await tx.kernel.loadModule({ name: 'bonding', parameters: { max_bonds: 0 } });`,
    );
    expect(await modules()).toEqual(
      expect.arrayContaining(['bonding', 'br_netfilter', 'bridge', 'dummy', 'stp']),
    );
    await bofh('recover --yes', 0);
    expect(await modules()).toEqual(before);
  });

  it('a kernel module is unloaded with the network interfaces that it created itself', async () => {
    const before = await modules();
    await machine.putText(
      '/root/own.ts',
      `import { execFileSync } from 'node:child_process';
import { atomic } from 'bofh';
await atomic('own', async (tx) => {
  await tx.kernel.loadModule({ name: 'dummy', parameters: { numdummies: 2 } });
  console.log(execFileSync('ip', ['link', 'show', 'dummy1']).toString());
  throw new Error('on purpose');
});
`,
    );
    expect(await bofh('run /root/own.ts', 5)).toContain('dummy1');
    expect(await modules()).toEqual(before);
  });

  it.each([
    ['br_netfilter', 'br7', 'ip link add br7 type bridge'],
    ['dummy', 'dummy9', 'ip link add dummy9 type dummy'],
  ])('the kernel module %s stays when it is in use, and is named', async (name, by, use) => {
    await killedAfter(`await tx.kernel.loadModule({ name: '${name}' });`);
    await machine.run(use);
    // dummy itself creates dummy0.
    expect(await bofh('recover --yes', 0, 3)).toMatch(new RegExp(`perhaps by (?:dummy0, )?${by}`));
    expect(await modules()).toContain(name);
    expect(await text('ip --brief link show')).toContain(by);
    expect(await openJournals()).toBe('0');
  });

  it.each([
    ['nonesuch', 'the running kernel has no module nonesuch'],
    ['ext4', 'ext4 is loaded already'],
    ['amd_uncore', 'amd_uncore is built in'],
  ])('the kernel module %s is refused', async (name, message) => {
    await machine.putText(
      '/root/own.ts',
      `import { atomic } from 'bofh';\nawait atomic('own', (tx) => tx.kernel.loadModule({ name: '${name}' }));\n`,
    );
    expect(await bofh('run /root/own.ts', 1)).toContain(message);
  });

  it('two disks without a serial number swap their names: the other disk is not zeroed', async () => {
    await machine.run(`mkfs.ext4 -q -U ${uuid} /dev/vdc && mkfs.ext4 -q -U ${other} /dev/vdd`);
    await committedAndOpen('/dev/vdc');
    const theirs = await hash('/dev/vdd');
    await rebootSwapped();

    expect(await bofh('recover --boot < /dev/null', 0)).toContain('/dev/vdc has other content now');

    expect(await hash('/dev/vdc')).toBe(theirs);
    expect(await text('blkid -p -o value -s UUID /dev/vdd')).toBe(uuid);
  });

  it('a disk without a serial number and its clone swap their names: neither is zeroed', async () => {
    await machine.run(
      `mkfs.ext4 -q -U ${uuid} /dev/vdc && dd if=/dev/vdc of=/dev/vdd bs=1M conv=fsync status=none`,
    );
    await committedAndOpen('/dev/vdc');
    const theirs = await hash('/dev/vdd');
    await rebootSwapped();

    for (const recover of ['recover --boot < /dev/null', 'recover --yes'])
      expect(await bofh(recover, 3)).toContain('/dev/vdc and /dev/vdd hold the same data');

    expect([await hash('/dev/vdc'), await hash('/dev/vdd')]).toEqual([theirs, theirs]);
  });

  it('a new filesystem and a blank disk swap their names: it is not reported as undone before they swap back', async () => {
    await killedAfter(`await tx.filesystem.create({ device: '/dev/vdc', type: 'ext4', uuid: '${uuid}' });`);
    await rebootSwapped();

    for (const recover of ['recover --boot < /dev/null', 'recover --yes'])
      expect(await bofh(recover, 3)).toContain('is not on /dev/vdc but on /dev/vdd');

    await rebootSwapped();
    await bofh('recover --yes', 0);
    expect(await text('blkid -p /dev/vdc; blkid -p /dev/vdd; true')).toBe('');
  });

  it('a volume that vgsplit moved is not reported as gone; vgmerge lets recovery finish', async () => {
    await machine.run('vgcreate -q vg1 /dev/vdc /dev/vdd');
    await killedAfter(`await tx.lvm.createLv({ vg: 'vg1', name: 'own', size: '16m' });`);
    await machine.run('lvchange -an vg1/own && vgsplit vg1 vg2 /dev/vdc && udevadm settle');
    expect(await text('lvs --noheadings -o vg_name,lv_name -S lv_name=own')).toBe('vg2 own');

    expect(await bofh('recover --yes', 3)).toContain('in another volume group now: vg2/own');
    await machine.run('vgmerge -q vg1 vg2');
    await bofh('recover --yes', 0);

    expect(await text('lvs --noheadings -o lv_name vg1')).toBe('');
  });

  it('the kernel kills bofh because memory runs out', async () => {
    const group = '/sys/fs/cgroup/own';
    await machine.run(
      `mount -t cgroup2 none /sys/fs/cgroup && echo +memory > /sys/fs/cgroup/cgroup.subtree_control && mkdir ${group}`,
    );
    await killedAfter(
      `await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '16m' }); await tx.filesystem.create({ device: '/dev/vg0/own', type: 'ext4' });`,
      async () => {
        await machine.run(
          `for pid in $(pgrep -f /root/own.ts); do echo $pid > ${group}/cgroup.procs; done; echo 0 > ${group}/memory.swap.max 2>/dev/null; echo 1M > ${group}/memory.max; true`,
        );
      },
    );
    expect(Number(await text(`sed -n 's/^oom_kill //p' ${group}/memory.events`))).toBeGreaterThan(0);

    await bofh('recover', 0);

    expect(await text('lvs --noheadings -o lv_name vg0')).toBe('');
  });

  it('the clock is set back: by days before the recovery, and within a sequence', async () => {
    await killedAfter(`await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '16m' });`);
    await machine.run(`date -s '-3 days'`);
    await bofh('recover', 0);
    expect(await text('lvs --noheadings -o lv_name vg0')).toBe('');

    await machine.putText(
      '/root/own.ts',
      `import { execFileSync } from 'node:child_process';
import { atomic } from 'bofh';
await atomic('own', async (tx) => {
  await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '16m' });
  execFileSync('date', ['-s', '-400 days']);
  await tx.filesystem.create({ device: '/dev/vg0/own', type: 'ext4' });
  await tx.lvm.createLv({ vg: 'vg0', name: 'second', size: '16m' });
  if (process.env.FAIL === 'yes') throw new Error('it fails');
});
`,
    );
    expect((await machine.run('FAIL=yes bofh run /root/own.ts 2>&1', { check: 'return' })).exitCode).toBe(5);
    expect(await text('lvs --noheadings -o lv_name vg0')).toBe('');
    await bofh('run /root/own.ts', 0);
    expect(await text('blkid -o value -s TYPE /dev/vg0/own')).toBe('ext4');
    expect(await openJournals()).toBe('0');
  });

  it('a disk was removed and came back under another name', async () => {
    await machine.run('modprobe scsi_debug dev_size_mb=64 && udevadm settle');
    const first = await text('ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block');
    await machine.run(`mkfs.ext4 -q -U ${uuid} /dev/${first}`);
    await committedAndOpen(`/dev/${first}`);
    const host = await text(
      `readlink -f /sys/block/${first}/device | sed 's/.*host\\([0-9]*\\)\\/target.*/\\1/'`,
    );
    // The name stays taken while the old device is open, so it is opened before the delete.
    await machine.run(
      `exec 9< /dev/${first}; setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo 1 > /sys/block/${first}/device/delete; echo '- - -' > /sys/class/scsi_host/host${host}/scan; udevadm settle`,
    );
    const second = await text('ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block');
    expect(second).not.toBe(first);
    expect(await text(`blkid -p -o value -s UUID /dev/${second}`)).toBe(uuid);

    const said = await bofh('recover --yes', 0);

    expect(
      await text(`dd if=/dev/${second} iflag=direct bs=1M status=none | tr -d '\\0' | wc -c`),
      said,
    ).toBe('0');
  });

  it.each([
    ["lvm's backup is whole", 'true', 'pvck --repair --file /etc/lvm/backup/vg0 /dev/vdb'],
    [
      "lvm's backup is all zeros",
      'head -c 2873 /dev/zero > /etc/lvm/backup/vg0; rm /etc/lvm/archive/*',
      'pvck --dump metadata_search --settings metadata_offset=',
    ],
  ])('the newest metadata of the volume group is torn, and %s', async (_, spoil, remedy) => {
    await killedAfter(`await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '16m' });`);
    await machine.run(
      `at=$(pvck --dump headers /dev/vdb | sed -n 's/^ *metadata text at \\([0-9]*\\) .*/\\1/p')
       dd if=/dev/zero of=/dev/vdb bs=512 count=1 seek=$((at / 512)) oflag=direct conv=notrunc status=none
       ${spoil}; sync; sync /dev/vdb`,
    );
    await machine.powerCut();
    await machine.boot();

    const said = await bofh('recover --boot < /dev/null', 3);

    expect(said).toContain(remedy);
    expect(await bofh('lvm list', 70)).toContain(remedy);
    expect(await bofh('doctor', 6)).toContain(remedy);
    const commands = /pvck .*; vgchange -aay vg0; bofh recover/.exec(said)?.[0] ?? 'false';
    await machine.run(`yes | { ${commands.replaceAll('; ', ' && ')}; }`, { timeoutMs: 240_000 });
    expect(await text('lvs --noheadings -o lv_name vg0')).toBe('');
    expect(await openJournals()).toBe('0');
  });
});
