import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { debianTar } from '../support/dom0/debian-root.ts';
import { installBofh } from '../support/dom0/install.ts';
import { mustRun } from '../support/rig/process.ts';
import { available, bootMachine, type Machine, until } from '../support/rig/index.ts';

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

/** A disk as cloud images have it, in qcow2: BIOS boot, an EFI system partition, and the root. */
async function cloudImage(tar: string, at: string): Promise<string> {
  const [root, raw, packed] = ['root', 'disk.raw', 'disk.qcow2'].map((name) => join(at, name));
  const sh = (script: string) => mustRun({ argv: ['sh', '-ec', script], timeoutMs: 300_000 });
  await sh(`mkdir ${root}; tar --extract --gzip --numeric-owner --file ${tar} --directory ${root}
    printf '%s\\n' 'PARTUUID=0f5d0cd1-0b5c-4a43-9a3f-0d2f1c6ad0e1 / ext4 defaults 0 1' 'UUID=ABCD-1234 /boot/efi vfat umask=0077 0 1' >${root}/etc/fstab
    truncate --size 560M ${raw}
    printf '%s\\n' 'label: gpt' 'start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649' 'size=16384, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B' \\
      'type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=0f5d0cd1-0b5c-4a43-9a3f-0d2f1c6ad0e1' | sfdisk --quiet ${raw}
    mkfs.ext4 -q -F -d ${root} -E offset=$((24576 * 512)) ${raw} 540M
    qemu-img convert -c -f raw -O qcow2 ${raw} ${packed}; rm -rf ${root} ${raw}`);
  return packed ?? '';
}

describe.skipIf(!can.ok && !required)('guests with their own kernel on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    const packages = 'linux-image-amd64,initramfs-tools,kmod,mount';
    const tar = await debianTar({ packages, options: small });
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.put(tar, '/srv/debian.tar.gz');
    const at = await mkdtemp('/var/tmp/bofh-cloud-');
    try {
      await machine.put(await cloudImage(tar, at), '/srv/cloud.qcow2');
    } finally {
      await rm(at, { recursive: true });
    }
    // As `vm base create` leaves it; here there is no mirror.
    await machine.run(
      'mkdir /var/cache/bofh-bases; ln /srv/debian.tar.gz /var/cache/bofh-bases/debian-bookworm-amd64-2026-11-26.tar',
    );
  }, 900_000);
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 500_000 });
  const state = () =>
    text(
      'lvs --noheadings -o lv_name vg0; ls /etc/xen/*.cfg 2>/dev/null; ls /run/bofh/mnt 2>/dev/null; true',
    );
  const consoleOf = (name: string) => text(`cat /var/log/xen/console/guest-${name}.log 2>/dev/null || true`);
  const says = (name: string, what: RegExp) =>
    until({
      what: `${name} says ${String(what)}`,
      timeoutMs: 500_000,
      everyMs: 3_000,
      probe: async () => (what.test(await consoleOf(name)) ? true : undefined),
    });

  it.each([
    ['pv', 'web1', 'debian:bookworm', /Booting kernel on Xen\s*$/m],
    [
      'pvh',
      'web2',
      'tar:/srv/debian.tar.gz --boot grub',
      /Booting (?:paravirtualized )?kernel on Xen PVH\s*$/m,
    ],
    ['pv', 'web3', 'image:/srv/cloud.qcow2 --boot grub', /Booting kernel on Xen\s*$/m],
  ])(
    'a %s guest, %s, boots the kernel of its own root through GRUB: %s',
    async (type, name, source, kernel) => {
      await bofh(
        `vm create ${name} --source ${source} --size 600m --memory 256m --type ${type} --disk data=16m,mount=/srv/data --start`,
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
});
