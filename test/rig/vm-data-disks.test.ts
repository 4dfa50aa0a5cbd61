import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, layFault, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a guest with data disks on a real Xen host', () => {
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

  it('is undone if a filesystem cannot be created, or bofh is killed after that', async () => {
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

    await killedAt(machine, create, { tool: 'mkfs.xfs', words: ['*web1-data'] });
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
    expect(await text('findmnt -no SIZE --bytes /mnt/srv/data | awk "{ print (\\$1 > 300000000) }"')).toBe(
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

  it('gets another disk, loses it, and gets it again; a kill in between changes nothing', async () => {
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --memory 96m --start');
    const added = 'vm disk create web1 data --size 32m';
    const config = () => text('cat /etc/xen/web1.cfg');
    const seen = () => text("xl block-list web1 | awk 'NR > 1 { print $1 }' | sort -n | xargs");
    const [before, was] = [await config(), await state()];
    for (const act of [
      { tool: 'mkfs.ext4', words: ['*web1-data'] },
      { tool: 'xl', words: ['block-attach'] },
    ]) {
      await killedAt(machine, added, act);
      await bofh('recover --yes');
      expect([await config(), await state(), await seen()]).toEqual([before, was, '51712']);
    }

    expect(await bofh(added)).toMatch(/xvdb of web1 is \/dev\/vg0\/web1-data[^]*UUID=/);
    expect(await seen()).toBe('51712 51728');
    // The kernel of the guest has taken it.
    await text('until grep -qx Connected /sys/bus/xen-backend/devices/vbd-*-51728/state; do sleep 0.5; done');
    await bofh('vm disk detach web1 data --now');
    expect([await config(), await seen()]).toEqual([before, '51712']);
    await bofh('vm disk attach web1 /dev/vg0/web1-data');
    expect(await seen()).toBe('51712 51728');
    await bofh('vm restart web1 --force');
    expect(await seen()).toBe('51712 51728');

    expect(await bofh('--yes vm disk remove web1 data', 1)).toContain('bofh vm stop web1');
    await bofh('vm stop web1 --force');
    await bofh('vm disk detach web1 data');
    expect(await config()).toBe(before);
    expect(await bofh('vm disk attach web1 /dev/vg0/web1-data')).toContain('xvdb of web1');
    await bofh('--yes vm disk remove web1 data');
    expect([await config(), await state()]).toEqual([before, was]);
    await bofh('--yes vm remove web1');
    expect(await state()).toBe('');
  }, 1_800_000);

  it('mounts a disk that is added while it is off, until it is removed; a kill in between changes nothing in it', async () => {
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --memory 96m');
    const all = async () => [
      await state(),
      await text('cat /etc/xen/web1.cfg; debugfs -R "cat /etc/fstab" /dev/vg0/web1-root 2>/dev/null'),
    ];
    const before = await all();
    const added = 'vm disk create web1 data --size 32m --mount /srv/data';

    await killedAt(machine, added, { tool: 'umount', words: ['*/mnt/*'] });
    expect(await all()).not.toEqual(before);
    await bofh('recover --yes');
    expect(await all()).toEqual(before);

    expect(await bofh(added)).toContain('the guest mounts it on /srv/data');
    expect(await bofh('vm mount web1 /mnt')).toContain('/dev/vg0/web1-data on /mnt/srv/data');
    await bofh('vm unmount web1');

    const removed = '--yes vm disk remove web1 data';
    const mounting = await all();
    await killedAt(machine, removed, { tool: 'umount', words: ['*/mnt/*'] });
    expect(await all()).not.toEqual(mounting);
    await bofh('recover --yes');
    expect(await all()).toEqual(mounting);
    expect(await bofh(removed)).toMatch(/also from its \/etc\/fstab: UUID=\S+ \/srv\/data ext4/);
    expect(await all()).toEqual(before);

    await bofh('--yes vm remove web1');
    expect(await state()).toBe('');
  }, 1_800_000);
});
