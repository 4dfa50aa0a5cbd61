import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cut } from '../support/matrix/power.ts';
import { background, expectAsBefore, openStage, reset, run, type Stage } from '../support/matrix/stage.ts';
import { available, until } from '../support/rig/index.ts';

// What others write into a volume of a killed sequence, on real LVM, through kills and power cuts.

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

const device = '/dev/vg0/own';

/** Takes these steps and waits to be killed. */
const script = (steps: string): string => `import { writeFileSync } from 'node:fs';
import { atomic } from 'bofh';
await atomic('own', async (tx) => {
  ${steps}
  writeFileSync('/run/gate', 'here');
  await new Promise(() => setInterval(() => {}, 1000));
});
`;
const makeVolume = `await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '64m' });`;
const makeFilesystem = `${makeVolume} await tx.filesystem.create({ device: '${device}', type: 'ext4' });`;
const mountIt = `${makeFilesystem} await tx.mount.mount({ device: '${device}', path: '/srv/own', mode: 'rw' });`;

describe.skipIf(!can.ok && !required)('foreign content in objects of a killed sequence', () => {
  let stage: Stage;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    stage = await openStage(() => undefined, { hypervisor: 'none' });
  });
  beforeEach(async () => {
    await reset(stage);
    await stage.machine.run('mkdir -p /srv/own && sync');
  });
  afterAll(async () => {
    await stage.machine.close();
  });

  const text = async (command: string): Promise<string> => (await stage.machine.run(command)).stdout.trim();

  async function killedAfter(steps: string): Promise<void> {
    await stage.machine.putText('/root/own.ts', script(steps));
    const victim = await background(stage, 'bofh run /root/own.ts');
    await until({
      what: 'the script is at its gate',
      timeoutMs: 240_000,
      everyMs: 300,
      probe: async () =>
        (await stage.machine.run('cat /run/gate', { check: 'return' })).stdout.trim() || undefined,
    });
    await stage.machine.run(`kill -9 ${String(victim.pid)}`);
    await victim.ended;
  }

  /** What the refusal says to type, typed. */
  async function discard(said: string): Promise<void> {
    const [, command = ''] = /(?<command>bofh recover \w+ --discard \S+)/.exec(said) ?? [];
    expect(command).not.toBe('');
    await run(stage, command, 0);
    expect(await text('lvs --noheadings -o lv_name vg0')).not.toContain('own');
    expect(await text('ls /var/lib/bofh/journal | grep -c "journal$" || true')).toBe('0');
  }

  it('a file in its mounted filesystem is kept until it is named, also by the recovery after a power cut', async () => {
    await killedAfter(mountIt);
    await stage.machine.run('mkdir /srv/own/accounts && echo mine > /srv/own/accounts/ledger.txt && sync');

    expect(await run(stage, 'bofh recover', 3)).toContain('"accounts/ledger.txt"');
    expect(await text('cat /srv/own/accounts/ledger.txt')).toBe('mine');
    await cut(stage);
    const said = await run(stage, 'bofh recover --boot', 3);

    expect(said).toContain('"accounts/ledger.txt"');
    expect(await text(`mount ${device} /srv/own && cat /srv/own/accounts/ledger.txt; umount /srv/own`)).toBe(
      'mine',
    );
    await discard(said);
  });

  it('without foreign content everything is undone, mounted or after a power cut', async () => {
    await killedAfter(mountIt);
    await run(stage, 'bofh recover', 0);
    await stage.machine.run('rmdir /srv/own');
    await expectAsBefore(stage);
    await stage.machine.run('mkdir -p /srv/own; rm /run/gate');
    await killedAfter(mountIt);
    await cut(stage);

    await run(stage, 'bofh recover --boot', 0);

    expect(await text('lvs --noheadings -o lv_name vg0')).not.toContain('own');
  });

  it('a foreign filesystem on its volume is kept, also by the recovery after a power cut', async () => {
    await killedAfter(makeVolume);
    await stage.machine.run(`mkfs.ext4 -q ${device} && sync`);
    const before = await text(`sha256sum < ${device}`);

    await run(stage, 'bofh recover', 3);
    await cut(stage);
    const said = await run(stage, 'bofh recover --boot', 3);

    expect(said).toContain(`${device} holds ext4`);
    await stage.machine.run(`lvchange -ay ${device}`);
    expect(await text(`sha256sum < ${device}`)).toBe(before);
    await discard(said);
  });
});
