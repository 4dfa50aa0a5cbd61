import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, layFault, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('the backup of a guest on a real Xen host', () => {
  let machine: Machine;
  /** The manifest of the backup of the running guest. */
  let manifest = '';
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.run('install -d -m 700 /srv/backup');
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 600_000, textMs: 300_000 });
  const saved = async () =>
    JSON.parse(await text(`cat ${manifest}`)) as {
      readonly config: { readonly content: string };
      readonly disks: readonly { readonly sha256: string; readonly file: { readonly name: string } }[];
    };
  const hashes = async (guest: string): Promise<readonly string[]> =>
    (await text(`sha256sum /dev/vg0/${guest}-root /dev/vg0/${guest}-swap | cut -d' ' -f1`)).split('\n');
  const isUp = async (guest: string): Promise<void> => {
    await until({
      what: `${guest} is up`,
      timeoutMs: 300_000,
      everyMs: 500,
      // The host name inside is that of the guest that was saved.
      probe: async () => {
        const log = `/var/log/xen/console/guest-${guest}.log`;
        const { exitCode } = await machine.run(`grep -qs 'guest web1 up' ${log}`, { check: 'return' });
        return exitCode === 0 ? true : undefined;
      },
    });
  };
  const names = () => text('lvs --noheadings -o lv_name vg0 | sort | xargs');
  const left = () => text('ls -A /srv/backup');

  it('saves a running guest, which continues', async () => {
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m --start');
    await isUp('web1');

    const said = await bofh('vm backup web1 /srv/backup');

    manifest = /(?<path>\/srv\/backup\/\S*\.json) is a backup of web1/.exec(said)?.groups?.['path'] ?? '';
    expect(await text('xl list web1')).toMatch(/ (?:-b----|r-----|------) /);
    expect(await names()).toBe('web1-root web1-swap');
    expect((await left()).split('\n').length).toBe(3);
    expect(await text('stat -c %a /srv/backup/*')).toBe('600\n600\n600');
    expect(await bofh(`vm verify ${manifest}`)).toContain('2 of 2 disks have their checksums');
    expect(await bofh('vm list-backups /srv/backup')).toContain('xvda,xvdb');
  });

  it('restores it after it was removed, bit for bit, and it boots', async () => {
    await bofh('--yes vm remove web1 --force-off');
    await machine.run('rm -f /var/log/xen/console/guest-web1.log');

    await bofh(`vm restore ${manifest}`);

    const { disks, config } = await saved();
    expect(await hashes('web1')).toEqual(disks.map(({ sha256 }) => sha256));
    expect(await text('cat /etc/xen/web1.cfg')).toBe(config.content.trim());
    await bofh('vm start web1');
    await isUp('web1');
  });

  it('restores it beside itself under another name, and both run', async () => {
    expect(await bofh(`vm restore ${manifest}`, 1)).toContain(`bofh vm restore ${manifest} --as NEW`);

    const said = await bofh(`vm restore ${manifest} --as web2 --start`);

    expect(said).toContain('are still those of web1');
    await isUp('web2');
    expect(await text('xl list')).toMatch(/^web1 [^]*^web2 /m);
    expect(await text("grep -h '^uuid' /etc/xen/web?.cfg | sort -u | wc -l")).toBe('2');
    await bofh('--yes vm remove web2 --force-off');
  });

  it('encrypts for a public key, and restores with the secret key, also after a kill', async () => {
    await machine.run(
      'age-keygen -o /root/key 2>/dev/null; age-keygen -y /root/key >/root/key.pub; umask 077; mkdir /srv/secret',
    );
    const said = await bofh('vm backup web1 /srv/secret --recipient /root/key.pub');
    const file = /(?<path>\/srv\/secret\/\S*\.json) is a backup of web1/.exec(said)?.groups?.['path'] ?? '';
    expect(await text('ls /srv/secret | sed "s/.*Z[.]//" | xargs')).toBe('json xvda.zst.age xvdb.zst.age');
    expect(await text('head -c 21 /srv/secret/*.xvda.zst.age')).toBe('age-encryption.org/v1');

    const before = await names();
    expect(await bofh(`vm restore ${file} --as web2`, 2)).toContain('--identity FILE');
    await killedAt(machine, `vm restore ${file} --as web2 --identity /root/key`, {
      tool: 'age',
      words: ['--decrypt'],
    });
    await bofh('recover --yes');
    expect(await names()).toBe(before);

    await bofh(`vm restore ${file} --as web2 --identity /root/key`);
    const sums = await text(`grep -A1 '"content"\\|"sha256"' ${file} | grep -o '[0-9a-f]\\{64\\}'`);
    for (const hash of await hashes('web2')) expect(sums).toContain(hash);
    await bofh('--yes vm remove web2');
  }, 1_800_000);

  it('leaves nothing of a backup to a full filesystem', async () => {
    const before = [await names(), await text('xl list web1 | tail -1 | cut -d" " -f1')];
    await machine.run('mkdir /srv/small && mount -t tmpfs -o size=64k,mode=700 none /srv/small');

    expect(await bofh('vm backup web1 /srv/small', 5)).toContain('there is no space for /srv/small/web1.');

    expect(await text('ls -A /srv/small; umount /srv/small; rmdir /srv/small')).toBe('');
    expect([await names(), await text('xl list web1 | tail -1 | cut -d" " -f1')]).toEqual(before);
  });

  it('leaves nothing of a killed backup after recovery', async () => {
    const before = [await names(), await left()];
    // What only reads is started by bofh itself, and not by the shell of a step.
    const fault = await layFault(machine, {
      tool: 'sha256sum',
      mode: 'act-then-kill-caller',
      words: ['--'],
      times: 1,
    });
    // Of a shell that the signal itself ends, ssh does not say how.
    const { exitCode } = await machine.run('bofh vm backup web1 /srv/backup; exit $?', {
      check: 'return',
      timeoutMs: 600_000,
    });
    expect([exitCode, await fault.hits()]).toEqual([137, 1]);
    await fault.remove();
    expect(await names()).toContain('web1-root-backup');

    await bofh('recover --yes');

    expect([await names(), await left()]).toEqual(before);
    expect(await text('xl list web1')).not.toMatch(/ --p--- /);
  });

  it('resumes a guest whose backup was killed while it was paused', async () => {
    const before = await names();
    const fault = await layFault(machine, {
      tool: 'lvcreate',
      mode: 'act-then-hang',
      words: ['web1-swap-backup'],
      times: 1,
    });
    const pid = await text('bofh vm backup web1 /srv/backup > /dev/null 2>&1 & echo $!');
    await until({
      what: 'lvcreate hangs',
      timeoutMs: 300_000,
      everyMs: 500,
      probe: async () => ((await fault.held()) ? true : undefined),
    });
    await machine.run(`kill -KILL ${pid}`);
    await fault.release();
    await fault.remove();
    expect(await text('xl list web1')).toMatch(/ --p--- /);

    await bofh('recover --yes');

    expect(await text('xl list web1')).not.toMatch(/ --p--- /);
    expect(await names()).toBe(before);
  });

  it('removes the oldest backup with --keep after the new one is complete', async () => {
    const old = manifest;
    const said = await bofh('--yes vm backup web1 /srv/backup --keep 1');
    expect(said).toContain(`${old} is removed`);
    manifest = /(?<path>\/srv\/backup\/\S*\.json) is a backup of web1/.exec(said)?.groups?.['path'] ?? '';
    expect((await left()).split('\n').length).toBe(3);
  });

  it('names a damaged file and restores nothing from it', async () => {
    const file = `/srv/backup/${(await saved()).disks[0]?.file.name ?? ''}`;
    const before = await names();
    await machine.run(
      `cp ${file} /root/whole && printf X | dd of=${file} bs=1 conv=notrunc status=none seek=$(($(stat -c %s ${file}) / 2))`,
    );
    expect(await bofh(`vm verify ${manifest}`, 6)).toContain(`xvda: ${file} is damaged`);
    expect(await bofh(`vm restore ${manifest} --as web3`, 5)).toContain(`${file} is damaged`);
    await machine.run(`truncate -s -1 ${file}`);
    expect(await bofh(`vm restore ${manifest} --as web3`, 1)).toContain(`bofh vm verify ${manifest}`);

    expect(await names()).toBe(before);
    await machine.run(`cat /root/whole > ${file}`);
    expect(await bofh(`vm verify ${manifest}`)).toContain('is intact');
  });

  it('saves a stopped guest on thin volumes, and restores it on thin volumes', async () => {
    await bofh('--yes vm remove web1 --force-off');
    await machine.run('lvcreate -q --type thin-pool -L 128M -n pool vg0');
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --memory 96m --thin pool');
    const said = await bofh('vm backup web1 /srv/backup');
    const thin = /(?<path>\/srv\/backup\/\S*\.json) is a backup of web1/.exec(said)?.groups?.['path'] ?? '';

    await bofh(`vm restore ${thin} --as web2`);

    expect(await text('lvs --noheadings -o lv_name,pool_lv vg0/web2-root | xargs')).toBe('web2-root pool');
    expect(await text('sha256sum /dev/vg0/web1-root | cut -d" " -f1')).toBe(
      await text('sha256sum /dev/vg0/web2-root | cut -d" " -f1'),
    );
    expect(await text('ls /var/lib/bofh/journal | grep -c journal$ || true')).toBe('0');
  });
});
