import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drbdCreate, drbdGrow, drbdRemove, drbdRoles } from '../../src/cli/answers/index.ts';
import {
  bothRun,
  differences,
  fingerprints,
  openOn,
  openTwoHosts,
  runOnA,
  type TwoHosts,
} from '../support/dom0/two-hosts.ts';
import { available, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

// One resource from its making to its end: each recipe begins with what the one before it has left.
describe.skipIf(!can.ok && !required)('a DRBD resource over two machines', () => {
  let two: TwoHosts;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    two = await openTwoHosts();
    await bothRun(two.pair, 'modprobe drbd && udevadm settle');
    two.start = await fingerprints(two.pair);
  });
  afterAll(async () => {
    await two.pair.close();
  });

  const json = async (line: string): Promise<unknown> => {
    const said = await runOnA(two, `(bofh --json --yes ${line} 2>/run/said)`, 0);
    return JSON.parse(said);
  };
  const state = async (machine: Machine): Promise<string> =>
    (await machine.run('drbdsetup events2 --now web1')).stdout;
  /** Of the first 24 MiB, which is where data are written. */
  const hash = async (machine: Machine): Promise<string> =>
    (await machine.run('dd if=/dev/drbd0 bs=1M count=24 iflag=direct status=none | sha256sum')).stdout;

  it('is made on both, up to date without a resync, and primary where it is to be', async () => {
    const made = drbdCreate.parse(await json('drbd create web1 --on a,b --size 32m --primary a'));
    expect(made).toMatchObject({
      ...{ resource: 'web1', device: '/dev/drbd0', primary: 'a' },
      hosts: [
        { name: 'a', lv: 'vg0/web1', address: '10.77.0.1', port: 7788 },
        { name: 'b', lv: 'vg0/web1', address: '10.77.0.2', port: 7788 },
      ],
    });
    for (const machine of [two.pair.a, two.pair.b]) {
      expect(await state(machine)).toMatch(
        /disk:UpToDate(?:.|\n)*replication:Established peer-disk:UpToDate/,
      );
      // Nothing was sent, and nothing is to be.
      const { stdout } = await machine.run('drbdsetup events2 --now --statistics web1');
      expect(stdout).toMatch(/received:0 sent:0 out-of-sync:0/);
      expect(await openOn(machine)).toEqual([]);
    }
  });

  it('is refused a second time, and by who uses it, with both hosts as they are', async () => {
    const again = await runOnA(two, 'bofh drbd create web1 --on a,b --size 32m', 1);
    expect(again).toMatch(/on a: vg0\/web1 exists already[^]*on b: vg0\/web1 exists already/);
    await two.pair.a.run(
      'mkfs.ext4 -q /dev/drbd0 && mount /dev/drbd0 /mnt && dd if=/dev/urandom of=/mnt/data bs=1M count=8 status=none && sync',
    );
    for (const line of ['promote web1 --to b', 'demote web1', 'remove web1'])
      expect(await runOnA(two, `bofh --yes drbd ${line}`, 1)).toContain('mounted on /mnt');
    await two.pair.a.run('umount /mnt && udevadm settle');
  });

  it('has the same data on the other host, when that is promoted', async () => {
    const before = await hash(two.pair.a);
    expect(drbdRoles.parse(await json('drbd promote web1 --to b'))).toMatchObject({
      ...{ primary: 'b', before: 'a' },
    });
    expect(await hash(two.pair.b)).toBe(before);
  });

  it('grows on both', async () => {
    const { from, to } = drbdGrow.parse(await json('drbd grow web1 +32m'));
    expect(to).toBeGreaterThanOrEqual(from + 32 * 1024 ** 2);
    // A secondary's device cannot be opened.
    for (const machine of [two.pair.a, two.pair.b])
      expect(Number((await machine.run('cat /sys/block/drbd0/size')).stdout) * 512).toBe(to);
  });

  it('is removed from both, which are as they were at the start', async () => {
    await json('drbd demote web1');
    expect(drbdRemove.parse(await json('drbd remove web1')).hosts).toHaveLength(2);
    // What drbdmeta remembers of a device is no state of a resource, and a deferred act's note lives until the boot.
    await bothRun(two.pair, 'rm -rf /var/lib/drbd/drbd-minor-0.lkbd /run/bofh/notes');
    expect(await differences(two, two.start)).toBe('');
  });
});
