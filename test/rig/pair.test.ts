import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bothCut } from '../support/dom0/two-faults.ts';
import { fingerprints, openTwoHosts, type TwoHosts } from '../support/dom0/two-hosts.ts';
import { available, type Machine, type Pair } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a pair of machines', () => {
  let two: TwoHosts;
  let pair: Pair;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    two = await openTwoHosts();
    pair = two.pair;
  });
  afterAll(async () => {
    await pair.close();
  });

  const text = async (machine: Machine, command: string): Promise<string> =>
    (await machine.run(command, { check: 'return' })).stdout.trim();

  it('share nothing but the cable', async () => {
    const faces =
      'uname -n; vgs --noheadings -o vg_uuid; pvs --noheadings -o pv_uuid; cat /etc/ssh/ssh_host_ed25519_key.pub; head -c 16 /dev/urandom | od -An -x';
    const [a, b] = [await text(pair.a, faces), await text(pair.b, faces)].map((said) => said.split('\n'));

    expect(a).toHaveLength(5);
    expect(a?.filter((line) => b?.includes(line))).toEqual([]);
  });

  it('reach each other by name, over the cable only', async () => {
    expect(await text(pair.a, 'ssh -o BatchMode=yes b uname -n')).toBe('b');
    expect(await text(pair.b, 'ssh -o BatchMode=yes a uname -n')).toBe('a');

    await pair.cutLink();
    expect((await pair.a.run('ssh -o ConnectTimeout=2 b true', { check: 'return' })).exitCode).toBe(255);
    await pair.mendLink();

    expect(await text(pair.a, 'ssh -o BatchMode=yes b uname -n')).toBe('b');
  });

  it('keep the state of the cable after a boot', async () => {
    await pair.cutLink();
    await pair.b.powerCut();
    await pair.b.boot();
    expect(await text(pair.b, 'cat /sys/class/net/eth1/carrier')).toBe('0');
    await pair.mendLink();

    expect(await text(pair.a, 'ssh -o BatchMode=yes b uname -n')).toBe('b');
  });

  // One of pair-faults.test.ts.
  it('undo a sequence after a power cut of both', async () => {
    // One of the two was booted.
    two.start = await fingerprints(pair);
    await bothCut(two);
  });
});
