import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { btrfsPruned, cryptList, doctor as doctorAnswer } from '../../src/cli/output/answers/index.ts';
import { commandsOn } from '../support/dom0/commands.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('answers and advice on a real kernel', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'none', emptyDrive: true });
    await installBofh(machine);
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 300_000, textMs: 300_000 });
  const json = async (words: string): Promise<unknown> =>
    JSON.parse((await machine.run(`bofh --json --yes ${words} 2>/run/said`, { timeoutMs: 300_000 })).stdout);

  it('lists LUKS and the tree while a drive has no medium', async () => {
    await machine.run(`modprobe ahci && modprobe sr_mod && udevadm settle
      head -c 32 /dev/urandom > /root/key && lvcreate -qy -L 32M -n safe vg0
      cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /root/key /dev/vg0/safe && udevadm settle`);
    expect((await machine.run('head -c 1 /dev/sr0 2>&1', { check: 'return' })).stdout).toContain('No medium');

    expect(cryptList.parse(await json('crypt list'))).toMatchObject([{ device: '/dev/mapper/vg0-safe' }]);
    const tree = await bofh('block tree');
    expect(tree).toMatch(/vg0\/safe .*LUKS/);
    expect(tree).toMatch(/^sr0  0 B  disk, read-only, no medium$/m);
    expect(tree).not.toContain('? its content:');
    await machine.run('lvremove -qy vg0/safe && udevadm settle');
  });

  it('reports a classic snapshot that ran full, and the command of the report removes it', async () => {
    await machine.run(`lvcreate -qy -Wy -L 32M -n data vg0 && lvcreate -qy -s -L 4M -n old vg0/data
      dd if=/dev/urandom of=/dev/vg0/data bs=1M count=16 oflag=direct status=none`);
    const full = async () =>
      doctorAnswer
        .parse(JSON.parse((await machine.run('bofh doctor --json', { check: 'return' })).stdout))
        .filter(({ check, level }) => check === 'lvm' && level === 'problem');

    const [found, ...more] = await full();
    expect(found?.says).toMatch(/the snapshot vg0\/old of vg0\/data is invalid, because it was full/);
    expect(more).toEqual([]);
    for (const command of found?.run ?? []) await bofh(command.replace(/^bofh /, '--yes '));

    expect(await full()).toEqual([]);
    expect(await text('lvs --noheadings -o lv_name vg0')).toBe('data');
    await machine.run('lvremove -qy vg0/data && udevadm settle');
  });

  it('stops a send to a device when its pool is full, and the remedy makes room for it', async () => {
    await machine.run(`lvcreate -qy -Wy -L 256M -n source vg0 && mkfs.btrfs -q /dev/vg0/source
      mkdir -p /srv/source && mount /dev/vg0/source /srv/source && btrfs -q subvolume create /srv/source/home
      head -c 96M /dev/urandom > /srv/source/home/data && btrfs -q subvolume snapshot -r /srv/source/home /srv/source/s1
      lvcreate -qy --type thin-pool -L 64M --poolmetadatasize 4M -n pool vg0 && lvcreate -qy -V 256M --thinpool pool -n target vg0
      udevadm settle && sync`);
    const send = 'bofh --yes btrfs send /srv/source/s1 --to-device /dev/vg0/target 2>&1';

    const failed = await machine.run(send, { check: 'return', timeoutMs: 500_000 });

    expect([failed.exitCode, failed.stdout]).toEqual([
      5,
      expect.stringMatching(/the pool vg0\/pool is full[^]*next: /),
    ]);
    expect(await text('find /var/lib/bofh/journal -maxdepth 1 -name "*.journal"')).toBe('');
    const typed = /bofh (lvm pool resize vg0\/pool --size \+SIZE)/.exec(failed.stdout)?.[1] ?? failed.stdout;
    await bofh(typed.replace('SIZE', '96m'));
    await machine.run(send, { timeoutMs: 500_000 });

    await machine.run(`mkdir -p /srv/other && lvcreate -qy -Wy -L 256M -n other vg0 && mkfs.btrfs -q /dev/vg0/other
      mount /dev/vg0/other /srv/other`);
    await bofh('--yes btrfs receive /dev/vg0/target --into /srv/other');
    await machine.run('cmp /srv/source/home/data /srv/other/s1/data');
  });

  it('prunes received snapshots by their names, and names what a snapshot does not contain', async () => {
    await machine.run(`btrfs -q subvolume create /srv/source/small && head -c 1M /dev/urandom > /srv/source/small/data
      btrfs -q subvolume create /srv/source/small/inner && mkdir /srv/source/daily`);
    expect(await bofh('btrfs snapshot rotate /srv/source/small /srv/source/daily --label daily')).toMatch(
      /small\/inner/,
    );
    for (const day of ['03', '01', '02'])
      await machine.run(
        `btrfs -q subvolume snapshot -r /srv/source/small /srv/source/daily.202001${day}T000000Z`,
      );
    for (const day of ['03', '01', '02'])
      await bofh(`btrfs send /srv/source/daily.202001${day}T000000Z --to /srv/other`);

    const pruned = btrfsPruned.parse(
      await json('btrfs snapshot prune /srv/other --received --label daily --keep 1'),
    );

    expect(pruned.deleted.map(({ path }) => path).toSorted()).toEqual([
      '/srv/other/daily.20200101T000000Z',
      '/srv/other/daily.20200102T000000Z',
    ]);
    expect(pruned.stays).toEqual([]);
    expect(await text('ls /srv/other')).toBe('daily.20200103T000000Z\ns1');
    const own = await bofh(
      '--yes btrfs snapshot prune /srv/source --source /srv/source/small --label daily --keep 1',
    );
    expect(own.match(/stays: it was created at another time than its name says/g)).toHaveLength(3);
    await machine.run('umount /srv/source /srv/other');
  });
});
