import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installBofh } from '../support/dom0/install.ts';
import { background } from '../support/matrix/stage.ts';
import { available, bootMachine, layFault, type Machine, until } from '../support/rig/index.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000c';
const pool = 'vg0/pool';

const filling = `import { atomic } from 'bofh';

await atomic('fill', async (tx) => {
  const asked = { source: '/root/some.tar', root: '/mnt/one', device: '/dev/vg0/one', filesystem: '${uuid}' };
  await tx.copy.unpack({ ...asked, files: [] });
});
`;

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('what bofh knows of lvm, on the real one', () => {
  let machine: Machine;

  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'none' });
    await installBofh(machine);
    await machine.run(
      `lvcreate -q -y --type thin-pool -L 128M --poolmetadatasize 4M -n pool vg0
       for name in one two; do lvcreate -q -V 120M --thinpool pool -n $name vg0; done
       mkfs.ext4 -q -U ${uuid} /dev/vg0/one && mkdir -p /mnt/one && mount /dev/vg0/one /mnt/one
       mkdir /root/some && head -c 4M /dev/urandom > /root/some/data && tar -cf /root/some.tar -C /root/some .
       udevadm settle && sync`,
    );
    await machine.putText('/root/filling.ts', filling);
  });
  afterAll(async () => {
    await machine.close();
  });

  const text = async (command: string): Promise<string> => (await machine.run(command)).stdout.trim();
  const filled = async (): Promise<number> => Number(await text(`lvs --noheadings -o data_percent ${pool}`));

  it('a thin pool that others fill stops a write before data is lost, and the write is undone', async () => {
    const fault = await layFault(machine, { tool: 'tar', words: ['--extract'], mode: 'act-then-hang' });
    const victim = await background({ machine }, 'bofh run /root/filling.ts');
    await until({
      what: 'the archive is unpacked',
      timeoutMs: 120_000,
      everyMs: 300,
      probe: async () =>
        (await machine.run('test -s /mnt/one/data', { check: 'return' })).exitCode === 0 ? true : undefined,
    });
    for (let at = 0; (await filled()) < 95; at += 2)
      await machine.run(
        `dd if=/dev/urandom of=/dev/vg0/two bs=1M count=2 seek=${at} oflag=direct status=none`,
      );

    const { exitCode, output } = await victim.ended;
    await fault.remove();
    expect(output).toMatch(
      /the pool vg0\/pool is full \(data 9[5-9].*the unpacking into \/mnt\/one was stopped/,
    );
    expect(exitCode).toBe(5);
    expect(await text('find /mnt/one -mindepth 1 ! -name lost+found')).toBe('');
    expect(await text('find /var/lib/bofh/journal -maxdepth 1 -name "*.journal"')).toBe('');
    expect(await filled()).toBeLessThan(100);
  });

  it('refuses to write to a full thin pool until it has room', async () => {
    expect((await machine.run('bofh run /root/filling.ts 2>&1', { check: 'return' })).stdout).toContain(
      'the pool vg0/pool is full',
    );
    await machine.run('bofh lvm pool resize vg0/pool --size +64m');
    await machine.run('bofh run /root/filling.ts');
    await machine.run('cmp /root/some/data /mnt/one/data');
  });

  it.each([
    ['striped', '--type striped --stripes 2', 72],
    ['raid1', '--type raid1 --mirrors 1', 68],
  ])(
    'a %s volume grows with its filesystem, and is undone to the same extents',
    async (name, layout, mib) => {
      await machine.run(
        `for n in 6 7; do truncate -s 160M /run/${name}$n && losetup /dev/loop$n /run/${name}$n && pvcreate -q /dev/loop$n; done
       vgcreate -q ${name}vg /dev/loop6 /dev/loop7 && lvcreate -q -y -W y ${layout} -L 48M -n a ${name}vg
       mkfs.ext4 -q /dev/${name}vg/a && mkdir -p /mnt/${name} && mount /dev/${name}vg/a /mnt/${name}
       head -c 20M /dev/urandom > /mnt/${name}/data && sync`,
      );
      const state = () =>
        text(`lvs -a --noheadings -o lv_name,lv_size,seg_type,stripes,seg_pe_ranges ${name}vg
            blockdev --getsize64 /dev/${name}vg/a; md5sum < /mnt/${name}/data`);
      const before = await state();
      await machine.putText(
        '/root/growing.ts',
        `import { atomic } from 'bofh';
       await atomic('grow', async (tx) => {
         await tx.lvm.resizeLv({ vg: '${name}vg', name: 'a', size: '66m' });
         throw new Error('something else failed');
       });`,
      );
      expect((await machine.run('bofh run /root/growing.ts', { check: 'return' })).exitCode).toBe(5);
      expect(await state()).toBe(before);

      await machine.run(`bofh block resize /dev/${name}vg/a 66m`);
      expect(await text(`blockdev --getsize64 /dev/${name}vg/a`)).toBe(String(mib * 1024 ** 2));
      const { exitCode, stdout } = await machine.run(`bofh --yes block resize /dev/${name}vg/a 40m 2>&1`, {
        check: 'return',
      });
      expect(stdout).toContain('which bofh only grows');
      expect(exitCode).toBe(1);

      expect((await state()).split('\n').at(-1)).toBe(before.split('\n').at(-1));
      await machine.run(
        `umount /mnt/${name} && e2fsck -fn /dev/${name}vg/a && lvremove -q -y ${name}vg/a && vgremove -q ${name}vg
       for n in 6 7; do losetup -d /dev/loop$n; done`,
      );
    },
  );

  it.each([
    [
      'is cached',
      `lvcreate -qy -n slow -L 64m vg0; lvcreate -qy --type cache-pool -n fast -L 32m vg0; lvconvert -qy --type cache --cachepool vg0/fast vg0/slow`,
      /it is a cache volume/,
    ],
    [
      'has an origin outside its pool',
      `lvcreate -qy -n gold -L 64m vg0; lvchange -an -pr vg0/gold; lvcreate -qy -s -n slow --thinpool pool vg0/gold; lvchange -ay -K vg0/slow`,
      /its origin gold is outside its pool/,
    ],
  ])('a volume that %s is resized by the command in the refusal', async (_, create, why) => {
    await machine.run(`${create}; mkfs.ext4 -q /dev/vg0/slow; udevadm settle`);

    const { exitCode, stdout } = await machine.run('bofh --yes block resize /dev/vg0/slow 128m 2>&1', {
      check: 'return',
    });
    expect([exitCode, stdout]).toEqual([1, expect.stringMatching(why)]);
    const typed = /\((?:.*): (lvresize .*)\)$/m.exec(stdout)?.[1]?.replace('SIZE', '128m') ?? stdout;
    await machine.run(`${typed} -y`);

    expect(await text('blockdev --getsize64 /dev/vg0/slow')).toBe(String(128 * 1024 ** 2));
    expect(await text('e2fsck -fn /dev/vg0/slow >/dev/null && dumpe2fs -h /dev/vg0/slow 2>&1')).toMatch(
      /Block count: +(32768|131072)$/m,
    );
    await machine.run('lvremove -qy vg0/slow vg0/gold; lvs vg0', { check: 'return' });
  });
});
