import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scenarios } from '../contract/index.ts';
import type { Outcome } from '../support/dom0/contract.ts';
import { available, bootMachine, fingerprint, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';
const there = scenarios.filter(({ needs }) => needs.some((part) => part === 'vg' || part === 'guest'));

/** The scenarios as one file that needs nothing but Node. */
async function bundled(): Promise<string> {
  const build = await rolldown({
    input: new URL('../support/dom0/contract.ts', import.meta.url).pathname,
    platform: 'node',
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  await build.close();
  return output[0].code;
}

describe.skipIf(!can.ok && !required)('contract, on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen' });
    await machine.putText('/root/contract.mjs', await bundled());
  });
  afterAll(async () => {
    await machine.close();
  });

  it('LVM and Xen behave like the simulated host, and are unchanged at the end', async () => {
    await machine.run('truncate -s 64M /root/contract.img && losetup /dev/loop7 /root/contract.img');
    const before = await fingerprint(machine);

    const { stdout } = await machine.run(
      'node /root/contract.mjs /dev/loop7 /boot/guest-vmlinuz /boot/guest-initrd',
      { timeoutMs: 560_000 },
    );

    const outcomes = JSON.parse(stdout) as readonly Outcome[];
    expect(outcomes.filter(({ ended }) => ended !== 'ran')).toEqual([]);
    expect(outcomes.map(({ name }) => name)).toEqual(there.map(({ name }) => name));
    expect(there.length).toBeGreaterThan(10);
    expect(before.diff(await fingerprint(machine))).toBe('');
  });
});
