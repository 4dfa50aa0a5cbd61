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

describe.skipIf(!can.ok && !required)('a real thin pool that others fill', () => {
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

  it('ends what is written to it while nobody has lost anything yet, and that is taken back', async () => {
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

  it('is written to no more before it has room, and then is', async () => {
    expect((await machine.run('bofh run /root/filling.ts 2>&1', { check: 'return' })).stdout).toContain(
      'the pool vg0/pool is full',
    );
    await machine.run('bofh lvm pool resize vg0/pool --size +64m');
    await machine.run('bofh run /root/filling.ts');
    await machine.run('cmp /root/some/data /mnt/one/data');
  });
});
