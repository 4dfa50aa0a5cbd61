import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a guest that was made by hand, on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 300_000 });
  const up = (name: string) =>
    until({
      what: `${name} is up`,
      timeoutMs: 120_000,
      everyMs: 1000,
      probe: async () =>
        (await text(`cat /var/log/xen/console/guest-${name}.log 2>/dev/null || true`)).includes(
          `guest ${name} up`,
        )
          ? true
          : undefined,
    });

  it('is listed and shown while it runs, and stopped', async () => {
    // As xen-create-image names its volumes and writes its configuration.
    await text(`lvcreate --quiet --yes --name hand-disk --size 64m vg0
mkfs.ext4 -q /dev/vg0/hand-disk; mount /dev/vg0/hand-disk /mnt; tar -C /mnt -xf /srv/guest.tar
echo hand >/mnt/etc/hostname; umount /mnt
cat >/etc/xen/hand.cfg <<'CONFIG'
#  Made by hand; bofh keeps this line.
kernel      = '/boot/guest-vmlinuz'
ramdisk     = '/boot/guest-initrd'
vcpus       = '1'
memory      = '96'
root        = '/dev/xvda2 rw'
extra       = 'console=hvc0 panic=-1 quiet'
disk        = [
                  'phy:/dev/vg0/hand-disk,xvda2,w',
              ]
name        = 'hand'
on_poweroff = 'destroy'
CONFIG
xl create -q /etc/xen/hand.cfg`);
    await up('hand');
    expect(await bofh('vm list')).toMatch(/^hand +running /m);
    expect(await bofh('vm show hand')).toContain('/dev/vg0/hand-disk');
    await bofh('vm stop hand --time 4m --force');
    expect(await bofh('vm list')).toMatch(/^hand +off /m);
  }, 600_000);

  it('is changed, renamed with its volume, and cloned; its comments stay', async () => {
    await bofh('vm set hand memory=112m');
    await bofh('vm rename hand shop');
    // It was powered off: as the refusal says, its filesystem is checked first.
    expect(await bofh('vm clone shop stall', 1)).toContain(
      'bofh filesystem check /dev/vg0/shop-disk --repair',
    );
    await bofh('--yes filesystem check /dev/vg0/shop-disk --repair');
    await bofh('vm clone shop stall');
    const config = await text('cat /etc/xen/shop.cfg');
    for (const line of ['#  Made by hand; bofh keeps this line.', "'phy:/dev/vg0/shop-disk,xvda2,w'"])
      expect(config).toContain(line);
    expect(config).toMatch(/^memory += /m);
    expect(await text('lvs --noheadings -o lv_name vg0 | sort | tr -d " "')).toBe('shop-disk\nstall-disk');
    await bofh('vm start stall');
    await up('stall');
  }, 900_000);

  it('leaves nothing behind when it and its clone are removed', async () => {
    await bofh('--yes vm remove stall --force-off');
    await bofh('--yes vm remove shop');
    expect(await text('lvs --noheadings vg0; ls /etc/xen/*.cfg 2>/dev/null; ls -A /var/lib/bofh/files')).toBe(
      '',
    );
  }, 600_000);
});
