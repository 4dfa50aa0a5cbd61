import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installBofh } from '../support/dom0/install.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import {
  available,
  bootPair,
  type Fingerprint,
  fingerprint,
  guestUp,
  layFault,
  type Machine,
  type Pair,
  until,
} from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

// Two emulated Xen hosts with a replicated disk between them.
describe.skipIf(!can.ok && !required)('a guest on two Xen hosts', () => {
  let pair: Pair;
  let start: readonly [Fingerprint, Fingerprint];
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    pair = await bootPair({ hypervisor: 'xen' });
    await pair.b.run('mv /usr/local/bin/node /root/node');
    await installBofh(pair.a);
    start = [await fingerprint(pair.a), await fingerprint(pair.b)];
  });
  afterAll(async () => {
    await pair.close();
  });

  const onA = async (command: string, ...codes: readonly number[]): Promise<string> => {
    const done = await pair.a.run(`${command} 2>&1`, { check: 'return', timeoutMs: 500_000 });
    if (!codes.includes(done.exitCode))
      throw new Error(`"${command}" ended with ${String(done.exitCode)}:\n${done.stdout}`);
    return done.stdout;
  };
  const text = async (machine: Machine, command: string): Promise<string> =>
    (await machine.run(command, { check: 'return' })).stdout.trim();

  const domains = (machine: Machine): Promise<string> => text(machine, 'xl list | grep -c "^web1 "');

  it('is created with disks on both hosts', async () => {
    const said = await onA(
      'bofh vm create web1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m --drbd b --start',
      0,
    );

    await guestUp(pair.a, { name: 'web1' });
    expect(said).toContain('its disks are replicated to b: bofh vm move web1 b');
    for (const machine of [pair.a, pair.b])
      expect(await text(machine, 'drbdadm dstate web1-root web1-swap')).toBe(
        'UpToDate/UpToDate\nUpToDate/UpToDate',
      );
  });

  it('runs on the first again when it cannot be started on the second', async () => {
    const before = [await fingerprint(pair.a), await fingerprint(pair.b)] as const;
    const fault = await layFault(pair.b, { tool: 'xl', mode: 'act-then-fail', words: ['create'], times: 1 });

    await onA('bofh vm move web1 b', 5);
    expect(await fault.hits()).toBe(1);
    await fault.remove();

    expect(before[0].diff(await fingerprint(pair.a))).toBe('');
    expect(before[1].diff(await fingerprint(pair.b))).toBe('');
  });

  it('moves to the second, and boots from its disk there', async () => {
    await onA('bofh vm move web1 b', 0);

    await guestUp(pair.b, { name: 'web1' });
    expect([await domains(pair.a), await domains(pair.b)]).toEqual(['0', '1']);
    expect(await text(pair.a, 'ls /etc/xen/web1.cfg')).toBe('');
    expect(await text(pair.a, 'drbdadm role web1-root')).toMatch(/^Secondary/);
  });

  it('moves back with its data, by a command on the second', async () => {
    await pair.b.run('xl shutdown -w web1', { timeoutMs: 120_000 });
    await pair.b.run('dd if=/dev/urandom of=/dev/drbd1 bs=1M count=8 conv=fsync status=none');
    const hash = await text(
      pair.b,
      'head -c 8M /dev/drbd1 | sha256sum; mount -o ro /dev/drbd0 /mnt && sha256sum /mnt/etc/hostname /mnt/etc/fstab /mnt/bin/busybox && umount /mnt',
    );
    await onA('bofh --host b vm move web1 a', 0);

    expect(
      await text(
        pair.a,
        'head -c 8M /dev/drbd1 | sha256sum; mount -o ro /dev/drbd0 /mnt && sha256sum /mnt/etc/hostname /mnt/etc/fstab /mnt/bin/busybox && umount /mnt',
      ),
    ).toBe(hash);
    expect(hash.split('\n')).toHaveLength(4);
    expect(await text(pair.b, 'ls /etc/xen/web1.cfg')).toBe('');
    await onA('bofh xen start web1', 0);
    await guestUp(pair.a, { name: 'web1' });
  });

  const content = (root: string, swap: string): string =>
    `head -c 8M ${swap} | sha256sum; mount -o ro ${root} /mnt && sha256sum /mnt/etc/hostname /mnt/etc/fstab /mnt/bin/busybox && umount /mnt`;

  it('is backed up while it runs, and restored on disks that are not replicated', async () => {
    await onA('install -d -m 700 /srv/backup', 0);
    await onA('bofh vm backup web1 /srv/backup', 0);
    const manifest = await text(pair.a, 'ls /srv/backup/*.json');
    await onA(`bofh vm verify ${manifest}`, 0);
    // Old data in the extents that the restored volumes get.
    await onA(
      "lvcreate -qq -y -L 128m -n old vg0; tr '\\0' x </dev/zero | dd of=/dev/vg0/old bs=1M count=128 iflag=fullblock oflag=direct status=none; lvremove -qq -y vg0/old",
      0,
    );

    expect(await onA(`bofh vm restore ${manifest} --as web2`, 0)).toMatch(
      /web2-root is not replicated, as web1-root was; to replicate it: bofh drbd convert/,
    );

    expect(await text(pair.a, 'blkid -o value -s TYPE /dev/vg0/web2-root')).toBe('ext4');
    expect(await text(pair.a, 'grep -c "phy:/dev/vg0/web2-root,xvda,w" /etc/xen/web2.cfg')).toBe('1');
    // DRBD has metadata at the end of its volume; the restored one has zeros there.
    expect(await text(pair.a, "tail -c 16384 /dev/vg0/web2-root | tr -d '\\0' | wc -c")).toBe('0');
    const restored = await text(pair.a, content('/dev/vg0/web2-root', '/dev/vg0/web2-swap'));
    expect(restored.split('\n')).toHaveLength(4);
    // The guest is off, so that its disk can be mounted here.
    await onA('bofh vm stop web1', 0);
    expect(restored).toBe(await text(pair.a, content('/dev/drbd0', '/dev/drbd1')));
    await onA('bofh vm start web1', 0);
    await guestUp(pair.a, { name: 'web1' });
    await onA('bofh --yes vm remove web2', 0);
    await onA('rm -r /srv/backup', 0);
  });

  it('is saved on the other host over ssh, and nothing stays there of a backup that was killed', async () => {
    const { a, b } = pair;
    await b.run('install -d -m 700 /srv/backup');
    expect(await onA('bofh --dry-run vm backup web1 b:/srv/backup', 0)).toMatch(
      /dd if=.* \| zstd .* \| tee /,
    );
    const before = [await fingerprint(a), await fingerprint(b)] as const;
    // The stream ends normally, and recovery waits for it.
    await killedAt(a, 'vm backup web1 b:/srv/backup', { tool: 'zstd', words: ['--compress'] });
    await onA('bofh recover --yes', 0);
    expect(before[0].diff(await fingerprint(a))).toBe('');
    expect(before[1].diff(await fingerprint(b))).toBe('');

    await onA('age-keygen -o /root/key 2>/dev/null; age-keygen -y /root/key >/root/key.pub', 0);
    const said = await onA('bofh vm backup web1 b:/srv/backup --recipient /root/key.pub --keep 2', 0);

    const manifest = /b:(?<path>\/srv\/backup\/\S*\.json) is a backup of web1/.exec(said)?.groups?.['path'];
    await onA(`bofh --host b vm verify ${manifest ?? ''}`, 0);
    expect(await text(a, 'ls -A /srv/backup; lvs --noheadings -o name | grep -c backup')).toBe('0');
    expect(await text(b, 'head -c 21 /srv/backup/*.xvda.zst.age')).toBe('age-encryption.org/v1');
    await onA('scp -qrp b:/srv/backup /srv/', 0);
    await onA(`bofh vm restore ${manifest ?? ''} --as web2 --identity /root/key`, 0);
    const restored = await text(a, content('/dev/vg0/web2-root', '/dev/vg0/web2-swap'));
    await onA('bofh vm stop web1', 0);
    expect(restored).toBe(await text(a, content('/dev/drbd0', '/dev/drbd1')));
    expect(restored.split('\n')).toHaveLength(4);
    await onA('bofh vm start web1', 0);
    await guestUp(a, { name: 'web1' });
    await onA('bofh --yes vm remove web2', 0);
    for (const machine of [a, b]) await machine.run('rm -rf /srv/backup /root/key /root/key.pub');
  }, 1_800_000);

  it('starts alone on the second after a power cut of the first, and moves back to it', async () => {
    const { a, b } = pair;
    await b.run('mv /root/node /usr/local/bin/node');
    await installBofh(b);
    // As docs/dead-host.md says of the days before.
    await b.putText('/etc/xen/web1.cfg', (await a.get('/etc/xen/web1.cfg')).toString());
    await a.powerCut();
    await b.run('bofh recover', { timeoutMs: 500_000 });
    await until({
      what: 'DRBD has noticed that the other host is gone',
      timeoutMs: 120_000,
      everyMs: 2000,
      probe: async () =>
        /\bConnected/.test(await text(b, 'drbdadm cstate web1-root web1-swap')) ? undefined : true,
    });

    const refused = await b.run('bofh xen start web1 2>&1', { check: 'return', timeoutMs: 500_000 });
    expect([refused.exitCode, refused.stdout]).toEqual([1, expect.stringContaining('--alone')]);
    await b.run('bofh xen start web1 --alone', { timeoutMs: 500_000 });
    await guestUp(b, { name: 'web1' });

    await a.boot();
    await a.run('modprobe drbd && udevadm settle');
    for (const disk of ['web1-root', 'web1-swap']) await onA(`bofh drbd up ${disk}`, 0);
    for (const disk of ['web1-root', 'web1-swap']) await onA(`bofh drbd wait-sync ${disk} --time 10m`, 0);
    await b.run('bofh vm move web1 a', { timeoutMs: 900_000 });

    await guestUp(a, { name: 'web1' });
    expect([await domains(a), await domains(b)]).toEqual(['1', '0']);
  }, 1_800_000);

  it('leaves nothing behind when it is removed', async () => {
    await pair.a.run('xl shutdown -w web1', { timeoutMs: 120_000 });
    await onA('bofh --yes vm remove web1', 0);

    expect(start[0].diff(await fingerprint(pair.a))).toBe('');
    expect(start[1].diff(await fingerprint(pair.b))).toBe('');
  });
});
