import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { commandLine } from '../../src/command/index.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, guestConfig, guestUp, type Machine } from '../support/rig/index.ts';

// A change that creates a volume, lets a process use it, and then fails: its undo meets the holder.
const change = `import { execFileSync } from 'node:child_process';
import { atomic } from 'bofh';

try {
  await atomic('a change', async (tx) => {
    await tx.lvm.createLv({ vg: 'vg0', name: 'held', size: '64m' });
    execFileSync('sh', ['-ec', process.env.STAGE ?? ''], { stdio: 'ignore' });
    throw new Error('something else failed');
  });
} catch (error) {
  console.log(JSON.stringify({ id: error.id, holders: error.holders, blocked: error.blocked }));
  throw error;
}
`;

const removal = `import { lvm } from 'bofh';

await lvm.removeLv({ vg: 'vg0', name: 'lower' });
`;

const holder = z.looseObject({
  kind: z.string(),
  words: z.string(),
  free: z.optional(z.array(z.string())),
});
const said = z.looseObject({
  id: z.string(),
  holders: z.array(holder),
  blocked: z.array(z.looseObject({ why: z.string() })),
});
type Said = z.infer<typeof said>;

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';
const at = '/dev/vg0/held';

describe.skipIf(!can.ok && !required)("'Logical volume in use' at an undo", () => {
  let machine: Machine;

  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', init: 'systemd' });
    await installBofh(machine);
    await machine.putText('/root/change.ts', change);
    await machine.putText('/root/removal.ts', removal);
    await machine.saveSnapshot('start');
  });
  // What a test that failed has left is not to fail those after it.
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await machine.loadSnapshot('start');
  });
  afterAll(async () => {
    await machine.close();
  });

  /** What the change says when its undo is stuck. */
  async function stuckBy(stage: string): Promise<Said> {
    await machine.putText('/root/stage.sh', stage);
    const { exitCode, stdout, stderr } = await machine.run(
      'STAGE="$(cat /root/stage.sh)" bofh run /root/change.ts',
      { check: 'return' },
    );
    if (exitCode !== 3) throw new Error(`exit ${exitCode}: ${stdout}${stderr}`);
    const answer = said.parse(JSON.parse(stdout.split('\n').find((line) => line.startsWith('{')) ?? ''));
    // Who holds it is also in the text, for people.
    for (const { words } of answer.holders) expect(stderr).toContain(words);
    return answer;
  }

  /** Runs what the error says, in its order; then recovery must succeed, and leave nothing. */
  async function freed({ id, holders }: Said): Promise<readonly string[]> {
    const lines: string[] = [];
    for (const { free } of holders) {
      const [tool, ...argv] = free ?? [];
      if (tool === undefined) continue;
      lines.push(commandLine({ tool, argv }));
      await machine.run([tool, ...argv], { stdin: 'y\n' });
    }
    const { exitCode, stderr } = await machine.run(`bofh --yes recover ${id}`, { check: 'return' });
    // What the change has written into the volume is kept until it is named.
    if (exitCode !== 0) expect(stderr).toContain(`bofh recover ${id} --discard lv:vg0/held`);
    if (exitCode !== 0) await machine.run(`bofh --yes recover ${id} --discard lv:vg0/held`);
    expect((await machine.run('lvs --noheadings -o lv_name vg0')).stdout.trim()).toBe('');
    return lines;
  }

  it('names the process that has the volume open', async () => {
    const stuck = await stuckBy(`sleep 1000 < ${at} > /dev/null 2>&1 & sleep 0.5`);

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'process', command: 'sleep' })]);
    expect(await freed(stuck)).toEqual([expect.stringMatching(/^kill \d+$/)]);
  });

  it('names the mapping on it, and first its mounts', async () => {
    const stuck = await stuckBy(
      `dmsetup create upper --table "0 131072 linear ${at} 0"; mkfs.ext4 -q /dev/mapper/upper; mount /dev/mapper/upper /mnt`,
    );

    expect(await freed(stuck)).toEqual(['umount /mnt', 'dmsetup remove upper']);
  });

  it('names the swap on it', async () => {
    const stuck = await stuckBy(`mkswap ${at}; swapon ${at}`);

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'swap' })]);
    expect(await freed(stuck)).toEqual([expect.stringMatching(/^swapoff \/dev\//)]);
  });

  it('names its snapshot', async () => {
    const stuck = await stuckBy('lvcreate -s -n snap -L 16M vg0/held');

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'volume', volume: 'vg0/snap' })]);
    expect(await freed(stuck)).toEqual(['lvremove vg0/snap']);
  });

  it('names the thin volume whose origin it is', async () => {
    const stuck = await stuckBy(
      'lvcreate -L 32M --thinpool pool vg0; lvchange -an vg0/held; lvchange -pr vg0/held; lvcreate -s --thinpool vg0/pool -n thin vg0/held',
    );

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'volume', volume: 'vg0/thin' })]);
    await machine.run('echo y | lvremove vg0/thin && echo y | lvremove vg0/pool');
    expect(await freed({ ...stuck, holders: [] })).toEqual([]);
  });

  it('names the array that contains it', async () => {
    const stuck = await stuckBy(
      `mdadm --create /dev/md7 --run --level=1 --raid-devices=2 ${at} missing < /dev/null`,
    );

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'array', name: 'md7' })]);
    expect(await freed(stuck)).toEqual(['mdadm --stop /dev/md7']);
  });

  it('names the DRBD resource above it, and first the mounts of that', async () => {
    await machine.putText('/etc/drbd.d/r0.res', resource((await machine.run('hostname')).stdout.trim()));
    const stuck = await stuckBy(
      'modprobe drbd; drbdadm create-md --force r0; drbdadm up r0; drbdadm primary --force r0; mkfs.ext4 -q /dev/drbd0; mount /dev/drbd0 /mnt',
    );

    expect(await freed(stuck)).toEqual(['umount /mnt', 'drbdsetup down r0']);
  });

  it('names the guest whose disk it is, with name and domain ID', async () => {
    await machine.putText('/root/guest.cfg', guestConfig({ name: 'tenant', lv: at }));
    const stuck = await stuckBy(
      `mkfs.ext4 -q ${at}; mount ${at} /mnt; tar -x -f /srv/guest.tar -C /mnt; echo tenant > /mnt/etc/hostname; umount /mnt; xl create /root/guest.cfg`,
    );

    expect(stuck.holders).toEqual([
      expect.objectContaining({
        kind: 'guest',
        name: 'tenant',
        words: expect.stringMatching(/^a disk of the guest tenant \(domid \d+\)$/) as unknown,
      }),
    ]);
    // A guest hears the request only once it is up.
    await guestUp(machine, { name: 'tenant' });
    expect(await freed(stuck)).toEqual([expect.stringMatching(/^xl shutdown -w \d+$/)]);
  });

  it('names the SCSI target that serves it to other hosts', async () => {
    const target = '/sys/kernel/config/target/core/iblock_0/web1';
    const stuck = await stuckBy(
      `modprobe target_core_iblock; mkdir -p ${target}; echo udev_path=${at} > ${target}/control
      echo ${at} > ${target}/udev_path; echo 1 > ${target}/enable`,
    );

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'target', name: 'web1' })]);
    expect(stuck.holders[0]?.free).toEqual(['targetcli', '/backstores/block', 'delete', 'web1']);
    expect((await machine.run('bofh block tree')).stdout).toContain('served to other hosts as web1');
    // What targetcli does; it is not installed here.
    await machine.run(`rmdir ${target}`);
    expect(await freed({ ...stuck, holders: [] })).toEqual([]);
  });

  it('names the NVMe target that serves it to other hosts', async () => {
    const subsystem = '/sys/kernel/config/nvmet/subsystems/s1';
    const space = `${subsystem}/namespaces/1`;
    const stuck = await stuckBy(
      `modprobe nvmet; mkdir ${subsystem} ${space}; echo -n ${at} > ${space}/device_path; echo 1 > ${space}/enable`,
    );

    expect(stuck.holders).toEqual([expect.objectContaining({ kind: 'target', name: 's1' })]);
    expect(await freed(stuck)).toEqual([`sh -c 'echo 0 > ${space}/enable'`]);
  });

  it('names the NFS export of its filesystem, and a deleted file of it behind a loop device', async () => {
    const unmount = async (code: number): Promise<string> => {
      const { exitCode, stderr } = await machine.run('bofh --yes mount remove /mnt', { check: 'return' });
      expect([exitCode, stderr]).toEqual([code, stderr]);
      return stderr;
    };
    await machine.run(
      `lvcreate --quiet -y -L 64M -n shared vg0; mkfs.ext4 -q /dev/vg0/shared; mount /dev/vg0/shared /mnt
      modprobe nfsd; mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
      echo 'nfsd 127.0.0.1 2147483647 *' > /proc/net/rpc/auth.unix.ip/channel
      echo '* /mnt 2147483647 33 65534 65534 0' > /proc/net/rpc/nfsd.export/channel`,
    );

    expect(await unmount(1)).toContain('is in use: exported by NFS: /mnt to * [exportfs -f]');
    // What exportfs does; it is not installed here.
    await machine.run('date +%s > /proc/net/rpc/nfsd.export/flush; sleep 1');
    await machine.run('truncate -s 8M /mnt/disk.img; losetup /dev/loop5 /mnt/disk.img; rm /mnt/disk.img');
    expect(await unmount(1)).toContain(
      'its file /mnt/disk.img (deleted) is behind the loop device /dev/loop5 [losetup --detach /dev/loop5]',
    );
    await machine.run('losetup --detach /dev/loop5');
    await unmount(0);
    await machine.run('lvremove -y vg0/shared');
  });

  it('names the unit by which systemd would mount it again after umount', async () => {
    await machine.run(
      `echo '${at} /srv/data ext4 noauto,nofail,x-systemd.automount 0 0' >> /etc/fstab; mkdir -p /srv/data`,
    );
    await machine.run('systemctl daemon-reload; systemctl start srv-data.automount');
    const stuck = await stuckBy(
      `mkfs.ext4 -q ${at}; udevadm settle; ls /srv/data; umount /srv/data; ls /srv/data`,
    );

    expect(stuck.holders).toEqual([
      expect.objectContaining({ kind: 'mount', path: '/srv/data', unit: 'srv-data.automount' }),
    ]);
    expect(await freed(stuck)).toEqual(['systemctl stop srv-data.automount srv-data.mount']);
  });

  it('names the service of a process in it, and advises to stop that', async () => {
    const unit = '[Service]\nWorkingDirectory=/mnt\nExecStart=/bin/sleep 1000\nRestart=always\n';
    await machine.putText('/etc/systemd/system/worker.service', unit);
    await machine.run('systemctl daemon-reload');
    const stuck = await stuckBy(`mkfs.ext4 -q ${at}; mount ${at} /mnt; systemctl start worker.service`);

    expect(await freed(stuck)).toEqual(['systemctl stop worker.service', 'umount /mnt']);
  });

  it('refuses to remove a layer below others, and names those with the commands to remove them first', async () => {
    await machine.run(
      `lvcreate --quiet -y -L 64M -n lower vg0; echo -n secret > /root/key
      cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vg0/lower /root/key
      cryptsetup open --key-file /root/key /dev/vg0/lower secret
      mkfs.ext4 -q /dev/mapper/secret; mount /dev/mapper/secret /mnt`,
    );
    const remove = async (code: number): Promise<string> => {
      const { exitCode, stderr } = await machine.run('bofh run /root/removal.ts', { check: 'return' });
      expect([exitCode, stderr]).toEqual([code, stderr]);
      return stderr;
    };

    const refusal = await remove(1);

    expect(refusal).toContain('vg0/lower is in use: /dev/mapper/secret: mounted on /mnt');
    expect(refusal).toContain('next: end that use first: umount /mnt; cryptsetup close secret');
    await machine.run('umount /mnt; cryptsetup close secret');
    await remove(0);
    expect((await machine.run('lvs --noheadings -o lv_name vg0')).stdout.trim()).toBe('');
  });

  it('names the service that has it mounted in its own mount namespace', async () => {
    const unit = `[Service]\nPrivateMounts=yes\nExecStart=/bin/sh -c 'mount ${at} /mnt && exec sleep 1000'\n`;
    await machine.putText('/etc/systemd/system/private.service', unit);
    await machine.run('systemctl daemon-reload');
    const stuck = await stuckBy(
      `mkfs.ext4 -q ${at}; systemctl start private.service; sleep 1; ! grep -q vg0-held /proc/mounts`,
    );

    expect(await freed(stuck)).toEqual([expect.stringMatching(/^nsenter -t \d+ -m -r umount \/mnt$/)]);
  });
});

function resource(hostname: string): string {
  const on = (name: string, address: string): string =>
    `on ${name} { device /dev/drbd0 minor 0; disk ${at}; meta-disk internal; address ${address}; }\n`;
  return `resource r0 {\n${on(hostname, '127.0.0.1:7789')}${on('other', '127.0.0.2:7789')}}\n`;
}
