import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { drbdCreate, drbdGrow } from '../../src/cli/output/answers/index.ts';
import { powerCut } from '../support/dom0/two-faults.ts';
import { bothRun, heldOnB, openOn, openTwoHosts, runOnA, type TwoHosts } from '../support/dom0/two-hosts.ts';
import { available, type Machine } from '../support/rig/index.ts';

// Two emulated machines, and hundreds of questions over ssh: a busy host needs long for them.
vi.setConfig({ testTimeout: 1_500_000 });

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

const common = '/etc/drbd.d/global_common.conf';
const mib = 1024 ** 2;

// Each test begins with what the one before it has left.
describe.skipIf(!can.ok && !required)('set-ups of DRBD that administrators have, over two machines', () => {
  let two: TwoHosts;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    two = await openTwoHosts();
    await bothRun(two.pair, 'modprobe drbd && udevadm settle');
    await two.pair.b.run('vgrename -q vg0 data && udevadm settle');
  });
  afterAll(async () => {
    await two.pair.close();
  });

  const json = async (line: string): Promise<unknown> =>
    JSON.parse(await runOnA(two, `(bofh --json --yes ${line} 2>/run/said)`, 0));
  const state = async (machine: Machine, name = 'web1'): Promise<string> =>
    (await machine.run(`drbdsetup events2 --now ${name}`)).stdout;
  const size = async (machine: Machine, minor = 0): Promise<number> =>
    Number((await machine.run(`cat /sys/block/drbd${String(minor)}/size`)).stdout) * 512;

  it('creates a resource on volume groups of different names', async () => {
    const made = drbdCreate.parse(
      await json('drbd create web1 --on a,b --size 64m --vg vg0 --peer-vg data --primary a'),
    );

    expect(made.hosts).toMatchObject([
      { name: 'a', lv: 'vg0/web1' },
      { name: 'b', lv: 'data/web1' },
    ]);
    for (const machine of [two.pair.a, two.pair.b])
      expect(await state(machine)).toMatch(
        /disk:UpToDate(?:.|\n)*replication:Established peer-disk:UpToDate/,
      );
  });

  it('reads verify-alg and allow-two-primaries in the section common', async () => {
    const { pair } = two;
    await bothRun(pair, `sed -i '/verify-alg/d' /etc/drbd.d/web1.res && drbdadm adjust web1`);
    expect(await runOnA(two, 'bofh --yes drbd verify web1', 1)).toContain('has no verify-alg');
    expect(await runOnA(two, 'bofh --yes --host b drbd primary web1', 1)).toMatch(/only one host can be/);

    const net = 'net { verify-alg crc32c; allow-two-primaries yes; }';
    await bothRun(pair, `printf 'common { ${net} }\\n' > ${common} && drbdadm adjust web1`);
    expect(await runOnA(two, 'bofh --yes drbd verify web1 --time 5m', 0)).toContain('identical');
    await runOnA(two, 'bofh --yes --host b drbd primary web1', 0);
    expect(await state(pair.b)).toMatch(/role:Primary/);
    expect(await runOnA(two, 'bofh --yes drbd promote web1 --to a', 1)).toMatch(/web1 is primary on a and b/);

    await runOnA(two, 'bofh --yes --host b drbd secondary web1', 0);
    await bothRun(pair, `rm ${common} && touch ${common} && drbdadm adjust web1`);
  });

  it('refuses to grow a resource that is secondary on both hosts, until its remedy was typed', async () => {
    await json('drbd demote web1');
    const refused = await runOnA(two, 'bofh --yes drbd grow web1 +32m', 1);
    expect(refused).toContain('web1 is not primary on any host');
    const [, typed = refused] = /: (bofh drbd promote web1[^\n]*)/.exec(refused) ?? [];
    await runOnA(two, typed.replace('HOST', 'a').replace('bofh', 'bofh --yes'), 0);

    const { to } = drbdGrow.parse(await json('drbd grow web1 +32m'));

    expect([await size(two.pair.a), await size(two.pair.b)]).toEqual([to, to]);
    await runOnA(two, 'bofh drbd wait-sync web1 --time 10m', 0);
  });

  it('grows LUKS and ext4 on a resource in the end, when the power of both fails before DRBD has grown', async () => {
    const { a } = two.pair;
    const open = 'cryptsetup open --key-file /root/key /dev/drbd0 safe && mount /dev/mapper/safe /mnt';
    await a.run(`head -c 32 /dev/urandom > /root/key
      cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /root/key /dev/drbd0
      cryptsetup open --key-file /root/key /dev/drbd0 safe && mkfs.ext4 -q /dev/mapper/safe && mount /dev/mapper/safe /mnt
      head -c 8M /dev/urandom > /mnt/data && sync && sha256sum /mnt/data > /root/sum && sync`);
    const before = await size(a);
    const layers = async (): Promise<readonly number[]> => [
      await size(a),
      Number((await a.run('blockdev --getsize64 /dev/mapper/safe')).stdout),
      Number((await a.run('stat -f -c %b /mnt')).stdout) * Number((await a.run('stat -f -c %S /mnt')).stdout),
    ];
    const [, luks = 0, files = 0] = await layers();

    const resize = 'bofh --yes block resize /dev/mapper/safe +32m --key file:/root/key';
    const { bofh } = await heldOnB(two, resize, { tool: 'lvextend', words: ['*web1'] });
    await powerCut(two, 'a', 'b');
    await bofh.ended;

    const said = await runOnA(two, 'bofh recover --yes', 3);
    expect(said).toMatch(/web1 is down now[^]*drbdadm up web1[^]*bofh recover/);
    await bothRun(two.pair, 'modprobe drbd && udevadm settle && drbdadm up web1');
    await a.run('drbdadm wait-connect web1 && drbdadm primary web1');
    await runOnA(two, 'bofh drbd wait-sync web1 --time 10m', 0);
    await a.run(`udevadm settle && ${open}`);
    const recovered = await runOnA(two, 'bofh recover --yes', 0);
    for (const machine of [a, two.pair.b]) expect(await openOn(machine)).toEqual([]);
    expect(await size(a)).toBeGreaterThanOrEqual(before + 32 * mib);
    // An open LUKS2 takes all of its device; the filesystem has its old size.
    const header = before - luks;
    expect((await layers()).slice(1)).toEqual([(await size(a)) - header, files]);

    // Recovery finishes the disk alone, and says what grows the rest.
    const [, finish = recovered] = /(bofh block resize \/dev\/drbd0 \d+b)/.exec(recovered) ?? [];
    await runOnA(two, `${finish.replace('bofh', 'bofh --yes')} --key file:/root/key`, 0);
    const [disk = 0, luksNow = 0, filesNow = 0] = await layers();
    expect(luksNow - luks).toBe(disk - before);
    expect(filesNow).toBeGreaterThan(files + 16 * mib);
    await a.run('sha256sum --check --quiet /root/sum');
    await a.run('umount /mnt && e2fsck -fn /dev/mapper/safe && cryptsetup close safe && udevadm settle');
  });

  it('refuses to choose between two volumes, and each grows by the commands of the refusal', async () => {
    const { a, b } = two.pair;
    await json('drbd demote web1');
    await json('drbd remove web1');
    await b.run('vgrename -q data vg0 && udevadm settle');
    for (const at of ['', '--host b '])
      for (const each of ['one', 'other'])
        await runOnA(two, `bofh ${at}lvm create vg0/${each} --size 32m`, 0);
    // The blocks of new volumes may have what the volumes of other tests had there, and metadata does not overwrite that.
    await bothRun(
      two.pair,
      'for v in one other; do dd if=/dev/zero of=/dev/vg0/$v bs=1M count=32 oflag=direct status=none || exit; done',
    );
    const config =
      'drbd config create pair --hosts a=10.77.0.1:7790,b=10.77.0.2:7790 --volumes 1:/dev/vg0/one,2:/dev/vg0/other';
    for (const at of ['', '--host b '])
      for (const line of [
        config,
        ...[0, 1].map((n) => `drbd create-md pair --volume ${String(n)}`),
        'drbd up pair',
      ])
        await runOnA(two, `bofh --yes ${at}${line}`, 0);
    await runOnA(two, 'bofh drbd wait-connect pair --time 60s', 0);
    await runOnA(two, 'bofh --yes drbd new-current-uuid pair', 0);
    await runOnA(two, 'bofh --yes drbd primary pair', 0);
    await a.run('dd if=/dev/urandom of=/dev/drbd2 bs=1M count=24 oflag=direct conv=fsync status=none');
    const hash = async (machine: Machine): Promise<string> =>
      (await machine.run('dd if=/dev/vg0/other bs=1M count=24 iflag=direct status=none | sha256sum')).stdout;
    const [before, one, was] = [await hash(a), await size(a, 1), await size(a, 2)];

    const refused = await runOnA(two, 'bofh --yes drbd grow pair +32m', 1);
    expect(refused).toContain('pair has 2 volumes');
    const lines = [...refused.matchAll(/on (?<at>[ab]): .*?or (?<line>bofh lvm resize vg0\/other \+SIZE)/g)];
    expect(lines.map(({ groups }) => groups?.['at'])).toEqual(['a', 'b']);
    for (const { groups } of lines)
      await runOnA(
        two,
        (groups?.['line'] ?? '')
          .replace('bofh', `bofh --yes ${groups?.['at'] === 'b' ? '--host b' : ''}`)
          .replace('SIZE', '32m'),
        0,
      );
    const [, last = refused] = /on the primary: (bofh drbd resize pair --volume NUMBER)/.exec(refused) ?? [];
    const number = /vg0\/other \+SIZE for volume (\d+)/.exec(refused)?.[1] ?? '';
    await runOnA(two, last.replace('bofh', 'bofh --yes').replace('NUMBER', number), 0);

    await runOnA(two, 'bofh drbd wait-sync pair --time 10m', 0);
    expect(await size(a, 1)).toBe(one);
    for (const machine of [a, b]) {
      expect(await size(machine, 2)).toBe(was + 32 * mib);
      expect(await hash(machine)).toBe(before);
    }
  });
});
