import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, guestUp, layFault, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('the disks of a guest on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 240_000 });
  const size = async (lv: string) => Number(await text(`blockdev --getsize64 /dev/vg0/${lv}`)) / 1024 ** 2;
  const mounts = () => text('findmnt -rn -o SOURCE,TARGET | grep vg0 || true');

  it('include a data disk', async () => {
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m');
    await machine.run(
      'lvcreate -qq -L 16m -n web1-data vg0 && mkfs.ext4 -q -L data /dev/vg0/web1-data && sed -i \'s|^disk = \\[|disk = [ "/dev/vg0/web1-data,raw,xvdc,rw",|\' /etc/xen/web1.cfg && mkdir -p /mnt',
    );
    await bofh('vm mount web1 /mnt');
    await machine.run('mkdir -p /mnt/data && echo "LABEL=data /data ext4 noatime 0 2" >> /mnt/etc/fstab');
    expect(await bofh('vm unmount web1')).toMatch(/unmounted \/dev\/vg0\/web1-root from \/mnt/);
  });

  it('are mounted as one tree, and then the guest cannot be started', async () => {
    expect(await bofh('vm mount web1 /mnt')).toContain('/dev/vg0/web1-data on /mnt/data');
    await machine.run('echo from-outside > /mnt/data/note');

    expect(await bofh('vm start web1', 1)).toMatch(/web1-root is in use: mounted on \/mnt/);
    expect(await bofh('xen start-all', 6)).toMatch(/web1-root is in use: mounted on \/mnt/);
    expect(await bofh('vm mount web1')).toContain('nothing to do');

    await bofh('vm unmount web1');
    expect(await mounts()).toBe('');
    expect(await bofh('vm unmount web1')).toContain('nothing to do');
  });

  it('are unchanged if one of them cannot be mounted, or bofh is killed', async () => {
    const fault = await layFault(machine, { tool: 'mount', mode: 'fail', words: ['/mnt/data'] });
    await bofh('vm mount web1 /mnt', 5);
    await fault.remove();
    expect(await mounts()).toBe('');

    await killedAt(machine, 'vm mount web1 /mnt', { tool: 'mount', words: ['/mnt/data'] });
    expect(await mounts()).not.toBe('');
    await bofh('recover --yes');
    expect(await mounts()).toBe('');
  });

  it('are visible to a command, and to no other process', async () => {
    const said = await bofh(
      `vm chroot web1 -- /bin/sh -c 'cat /data/note; echo inside > /data/note; exit 3'; echo "ended $?"; findmnt -rn -o SOURCE | grep vg0; true`,
    );

    expect(said).toBe('from-outside\nended 3\n');
  });

  it('block the start of the guest while a command runs, and are free after it was killed', async () => {
    await machine.run(
      'setsid bofh vm chroot web1 -- /bin/sh -c "echo busy > /data/note; sleep 200" > /dev/null 2>&1 < /dev/null & echo $! > /run/chroot.pid; for i in $(seq 100); do [ -e /sys/fs/ext4/dm-0 ] && ls /sys/fs/ext4 | grep -q dm- && break; sleep 0.2; done; sleep 5',
      { timeoutMs: 120_000 },
    );

    expect(await bofh('vm start web1', 4)).toMatch(/vg0\/web1-\w+ is in use by another bofh/);
    await machine.run(
      'kill -9 $(cat /run/chroot.pid); for i in $(seq 100); do ls /sys/fs/ext4 | grep -q dm- || break; sleep 0.2; done',
    );
    expect(await text('ls /sys/fs/ext4 | grep dm- || true')).toBe('');
    await machine.run('e2fsck -p /dev/vg0/web1-root; e2fsck -p /dev/vg0/web1-data', { check: 'return' });
  });

  it('are resized with their filesystems while the guest is off', async () => {
    expect(await bofh('vm resize web1 root +16m')).toMatch(/web1-root: 64 MiB → 80 MiB\n.*ext4/);
    expect(await size('web1-root')).toBe(80);
    expect(await bofh('vm resize web1 xvdc min')).toMatch(/web1-data: 16 MiB/);
    expect(await bofh('vm resize web1 xvdc 16m')).toMatch(/web1-data/);
  });

  it('grow under the running guest, which gets the new size', async () => {
    await bofh('vm start web1');
    await guestUp(machine, { name: 'web1' });
    expect(await bofh('vm mount web1', 1)).toMatch(/bofh vm stop web1; then run the command again/);
    expect(await bofh('vm chroot web1 -- true', 1)).toMatch(/bofh vm stop web1/);
    expect(await bofh('vm resize web1 root min', 1)).toMatch(/can only grow/);

    expect(await bofh('vm resize web1 root +8m')).toContain('the filesystem on xvda did not grow');

    expect(await size('web1-root')).toBe(88);
    expect(await text('dumpe2fs -h /dev/vg0/web1-root 2>/dev/null | grep "^Block count"')).toMatch(
      /81920|20480/,
    );
    await bofh('vm stop web1 --force');
    expect(await bofh('vm resize web1 root 88m')).toMatch(/ext4 .*80 MiB → 88 MiB|nothing to do/);
  });

  it('are removed with it', async () => {
    await bofh('--yes vm remove web1');
    expect(await text('lvs --noheadings vg0')).toBe('');
    expect(await text('ls /var/lib/bofh/journal | grep -c journal$ || true')).toBe('0');
  });

  // A disk of a distribution: /boot on a filesystem of its own, the root on an xfs or in a subvolume of a btrfs.
  it.each([
    ['xfs', 'mkfs.xfs -q', 'mount $root /mnt', 'defaults'],
    [
      'btrfs',
      'mkfs.btrfs -q',
      'mount $root /mnt; btrfs -q subvolume create /mnt/@; umount /mnt; mount -o subvol=@ $root /mnt',
      'subvol=@',
    ],
  ])(
    'can be the files of an image with a root on %s; a kill in between changes nothing',
    async (fs, mkfs, mount, options) => {
      const before = await text(
        'lvs --noheadings -o lv_name vg0; losetup --list --noheadings; ls /run/bofh/mnt 2>/dev/null || true',
      );
      await machine.run(
        `set -e; mkdir -p /mnt; truncate --size 450M /srv/${fs}.img
        printf '%s\\n' 'label: gpt' 'start=2048, size=131072, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4' \\
          'type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709' | sfdisk --quiet /srv/${fs}.img
        loop=$(losetup --find --show --partscan /srv/${fs}.img); root=\${loop}p2
        mkfs.ext4 -q -L BOOT \${loop}p1; ${mkfs} $root; ${mount}
        tar -x --numeric-owner -f /srv/guest.tar -C /mnt; mkdir -p /mnt/boot; mount \${loop}p1 /mnt/boot
        echo kernel >/mnt/boot/vmlinuz-6.1
        echo "UUID=$(blkid -s UUID -o value $root) / ${fs} ${options} 0 0" >/mnt/etc/fstab
        echo "LABEL=BOOT /boot ext4 defaults 0 2" >>/mnt/etc/fstab
        umount /mnt/boot /mnt; losetup --detach $loop; sync`,
        { timeoutMs: 240_000 },
      );
      const create = `vm create web9 --source image:/srv/${fs}.img --size 96m --memory 96m --start`;

      await killedAt(machine, create, { tool: 'umount', words: ['*/boot'] });
      expect(await text('lvs --noheadings -o lv_name vg0')).toContain('web9-image-2');
      await bofh('recover --yes');
      expect(
        await text(
          'lvs --noheadings -o lv_name vg0; losetup --list --noheadings; ls /run/bofh/mnt 2>/dev/null || true',
        ),
      ).toBe(before);

      expect(await bofh(create)).toContain('its root has the files of /boot');
      await guestUp(machine, { name: 'web9' });
      expect(await text('lvs --noheadings -o lv_name vg0')).not.toContain('image');
      await bofh('--yes vm remove web9 --force-off');
      await machine.run(`rm /srv/${fs}.img`);
    },
    1_800_000,
  );
});
