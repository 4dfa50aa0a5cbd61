import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { commandsAfter } from '../support/dom0/dead-host-page.ts';
import { installBofh } from '../support/dom0/install.ts';
import { noting } from '../support/dom0/real-report.ts';
import { available, bootPair, type Machine, type Pair, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

const name = 'web1-root';

// Each situation begins with the resource up to date on both hosts, and ends so, by the commands of the page alone.
describe.skipIf(!can.ok && !required)('docs/dead-host.md, typed on two hosts with the real DRBD,', () => {
  let pair: Pair;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    pair = await bootPair();
    await Promise.all(
      [pair.a, pair.b].map(async (machine) => {
        await installBofh(machine);
        await machine.run('modprobe drbd && udevadm settle');
      }),
    );
    await pair.b.run('sync');
    await pair.b.saveSnapshot('blank');
    await typed(pair.a, `drbd create ${name} --on a,b --size 64m --primary a`);
    await write(pair.a);
    await pair.a.run('sync');
    await Promise.all([pair.a.saveSnapshot('whole'), pair.b.saveSnapshot('whole')]);
  }, 1_200_000);
  const note = noting('dead-host');
  let begun = 0;
  let isLeft = false;
  beforeEach(async () => {
    begun = performance.now();
    if (!isLeft) return;
    // A test that failed does not fail the next ones.
    isLeft = false;
    for (const machine of [pair.a, pair.b]) if (!machine.isOn) await machine.boot();
    await Promise.all([pair.a.loadSnapshot('whole'), pair.b.loadSnapshot('whole')]);
    await pair.mendLink();
    await comesTo(pair.a, /replication:Established/);
  });
  afterEach(({ task }) => {
    isLeft = task.result?.state === 'fail';
    note.ended({ ...task, suite: undefined }, (performance.now() - begun) / 1000);
  });
  afterAll(async () => {
    note.write(8);
    await pair.close();
  });

  /** What a command of bofh says; it must end with one of these exit codes. */
  async function typed(machine: Machine, line: string, ...codes: readonly number[]): Promise<string> {
    const done = await machine.run(`bofh --yes ${line} 2>&1`, { check: 'return', timeoutMs: 500_000 });
    if (!(codes.length === 0 ? [0] : codes).includes(done.exitCode))
      throw new Error(
        `on ${machine.name} "bofh ${line}" ended with ${String(done.exitCode)}:\n${done.stdout}`,
      );
    return done.stdout;
  }

  /** Types what follows these words on the page; metadata to overwrite is named as its refusal asks. */
  async function typedAfter(machine: Machine, words: string): Promise<void> {
    for (const each of commandsAfter(words)) {
      // There is no guest here: test/rig/vm-move.test.ts has one.
      if (each.startsWith('vm ')) continue;
      const line = each.replace('host3', 'c');
      // It names the metadata to overwrite, or the page says that it may be a secondary already.
      const isRefused = /create-md|drbd secondary/.test(line);
      const said = await typed(machine, line, 0, ...(isRefused ? [1] : []));
      const [named] = /--overwrite \S+/.exec(said) ?? [];
      if (named !== undefined) await typed(machine, `${line} ${named}`);
    }
  }

  async function write(machine: Machine): Promise<void> {
    await machine.run('dd if=/dev/urandom of=/dev/drbd0 bs=1M count=8 oflag=direct conv=fsync status=none');
  }

  /** Of the volume beneath the device, because that of a secondary cannot be opened. */
  async function content(machine: Machine): Promise<string> {
    const read = `dd if=/dev/vg0/${name} bs=1M count=24 iflag=direct status=none | sha256sum`;
    return (await machine.run(read)).stdout;
  }

  async function state(machine: Machine): Promise<string> {
    return (await machine.run(`drbdsetup events2 --now ${name}`)).stdout;
  }

  async function comesTo(machine: Machine, pattern: RegExp): Promise<void> {
    await until({
      what: `${name} on ${machine.name} is ${String(pattern)}`,
      timeoutMs: 120_000,
      everyMs: 1000,
      probe: async () => (pattern.test(await state(machine)) ? true : undefined),
    }).catch(async (error: unknown) => {
      const states = `on a: ${await state(pair.a)}on b: ${await state(pair.b)}`;
      throw new Error(`${states}${await kernelLog()}`, { cause: error });
    });
  }

  /** What the module has said lately, on either of them. */
  async function kernelLog(): Promise<string> {
    const read = 'dmesg | grep drbd | tail -n 40';
    return (await pair.a.run(read)).stdout + (await pair.b.run(read)).stdout;
  }

  /** Every question about the resource is answered, and none changes anything. */
  async function questions(machine: Machine) {
    const [list, show, status, doctor] = [
      await typed(machine, 'drbd list'),
      await typed(machine, `drbd show ${name}`),
      await typed(machine, `drbd status ${name}`),
      await typed(machine, 'doctor', 0, 6),
    ];
    return { list, show, status, doctor };
  }

  /** The two are connected and hold these data. */
  async function expectWhole(data: string): Promise<void> {
    await typed(pair.a, `drbd wait-connect ${name} --time 5m`);
    for (const machine of [pair.a, pair.b]) {
      await typed(machine, `drbd wait-sync ${name} --time 10m`);
      expect(await typed(machine, `drbd status ${name}`)).toContain(
        'up to date on every side, and connected',
      );
      expect(await content(machine)).toBe(data);
    }
    for (const machine of [pair.a, pair.b])
      await machine.run(`drbdadm secondary ${name} 2>/dev/null || true; udevadm settle`);
    await typed(pair.a, `drbd primary ${name}`);
  }

  it('a host without power: the other one takes over, and the first one resyncs', async () => {
    const { a, b } = pair;
    await a.powerCut();
    await comesTo(b, /connection:Connecting/);
    await typed(b, 'recover');
    const { status, list } = await questions(b);
    expect(list).toMatch(/web1-root[^\n]*Secondary/);
    expect(status).toMatch(/no connection to a \(Connecting\)/);
    await typedAfter(b, 'A resource that no guest uses');
    await write(b);
    const data = await content(b);

    await a.boot();
    await typed(a, `drbd up ${name}`);
    await typedAfter(a, '**The dead host comes back:**');

    await expectWhole(data);
  });

  it('a peer that is only disconnected: no data is reported as lost, and it reconnects by itself', async () => {
    const { a, b } = pair;
    await pair.cutLink();
    await comesTo(a, /connection:Connecting/);
    await write(a);
    const { status, list, doctor } = await questions(a);
    expect(list).toMatch(/web1-root[^\n]*Primary[^\n]*UpToDate/);
    expect(status).toMatch(/no connection to b \(Connecting\)/);
    expect(doctor).toMatch(/web1-root: it has no connection to b/);
    const data = await content(a);
    await pair.mendLink();
    await comesTo(b, /replication:Established/);
    await expectWhole(data);
  });

  it('an address that is missing on the running host', async () => {
    const { a, b } = pair;
    const data = await content(a);
    await typed(a, `drbd secondary ${name}`);
    await b.run('ip address delete 10.77.0.2/24 dev eth1');
    await comesTo(b, /connection:(?!Connected)/);
    const { show, doctor } = await questions(b);
    expect(show).toContain('10.77.0.2');
    expect(doctor).toMatch(/web1-root: [^\n]*10\.77\.0\.2/);

    await typedAfter(b, '**The link for replication is down here too');

    expect(await state(b)).toContain('role:Primary');
    await typed(b, `drbd secondary ${name}`);
    await b.run('ip address add 10.77.0.2/24 dev eth1');
    await pair.mendLink();
    await typedAfter(b, 'Once the address is back, on that host:');
    await comesTo(a, /replication:Established/);
    await expectWhole(data);
  });

  /** The cable is out, and both have been primary; what is written where is the reader's. */
  async function parted(): Promise<void> {
    await pair.cutLink();
    await comesTo(pair.a, /connection:Connecting/);
    await comesTo(pair.b, /connection:Connecting/);
    await typed(pair.b, `drbd primary ${name}`);
  }

  /** Plugged in again; the two see one another and refuse to join. */
  async function refuse(): Promise<void> {
    await pair.mendLink();
    await until({
      what: 'the two have refused to join',
      timeoutMs: 120_000,
      everyMs: 1000,
      probe: async () =>
        /connection:StandAlone/.test(`${await state(pair.a)}${await state(pair.b)}`) ? true : undefined,
    });
  }

  it.each(['both', 'one'] as const)('a split brain with writes on %s', async (which) => {
    const { a, b } = pair;
    await parted();
    await write(b);
    if (which === 'both') await write(a);
    const data = await content(which === 'both' ? a : b);
    await refuse();
    const [keeps, gives] = which === 'both' ? [a, b] : [b, a];
    expect.soft(await kernelLog()).toContain('Split-Brain detected');
    for (const machine of [a, b]) {
      const { status, doctor } = await questions(machine);
      expect(status).toMatch(/split brain/);
      expect(doctor).toMatch(/web1-root: /);
    }
    await typedAfter(gives, '"Split-Brain detected": both');
    if ((await state(keeps)).includes('connection:StandAlone'))
      await typedAfter(keeps, 'On the other host, if it is StandAlone:');
    await expectWhole(data);
  });

  it('unrelated data', async () => {
    const { a, b } = pair;
    const data = await content(a);
    await pair.cutLink();
    await b.run(
      `drbdadm down ${name} && drbdadm create-md --force ${name} && drbdadm up ${name} && drbdadm primary --force ${name}`,
    );
    await write(b);
    await b.run(`udevadm settle && drbdadm secondary ${name}`);
    await refuse();
    expect.soft(await kernelLog()).toContain('Unrelated data, aborting!');
    expect((await questions(a)).status).toContain('unrelated data');
    await typedAfter(b, '"Unrelated data, aborting"');
    if ((await state(a)).includes('connection:StandAlone'))
      await typedAfter(a, 'On the other host, if it is StandAlone:');
    await expectWhole(data);
  });

  it('a lost data disk of a host whose root disk still works', async () => {
    const { a, b } = pair;
    const data = await content(a);
    await b.run(`drbdadm down ${name} && lvremove -q -y vg0/${name} && udevadm settle`);
    // As the boot of such a host does it.
    await b.run(`drbdadm up ${name}`, { check: 'return' });
    const { status, doctor } = await questions(b);
    expect(status).toMatch(/has no disk here|it is not up/);
    expect(doctor).toMatch(/web1-root: /);
    await typedAfter(b, '**The disk of the host that came back is lost.**');
    await typedAfter(b, 'A host that booted without the disk');
    await expectWhole(data);
  });

  it('a host that returns after it was replaced', async () => {
    const { a, b } = pair;
    await Promise.all([a.run('sync'), b.run('sync')]);
    await b.saveSnapshot('old');
    // The same machine, installed again under another name, is the third host.
    await b.loadSnapshot('blank');
    await b.run("hostname c && sed -i 's/\\bb\\b/c/' /etc/hosts && modprobe drbd && udevadm settle");
    await a.run("sed -i 's/\\bb$/& c/' /etc/hosts && sed -i 's/^b,/&c,/' /root/.ssh/known_hosts");
    await comesTo(a, /connection:Connecting/);
    await typedAfter(a, '**The dead host never comes back:**');
    await typed(a, `drbd wait-sync ${name} --time 10m`);
    await write(a);
    const data = await content(a);
    await b.run('sync');
    await b.saveSnapshot('new');

    await b.loadSnapshot('old');
    await comesTo(b, /connection:(?!Connected)/);
    const { status } = await questions(b);
    expect(status).toMatch(/no connection to a/);
    expect(await content(b)).not.toBe(data);
    await typedAfter(b, '**A host that was replaced comes back.**');
    expect(await typed(b, 'drbd list')).not.toContain(name);
    expect(await content(a)).toBe(data);
    expect(await state(a)).toContain('role:Primary');

    await b.loadSnapshot('new');
    // The rig names it b again, and under that name drbdadm does not know the resource: its connection was dropped.
    await b.run(`hostname c; drbdadm connect ${name} 2>/dev/null || true`);
    await comesTo(a, /replication:Established/);
    await typed(a, `drbd wait-sync ${name} --time 10m`);
    expect(await content(b)).toBe(data);
  }, 1_500_000);
});
