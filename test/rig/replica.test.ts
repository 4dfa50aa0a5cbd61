import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  blockResize,
  drbdConvert,
  drbdCreate,
  drbdGrow,
  drbdRemove,
  drbdReplacePeer,
  drbdRoles,
} from '../../src/cli/output/answers/index.ts';
import { noting } from '../support/dom0/real-report.ts';
import { powerCut } from '../support/dom0/two-faults.ts';
import {
  bothRun,
  differences,
  fingerprints,
  heldOnB,
  openOn,
  openTwoHosts,
  runOnA,
  type TwoHosts,
} from '../support/dom0/two-hosts.ts';
import { available, type Machine, until } from '../support/rig/index.ts';

// Two emulated machines, and hundreds of questions over ssh: a busy host needs long for them.
vi.setConfig({ testTimeout: 1_500_000 });

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
  const note = noting('replica');
  let begun = 0;
  beforeEach(() => {
    begun = performance.now();
  });
  afterEach(({ task }) => {
    note.ended({ ...task, suite: undefined }, (performance.now() - begun) / 1000);
  });
  afterAll(async () => {
    note.write(11);
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

  /** A secondary's device cannot be opened. */
  const sizes = async (): Promise<readonly number[]> =>
    Promise.all(
      [two.pair.a, two.pair.b].map(
        async (machine) => Number((await machine.run('cat /sys/block/drbd0/size')).stdout) * 512,
      ),
    );

  it('is created on both, up to date without a resync, and primary where requested', async () => {
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
      // Nothing was sent, and nothing has to be.
      const { stdout } = await machine.run('drbdsetup events2 --now --statistics web1');
      expect(stdout).toMatch(/received:0 sent:0 out-of-sync:0/);
      expect(await openOn(machine)).toEqual([]);
    }
  });

  it('is refused a second time, and while it is in use, and both hosts are unchanged', async () => {
    const again = await runOnA(two, 'bofh drbd create web1 --on a,b --size 32m', 1);
    expect(again).toMatch(/on a: vg0\/web1 exists already[^]*on b: vg0\/web1 exists already/);
    await two.pair.a.run(
      'mkfs.ext4 -q /dev/drbd0 && mount /dev/drbd0 /mnt && dd if=/dev/urandom of=/mnt/data bs=1M count=8 status=none && sync',
    );
    for (const line of ['promote web1 --to b', 'demote web1', 'remove web1'])
      expect(await runOnA(two, `bofh --yes drbd ${line}`, 1)).toContain('mounted on /mnt');
    await two.pair.a.run('umount /mnt && udevadm settle');
  });

  it('has the same data on the other host after a promotion', async () => {
    const before = await hash(two.pair.a);
    expect(drbdRoles.parse(await json('drbd promote web1 --to b'))).toMatchObject({
      ...{ primary: 'b', before: 'a' },
    });
    expect(await hash(two.pair.b)).toBe(before);
  });

  it('stays where its data is while only the replication is cut', async () => {
    const { a, b } = two.pair;
    await json('drbd promote web1 --to a');
    // Both ways and on both, so that neither hears of it; ssh goes on.
    const drop = (how: '-I' | '-D'): Promise<unknown> =>
      bothRun(
        two.pair,
        `for side in sport dport; do iptables ${how} INPUT -p tcp --$side 7788 -j DROP; iptables ${how} OUTPUT -p tcp --$side 7788 -j DROP; done`,
      );
    const can = await a.run('iptables -S INPUT', { check: 'return' });
    const isByPort = can.exitCode === 0;
    await (isByPort ? drop('-I') : b.run('drbdadm disconnect web1'));
    await a.run('dd if=/dev/urandom of=/dev/drbd0 bs=1M seek=8 count=1 oflag=direct conv=fsync status=none', {
      timeoutMs: 120_000,
    });
    const written = await hash(a);

    expect(await runOnA(two, 'bofh --yes drbd promote web1 --to b', 1)).toContain('not connected');

    expect(await state(a)).toMatch(/role:Primary/);
    expect(await hash(a)).toBe(written);
    await runOnA(two, 'bofh --yes drbd secondary web1', 0);
    expect(await runOnA(two, 'bofh --yes drbd promote web1 --to b', 1)).toContain('not connected');
    expect(await state(b)).toMatch(/role:Secondary/);

    await (isByPort ? drop('-D') : b.run('drbdadm connect web1'));
    await runOnA(two, 'bofh drbd wait-sync web1', 0);
    await json('drbd promote web1 --to b');
    expect(await hash(b)).toBe(written);
  });

  it('has the same data on the other host after a power cut of the first one', async () => {
    const { a, b } = two.pair;
    await json('drbd promote web1 --to a');
    await a.run('dd if=/dev/urandom of=/dev/drbd0 bs=1M seek=16 count=8 oflag=direct conv=fsync status=none');
    const written = await hash(a);

    await a.powerCut();
    await b.run('drbdadm primary web1');
    expect(await hash(b)).toBe(written);
    await b.run('drbdadm secondary web1');

    await a.boot();
    await runOnA(two, 'bofh --yes drbd up web1', 0);
    await runOnA(two, 'bofh drbd wait-sync web1', 0);
    await json('drbd promote web1 --to b');
    expect(await hash(b)).toBe(written);
  });

  it('grows on both, and keeps its data', async () => {
    const before = await hash(two.pair.b);
    const { from, to } = drbdGrow.parse(await json('drbd grow web1 +32m'));
    expect(to).toBeGreaterThanOrEqual(from + 32 * 1024 ** 2);
    expect(await sizes()).toEqual([to, to]);
    expect(await hash(two.pair.b)).toBe(before);
    // What is new is sent from where it is primary: until that is over nothing else grows.
    await runOnA(two, 'bofh drbd wait-sync web1', 0);
  });

  it('grows in the end after a power cut of both just before it', async () => {
    const { a, b } = two.pair;
    const [before, [was]] = [await hash(b), await sizes()];
    const { bofh } = await heldOnB(two, 'bofh --yes drbd grow web1 +32m', {
      ...{ tool: 'drbdadm', words: ['resize'] },
    });
    await powerCut(two, 'a', 'b');
    await bofh.ended;

    expect(await runOnA(two, 'bofh recover --yes', 3)).toMatch(
      /web1 is down now[^]*drbdadm up web1[^]*bofh recover/,
    );
    await bothRun(two.pair, 'modprobe drbd && drbdadm up web1');
    await b.run('drbdadm wait-connect web1 && drbdadm primary web1');
    await runOnA(two, 'bofh drbd wait-sync web1', 0);
    await runOnA(two, 'bofh recover --yes', 0);

    const now = await sizes();
    expect(now[0]).toBe(now[1]);
    expect(now[0]).toBeGreaterThanOrEqual((was ?? 0) + 32 * 1024 ** 2);
    expect(await hash(b)).toBe(before);
    expect(await openOn(a)).toEqual([]);
    expect(await openOn(b)).toEqual([]);
  });

  it('grows with its mounted filesystem by block resize, and on the other host too', async () => {
    const { a, b } = two.pair;
    await json('drbd promote web1 --to a');
    await a.run(
      'mkfs.ext4 -q /dev/drbd0 && mount /dev/drbd0 /mnt && dd if=/dev/urandom of=/mnt/data bs=1M count=8 status=none && sync',
    );
    const file = async (machine: Machine): Promise<string> =>
      (await machine.run('sha256sum /mnt/data')).stdout;
    const [before, [was = 0]] = [await file(a), await sizes()];

    const { layers } = blockResize.parse(await json('block resize /dev/drbd0 +32m'));
    const [disk, filesystem] = layers.slice(2);
    expect(layers.map(({ title }) => title).slice(0, 2)).toEqual([
      'the logical volume vg0/web1 on a',
      'the logical volume vg0/web1 on b',
    ]);
    expect(disk?.to).toBeGreaterThanOrEqual(was + 32 * 1024 ** 2);
    expect(await sizes()).toEqual([disk?.to, disk?.to]);
    const { stdout } = await a.run('dumpe2fs -h /dev/drbd0 2>/dev/null | grep -E "^Block (count|size):"');
    const [blocks = 0, size = 0] = [...stdout.matchAll(/\d+/g)].map(Number);
    expect(blocks * size).toBe(filesystem?.to);
    expect(filesystem?.to).toBeGreaterThan(was);

    await a.run('umount /mnt && udevadm settle');
    await json('drbd promote web1 --to b');
    await b.run('e2fsck -fn /dev/drbd0 && mount -o ro /dev/drbd0 /mnt');
    expect(await file(b)).toBe(before);
    await b.run('umount /mnt && udevadm settle');
  });

  it('is removed from both, which are as they were at the start', async () => {
    await json('drbd demote web1');
    expect(drbdRemove.parse(await json('drbd remove web1')).hosts).toHaveLength(2);
    // What drbdmeta remembers of a device is no state of a resource, and a deferred act's note lives until the boot.
    await bothRun(two.pair, 'rm -rf /var/lib/drbd/drbd-minor-0.lkbd /run/bofh/notes');
    expect(await differences(two, two.start)).toBe('');
  });

  it('is converted from a plain volume with data, and back to a plain volume, byte for byte', async () => {
    const disk = '/dev/vg0/plain';
    const head = 24 * 1024 ** 2;
    const sum = async (machine: Machine, device = disk): Promise<string> =>
      (await machine.run(`head --bytes=${String(head)} ${device} | sha256sum`)).stdout;
    await two.pair.a.run(
      `lvcreate --quiet -y -W y -L 24M -n plain vg0 && mkfs.ext4 -q ${disk} && mount ${disk} /mnt && dd if=/dev/urandom of=/mnt/data bs=1M count=8 status=none && sync`,
    );
    expect(await runOnA(two, 'bofh drbd convert vg0/plain --to b', 1)).toContain('mounted on /mnt');
    await two.pair.a.run('umount /mnt && udevadm settle');
    const before = await sum(two.pair.a);

    const made = drbdConvert.parse(await json('drbd convert vg0/plain --to b'));
    expect(made).toMatchObject({ resource: 'plain', device: '/dev/drbd0', was: disk, from: 'a' });
    await runOnA(two, 'bofh drbd wait-sync plain --time 10m', 0);
    await json('drbd promote plain --to b');
    expect(await sum(two.pair.b, '/dev/drbd0')).toBe(before);
    await json('drbd demote plain');

    expect(drbdRemove.parse(await json('drbd remove plain --keep-on a')).hosts).toEqual([
      { name: 'a', volumes: [], kept: [disk], plain: [disk] },
      { name: 'b', volumes: ['vg0/plain'], kept: [], plain: [] },
    ]);
    expect(await sum(two.pair.a)).toBe(before);
    await two.pair.a.run(`fsck.ext4 -fn ${disk} && test "$(blkid -o value -s TYPE ${disk})" = ext4`);
    await two.pair.a.run('lvremove -q -y vg0/plain && udevadm settle');
    await bothRun(two.pair, 'rm -rf /var/lib/drbd/drbd-minor-0.lkbd /run/bofh/notes');
    expect(await differences(two, two.start)).toBe('');
  });

  it('replaces a lost peer by the same machine after a reinstallation, while its filesystem is mounted', async () => {
    const { a, b } = two.pair;
    await json('drbd create web1 --on a,b --size 32m --primary a');
    await a.run('mkfs.ext4 -q /dev/drbd0 && mount /dev/drbd0 /mnt && udevadm settle');
    expect(await runOnA(two, 'bofh --yes drbd replace-peer web1 --to b --lost', 1)).toContain('not lost');
    await b.run(
      'drbdsetup down web1 && rm /etc/drbd.d/web1.res && lvremove -q -y vg0/web1 && udevadm settle',
    );
    // Written while there is no peer: 8.4 marks it in its bitmap, for the peer that it had.
    await a.run('dd if=/dev/urandom of=/mnt/data bs=1M count=8 status=none && sync');
    expect(await runOnA(two, 'bofh --yes drbd replace-peer web1 --to b', 1)).toContain('--lost');

    const now = drbdReplacePeer.parse(await json('drbd replace-peer web1 --to b --lost'));
    expect(now).toMatchObject({ from: { name: 'b', end: 'lost', clear: null }, to: 'b' });
    expect(now.hosts.map(({ port }) => port)).toEqual([7789, 7789]);
    await a.run('mountpoint --quiet /mnt && test "$(stat -c %s /mnt/data)" = 8388608');
    await runOnA(two, 'bofh drbd wait-sync web1 --time 10m', 0);
    for (const machine of [a, b]) expect(await openOn(machine)).toEqual([]);

    await a.run('umount /mnt && udevadm settle');
    const written = await hash(a);
    await json('drbd promote web1 --to b');
    expect(await hash(b)).toBe(written);
    await json('drbd demote web1');
    await json('drbd remove web1');
    await bothRun(two.pair, 'rm -rf /var/lib/drbd/drbd-minor-0.lkbd /run/bofh/notes');
    expect(await differences(two, two.start)).toBe('');
  });

  it('reports a split brain on both sides, loses no data by itself, and discards only the named side', async () => {
    const { a, b } = two.pair;
    await json('drbd create web1 --on a,b --size 32m --primary a');
    await bothRun(two.pair, 'drbdadm disconnect web1');
    // Beneath the device, for that of a secondary cannot be opened.
    const beneath = async (machine: Machine): Promise<string> =>
      (await machine.run('dd if=/dev/vg0/web1 bs=1M count=24 iflag=direct status=none | sha256sum')).stdout;
    const write = 'dd if=/dev/urandom of=/dev/drbd0 bs=1M count=8 oflag=direct conv=fsync status=none';
    await a.run(`udevadm settle && drbdadm secondary web1 && drbdadm primary --force web1 && ${write}`);
    await b.run(`drbdadm primary --force web1 && ${write} && udevadm settle && drbdadm secondary web1`);
    const [wins, loses] = [await beneath(a), await beneath(b)];
    expect(wins).not.toBe(loses);

    /** 8.4 leaves one side StandAlone; the other one is that too, or has seen no more than a lost connection, and looks for its peer. */
    const parted = async (): Promise<void> => {
      await until({
        what: 'the two have parted',
        timeoutMs: 120_000,
        everyMs: 1000,
        probe: async () => {
          const all = [await state(a), await state(b)].map(
            (said) => /connection:(\w+)/.exec(said)?.[1] ?? '',
          );
          const isOver = all.every((each) => each === 'StandAlone' || each === 'Connecting');
          return isOver && all.includes('StandAlone') ? true : undefined;
        },
      });
    };
    await a.run('drbdadm connect web1');
    await b.run('drbdadm connect web1');
    await parted();
    const choices = /split brain[^]*That of this host: [^]*--discard-my-data web1[^]*That of the other host:/;
    for (const at of ['', '--host b '])
      expect(await runOnA(two, `bofh ${at}drbd status web1`, 0)).toMatch(choices);

    // To connect them says no more than that, and a primary gives nothing up.
    for (const at of ['--host b ', '']) await runOnA(two, `bofh ${at}--yes drbd connect web1`, 0, 1, 5);
    await parted();
    expect(await runOnA(two, 'bofh --yes drbd connect --discard-my-data web1', 1)).toContain(
      'its data is not discarded',
    );
    expect([await beneath(a), await beneath(b)]).toEqual([wins, loses]);

    await runOnA(two, 'bofh --host b --yes drbd connect --discard-my-data web1', 0);
    if ((await state(a)).includes('connection:StandAlone'))
      await runOnA(two, 'bofh --yes drbd connect web1', 0);
    await runOnA(two, 'bofh drbd wait-connect web1 --time 5m', 0);
    await runOnA(two, 'bofh drbd wait-sync web1 --time 10m', 0);
    expect(await state(b)).toMatch(/disk:UpToDate(?:.|\n)*replication:Established peer-disk:UpToDate/);
    expect([await beneath(a), await beneath(b)]).toEqual([wins, wins]);
    for (const machine of [a, b]) expect(await openOn(machine)).toEqual([]);

    await json('drbd promote web1 --to b');
    const read = await hash(b);
    await json('drbd promote web1 --to a');
    expect(await hash(a)).toBe(read);
    await json('drbd demote web1');
    await json('drbd remove web1');
    await bothRun(two.pair, 'rm -rf /var/lib/drbd/drbd-minor-0.lkbd /run/bofh/notes');
    expect(await differences(two, two.start)).toBe('');
  });
});
