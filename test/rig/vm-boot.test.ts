import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { debianTar } from '../support/dom0/debian-root.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, layFault, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

const init = [
  ...['#!/bin/sh', 'mount -t proc proc /proc', 'mount -t sysfs sysfs /sys', 'mount -a'],
  'echo "kernel $(uname -r) has $(findmnt -rno FSTYPE,TARGET /srv/data)"',
  'exec sleep infinity',
];

// A small initramfs, no drivers of hardware and no systemd: the emulator is slow.
const small = [
  '--setup-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"; echo MODULES=list > "$1/etc/initramfs-tools/conf.d/small"; printf "xen-blkfront\\next4\\n" > "$1/etc/initramfs-tools/modules"',
  `--customize-hook=printf '%s\\n' ${init.map((line) => `'${line}'`).join(' ')} > "$1/usr/sbin/init"; chmod 755 "$1/usr/sbin/init"`,
  '--dpkgopt=force-confold',
  ...['drivers', 'sound', 'net'].map((folder) => `--dpkgopt=path-exclude=/lib/modules/*/kernel/${folder}/*`),
  '--dpkgopt=path-include=/lib/modules/*/kernel/drivers/block/*',
  ...['doc', 'locale', 'man'].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
];

describe.skipIf(!can.ok && !required)(
  'guests with their own kernel and data disks on a real Xen host',
  () => {
    let machine: Machine;
    beforeAll(async () => {
      if (!can.ok) throw new Error(can.reason);
      const packages = 'linux-image-amd64,initramfs-tools,kmod,mount';
      const tar = await debianTar({ packages, options: small });
      machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
      await installBofh(machine);
      await machine.put(tar, '/srv/debian.tar.gz');
    }, 900_000);
    afterAll(async () => {
      await machine.close();
    });

    const { bofh, text } = commandsOn(() => machine, { timeoutMs: 500_000 });
    const state = () =>
      text(
        'lvs --noheadings -o lv_name vg0; ls /etc/xen/*.cfg 2>/dev/null; ls /run/bofh/mnt 2>/dev/null; true',
      );
    const consoleOf = (name: string) =>
      text(`cat /var/log/xen/console/guest-${name}.log 2>/dev/null || true`);
    const says = (name: string, what: RegExp) =>
      until({
        what: `${name} says ${String(what)}`,
        timeoutMs: 500_000,
        everyMs: 3_000,
        probe: async () => (what.test(await consoleOf(name)) ? true : undefined),
      });

    it.each([
      ['pv', 'web1', /Linux version \S+.*\n[^]*Booting paravirtualized kernel on Xen/],
      ['pvh', 'web2', /Linux version \S+.*\n[^]*Booting paravirtualized kernel on Xen PVH/],
    ])(
      'a %s guest boots the kernel of its own root through GRUB',
      async (type, name, kernel) => {
        await bofh(
          `vm create ${name} --source tar:/srv/debian.tar.gz --size 600m --memory 256m --type ${type} --boot grub --disk data=16m,mount=/srv/data --start`,
        );

        await says(name, /kernel 6\.\S+ has ext4 \/srv\/data/);

        const log = await consoleOf(name);
        expect(log).toMatch(kernel);
        const uuid = await text(`blkid -p -s UUID -o value /dev/vg0/${name}-root`);
        expect(log).toContain(`root=UUID=${uuid} ro console=hvc0`);
        await bofh(`--yes vm remove ${name} --force-off`);
        expect(await state()).toBe('');
      },
      1_200_000,
    );
  },
);

describe.skipIf(!can.ok && !required)('a guest with data disks', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.run('mkdir -p /mnt; install --directory --mode=0700 /srv/backup');
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 240_000 });
  const create =
    'vm create web1 --source tar:/srv/guest.tar --size 64m --memory 96m --disk data=320m,fs=xfs,mount=/srv/data --disk log=32m';
  const state = () =>
    text(
      'lvs --noheadings -o lv_name vg0 | sort; ls /etc/xen/*.cfg 2>/dev/null; findmnt -rn -o TARGET | grep bofh; true',
    );
  const note = () => text('cat /mnt/srv/data/note');

  it('is undone if a filesystem cannot be made, or bofh is killed after it', async () => {
    // Old content that no part of the guest may have.
    await machine.run(
      'lvcreate -qq -L 360m -n old vg0 && yes old-secret | dd of=/dev/vg0/old bs=1M iflag=fullblock count=360 status=none; sync; lvremove -qq -y vg0/old',
      { timeoutMs: 240_000 },
    );
    const before = await state();
    const fault = await layFault(machine, { tool: 'mkfs.xfs', mode: 'act-then-fail', words: ['*web1-data'] });
    await bofh(create, 5);
    await fault.remove();
    expect(await state()).toBe(before);

    const kill = await layFault(machine, {
      ...{ tool: 'mkfs.xfs', mode: 'act-then-kill-caller', words: ['*web1-data'], times: 1 },
    });
    await machine.run(`bofh ${create}`, { check: 'return', timeoutMs: 240_000 });
    await kill.remove();
    await bofh('recover --yes');
    expect(await state()).toBe(before);
  }, 600_000);

  it('has no old data on them, and mounts them', async () => {
    await bofh(create);

    for (const disk of ['data', 'log'])
      expect(await text(`grep -c old-secret /dev/vg0/web1-${disk} || true`)).toBe('0');
    expect(await bofh('vm mount web1 /mnt')).toContain('/dev/vg0/web1-data on /mnt/srv/data');
    await machine.run('echo kept > /mnt/srv/data/note');
    await bofh('vm unmount web1');
  }, 600_000);

  it('is resized, renamed, cloned, saved and restored with them', async () => {
    await bofh('vm resize web1 data +64m');
    await bofh('vm rename web1 shop');
    await bofh('vm clone shop web2');
    await bofh('vm mount web2 /mnt');
    expect(await note()).toBe('kept');
    expect(await text('findmnt -no SIZE --bytes /mnt/srv/data | awk "{ print (\\$1 > 340000000) }"')).toBe(
      '1',
    );
    await bofh('vm unmount web2');
    await bofh('--yes vm remove web2');
    await bofh('vm backup shop /srv/backup');
    await bofh('--yes vm remove shop');
    expect(await state()).toBe('');
    await bofh('vm restore /srv/backup/shop.*.json --as web3');
    await bofh('vm mount web3 /mnt');
    expect(await note()).toBe('kept');
    await bofh('vm unmount web3');
    await bofh('--yes vm remove web3');
    expect(await state()).toBe('');
  }, 900_000);
});
