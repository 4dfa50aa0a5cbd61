import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, layFault, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a guest with an encrypted data disk on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.run(
      'mkdir -p /mnt /side; install --directory --mode=0700 /srv/backup; umask 077; printf "tiger-secret\\n" > /root/data.key; printf wrong > /root/wrong.key; sync',
    );
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 600_000 });
  const device = '/dev/vg0/web1-data';
  const create =
    'vm create web1 --source tar:/srv/guest.tar --size 64m --memory 96m --disk data=64m,mount=/srv/data,luks=/root/data.key';
  const mount = 'vm mount web1 /mnt --key-file data=/root/data.key';
  const open = () => text('dmsetup ls --target crypt | grep -v "No devices" | cut -f 1; true');
  const state = async () => [
    await text('lvs --noheadings -o lv_name vg0 | sort; ls /etc/xen/*.cfg 2>/dev/null; true'),
    await text('findmnt -rn -o TARGET | grep -e bofh -e /mnt; true'),
    await open(),
  ];
  const table = (guest: string, file: string) =>
    text(`debugfs -R "cat /etc/${file}" /dev/vg0/${guest}-root 2>/dev/null`);

  it('is undone if a step fails, or bofh is killed while its disk is open, or after that', async () => {
    const before = await state();
    const fault = await layFault(machine, { tool: 'mkfs.ext4', mode: 'act-then-fail', words: ['*mapper*'] });
    await bofh(create, 5);
    await fault.remove();
    expect(await state()).toEqual(before);

    for (const act of [
      { tool: 'cryptsetup', words: ['luksFormat'] },
      { tool: 'mkfs.ext4', words: ['*mapper*'] },
      { tool: 'cryptsetup', words: ['close'] },
    ]) {
      await killedAt(machine, create, act);
      await bofh('recover --yes');
      expect(await state()).toEqual(before);
    }
  }, 1_800_000);

  it('has LUKS2 on its disk with the filesystem inside, and the lines that open it', async () => {
    expect(await bofh(create)).toContain(`data disk data: ${device} (LUKS, ext4) on /srv/data`);

    expect(await open()).toBe('');
    const uuid = await text(`blkid -p -o value -s UUID ${device}`);
    expect(await text(`blkid -p -o value -s TYPE -s VERSION ${device}`)).toBe('2\ncrypto_LUKS');
    expect(await table('web1', 'crypttab')).toBe(`data UUID=${uuid} none luks,nofail`);
    expect((await table('web1', 'fstab')).split('\n').at(-1)).toBe(
      '/dev/mapper/data /srv/data ext4 defaults,nofail 0 2',
    );
    // A quarter of the memory of the guest at most, in KiB.
    expect(
      Number(await text(`cryptsetup luksDump ${device} | sed -n "s/.*Memory: *//p"`)),
    ).toBeLessThanOrEqual(24 * 1024);
    expect(
      await text(
        `cryptsetup open --key-file /root/data.key ${device} side && mount /dev/mapper/side /side && findmnt -no FSTYPE /side; umount /side; cryptsetup close side`,
      ),
    ).toBe('ext4');
    expect(await text('grep -rl tiger-secret /var/lib/bofh /var/log 2>/dev/null; true')).toBe('');
  }, 1_800_000);

  it('is mounted with its key only, and starts only while nothing is open', async () => {
    const before = await state();
    expect(await bofh('vm mount web1 /mnt --key-file data=/root/wrong.key', 5)).toContain('No key available');
    expect(await state()).toEqual(before);
    expect(await bofh('vm mount web1 /mnt')).toContain('--key-file data=FILE');
    await bofh('vm unmount web1');

    expect(await bofh(mount)).toContain(`${device} on /mnt/srv/data`);
    await machine.run('echo kept > /mnt/srv/data/note');
    expect(await bofh('vm start web1', 1)).toContain('web1-data is in use');
    expect(await bofh('vm unmount web1')).toContain(`the LUKS device on ${device}`);
    expect(await state()).toEqual(before);
    await machine.run(`cryptsetup open --key-file /root/data.key ${device} side`);
    expect(await bofh('vm start web1', 1)).toContain('side');
    await bofh('vm unmount web1');
    expect(await open()).toBe('');
    await bofh('vm start web1');
    await bofh('vm stop web1 --force');
    await machine.run('e2fsck -p /dev/vg0/web1-root || [ $? = 1 ]');
  }, 1_800_000);

  it('is mounted with the key in its own root', async () => {
    await bofh('vm mount web1 /mnt');
    await machine.run(
      'mkdir -m 0700 /mnt/etc/cryptsetup-keys.d; cp /root/data.key /mnt/etc/cryptsetup-keys.d/',
    );
    await bofh('vm unmount web1');
    await bofh('vm mount web1 /mnt');
    expect(await text('cat /mnt/srv/data/note')).toBe('kept');
    await bofh('vm unmount web1');
    expect(await open()).toBe('');
  }, 1_800_000);

  it('is cloned, renamed, saved and restored with it', async () => {
    await bofh('vm clone web1 web2');
    expect(await table('web2', 'crypttab')).toBe(await table('web1', 'crypttab'));
    // Both have the same UUID.
    await bofh('vm mount web2 /mnt --key-file data=/root/data.key');
    expect(await text('cat /mnt/srv/data/note; findmnt -no SOURCE /mnt/srv/data')).toMatch(/^kept\n.*web2/);
    await bofh('vm unmount web2');
    await bofh('--yes vm remove web2');
    await bofh('vm rename web1 shop');
    await bofh('vm backup shop /srv/backup');
    await bofh('--yes vm remove shop');
    await bofh('vm restore /srv/backup/shop.*.json --as web1');
    await bofh(mount);
    expect(await text('cat /mnt/srv/data/note')).toBe('kept');
    await bofh('vm unmount web1');
  }, 2_400_000);

  it('loses the disk with the lines that open it, and gets another one', async () => {
    expect(await bofh('--yes vm disk remove web1 data')).toMatch(
      /from its \/etc\/fstab: \/dev\/mapper\/data .*from its \/etc\/crypttab: data UUID=/,
    );
    expect(await table('web1', 'crypttab')).toBe('');
    const added = 'vm disk create web1 log --size 64m --mount /log --luks /root/data.key';
    const before = await state();
    await killedAt(machine, added, { tool: 'umount', words: ['*/mnt/*'] });
    await bofh('recover --yes');
    expect(await state()).toEqual(before);
    await bofh(added);
    expect(await bofh('vm mount web1 /mnt --key-file log=/root/data.key')).toContain('on /mnt/log');
    await bofh('vm unmount web1');
    await bofh('--yes vm remove web1');
    expect(await state()).toEqual(['', '', '']);
  }, 2_400_000);
});
