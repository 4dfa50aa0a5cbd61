import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cut } from '../support/matrix/power.ts';
import { background, expectAsBefore, openStage, reset, run, type Stage } from '../support/matrix/stage.ts';
import { available, fingerprint, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

const device = '/dev/vg0/safe';
// Recovery after a power cut needs it.
const key = '/root/rig-key';

// A volume, a container in it, a filesystem in that, mounted: at the gate the test decides how it goes on.
const script = `import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { atomic } from 'bofh';
const key = { from: 'file', path: '${key}' } as const;
await atomic('a safe', async (tx) => {
  const { path: device } = await tx.lvm.createLv({ vg: 'vg0', name: 'safe', size: '64m' });
  await tx.crypt.format({ device, key, type: 'luks2', pbkdf: 'pbkdf2', pbkdfTimeMs: 10 });
  const opened = await tx.crypt.open({ device, key });
  await tx.filesystem.create({ device: opened.path, type: 'ext4' });
  await tx.mount.mount({ device: opened.path, mode: 'rw' });
  writeFileSync('/run/gate', opened.path);
  while (!existsSync('/run/go')) await delay(50);
  if (process.argv[2] === 'badly') throw new Error('the script gives up');
});
`;

const smaller = `import { atomic } from 'bofh';

await atomic('smaller', async (tx) => {
  const key = { from: 'file', path: '${key}' };
  await tx.crypt.resize({ name: 'safe', size: ${16 * 1024 ** 2}, key, shrink: 'lose the data beyond the new size' });
});
`;

const makeSafe = `lvcreate --quiet -y -W y -L 64M -n safe vg0 && cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file=- ${device} < ${key} && udevadm settle`;
const openSafe = `cryptsetup open --type luks --key-file=- ${device} safe < ${key} && udevadm settle`;

describe.skipIf(!can.ok && !required)('encrypted volumes, on real device mapper', () => {
  let stage: Stage;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    stage = await openStage(() => undefined, { hypervisor: 'none' });
  });
  beforeEach(async () => {
    await reset(stage);
    await stage.machine.putText('/root/safe.ts', script);
    await stage.machine.run(`printf geheim > ${key} && sync ${key}`);
  });
  afterAll(async () => {
    await stage.machine.close();
  });

  const text = async (command: string): Promise<string> => (await stage.machine.run(command)).stdout.trim();

  /** Runs the script up to its gate; resolves to the path of what it has opened. */
  async function atGate(how: 'well' | 'badly'): Promise<{
    readonly opened: string;
    readonly victim: Awaited<ReturnType<typeof background>>;
  }> {
    const victim = await background(stage, `bofh run /root/safe.ts ${how}`);
    const opened = await until({
      what: 'the script is at its gate',
      timeoutMs: 240_000,
      everyMs: 300,
      probe: async () =>
        (await stage.machine.run('cat /run/gate', { check: 'return' })).stdout.trim() || undefined,
    });
    expect(opened).toBe('/dev/mapper/vg0-safe-luks');
    expect(await text(`findmnt --noheadings --output SOURCE ${opened}`)).toBe(opened);
    return { opened, victim };
  }

  it('a sequence that fails leaves no volume, no container and no mapping', async () => {
    const { victim } = await atGate('badly');
    await stage.machine.run('touch /run/go');

    const { exitCode, output } = await victim.ended;
    expect(output).toContain('host: restored');
    expect(exitCode).toBe(5);
    await expectAsBefore(stage);
  });

  it('recovery undoes a sequence that was killed', async () => {
    const { victim } = await atGate('badly');
    await stage.machine.run(`kill -9 ${victim.pid}`);
    await victim.ended;

    await run(stage, 'bofh recover --yes', 0);
    await expectAsBefore(stage);
  });

  it('recovery undoes a sequence after a power cut, as a reboot leaves the host', async () => {
    const { victim } = await atGate('badly');
    await cut(stage);
    await victim.ended;

    await run(stage, 'bofh recover --yes', 0);
    expect(await text('lvs --noheadings -o lv_name vg0')).not.toContain('safe');
    expect(await text('ls /dev/mapper')).not.toContain('safe');
    expect(await text('ls /var/lib/bofh/journal | grep -c "journal$" || true')).toBe('0');
  });

  it('a sequence that succeeds leaves an open container whose files are there after close and open', async () => {
    const { opened, victim } = await atGate('well');
    await stage.machine.run(
      `echo kept > $(findmnt --noheadings --output TARGET ${opened})/kept && touch /run/go`,
    );
    expect((await victim.ended).exitCode).toBe(0);
    await stage.machine.run(`umount ${opened}`);

    await run(stage, 'bofh crypt close vg0-safe-luks', 0);
    expect(await text('ls /dev/mapper')).not.toContain('safe-luks');
    await run(stage, `bofh crypt open ${device} --key file:${key}`, 0);
    expect(await text(`mount ${opened} /mnt && cat /mnt/kept; umount /mnt`)).toBe('kept');
  });

  /** Runs a sequence of such steps on the host with an open container; it fails in these words, and the host is as before. */
  async function undone(steps: string, said: string): Promise<void> {
    await stage.machine.run(`${makeSafe} && ${openSafe}`);
    const before = await fingerprint(stage.machine);
    await stage.machine.putText(
      '/root/steps.ts',
      `import { existsSync } from 'node:fs';
import { atomic } from 'bofh';
const key = { from: 'file', path: '${key}' } as const;
await atomic('steps', async (tx) => {
  ${steps}
});
`,
    );
    expect(await run(stage, 'bofh run /root/steps.ts', 5)).toContain(said);
    expect(before.diff(await fingerprint(stage.machine))).toBe('');
  }

  it('adopts a container that was open before, and does not close it when the sequence fails', () =>
    undone(
      `const { adopted, path } = await tx.crypt.open({ device: '${device}', key });
  throw new Error(\`adopted \${adopted} at \${path}\`);`,
      'adopted true at /dev/mapper/safe',
    ));

  it('opens a container again that a failing sequence closed, with the name in its UUID', () =>
    undone(
      `await tx.crypt.close({ name: 'safe', key });
  throw new Error(existsSync('/dev/mapper/safe') ? 'still open' : 'closed in between');`,
      'closed in between',
    ));

  it('a close without a key runs last: a failure before it leaves the container open', async () => {
    await undone(
      `await tx.crypt.closeAfterCommit({ name: 'safe' });
  throw new Error(existsSync('/dev/mapper/safe') ? 'still open' : 'closed too early');`,
      'still open',
    );
    await run(stage, 'bofh crypt close safe', 0);
    expect((await text('ls /dev/mapper')).split('\n')).not.toContain('safe');
  });

  it('does not close a container in use, and names the holder', async () => {
    await stage.machine.run(
      `${makeSafe} && ${openSafe} && mkfs.ext4 -q /dev/mapper/safe && mount /dev/mapper/safe /mnt`,
    );

    expect(await run(stage, 'bofh crypt close safe', 1, 4, 5)).toContain('/mnt');
    expect(await text('findmnt --noheadings --output SOURCE /mnt')).toBe('/dev/mapper/safe');
  });

  it('does not shrink a container below its filesystem, mounted or not', async () => {
    await stage.machine.run(
      `${makeSafe} && ${openSafe} && mkfs.ext4 -q /dev/mapper/safe && mount /dev/mapper/safe /mnt && head -c 20M /dev/urandom > /mnt/data && sync`,
    );
    const state = () => text(`blockdev --getsize64 /dev/mapper/safe; md5sum < /mnt/data`);
    const before = await state();
    await stage.machine.putText('/root/smaller.ts', smaller);

    for (const umount of ['true', 'umount /mnt']) {
      await stage.machine.run(umount);
      expect(await run(stage, `bofh --yes crypt resize safe 16m --key file:${key}`, 1)).toContain(
        'there is ext4 on /dev/mapper/safe, which this command does not shrink',
      );
      // A script asks no questions.
      expect(await run(stage, 'bofh run /root/smaller.ts', 1, 5)).toContain('its ext4 reaches to 48 MiB');
      expect(await text('blockdev --getsize64 /dev/mapper/safe')).toBe(String(48 * 1024 ** 2));
    }
    await stage.machine.run('e2fsck -fn /dev/mapper/safe && mount /dev/mapper/safe /mnt');
    expect(await state()).toBe(before);
  });

  it('grows, and is removed, with a header in a file', async () => {
    const header = '/root/safe.header';
    const withHeader = `--key file:${key} --header ${header}`;
    await stage.machine.run('lvcreate --quiet -y -W y -L 32M -n safe vg0 && udevadm settle');
    await run(stage, `bofh crypt format ${device} ${withHeader} --pbkdf pbkdf2 --pbkdf-time 10`, 0);
    await run(stage, `bofh crypt open ${device} ${withHeader} --name safe`, 0);
    await stage.machine.run('lvextend -q -L 48M vg0/safe');

    await run(stage, `bofh crypt resize safe ${withHeader}`, 0);
    expect(await text('blockdev --getsize64 /dev/mapper/safe')).toBe(String(48 * 1024 ** 2));

    const uuid = await text(`cryptsetup luksUUID ${header}`);
    expect(await run(stage, `bofh --yes crypt erase ${header} ${uuid}`, 1)).toContain('safe');
    await run(stage, 'bofh crypt close safe', 0);
    await run(stage, `bofh --yes crypt erase ${header} ${uuid}`, 0);
    await run(
      stage,
      `cryptsetup open --test-passphrase --key-file ${key} --header ${header} ${device}`,
      1,
      2,
    );
    await stage.machine.run(`rm ${header}`);
  });

  it('opens with a changed key, and not with the old one', async () => {
    await stage.machine.run(`${makeSafe} && printf neu > /run/rig-new-key`);

    await run(stage, `bofh crypt change-key ${device} --key file:${key} --new-key file:/run/rig-new-key`, 0);
    await run(stage, `cryptsetup open --test-passphrase --key-file /run/rig-new-key ${device}`, 0);
    await run(stage, `cryptsetup open --test-passphrase --key-file ${key} ${device}`, 2);
  });
});
