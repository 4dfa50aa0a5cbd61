import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectionError } from '../../src/core/errors.ts';
import { sshHost } from '../../src/host/ssh/host.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, makeGuest, type Machine } from '../support/rig/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { bofh, builtCommand } from '../unit/cli/support/built.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

/**
 * Verbs that only read, on a host that has something of each; test/loop/ssh-cli.test.ts checks that no verb is missing there.
 */
const reads: Readonly<Record<string, readonly string[]>> = {
  'xen list': [],
  'vm list': [],
  'vm show': ['web10'],
  'vm disk list': ['web10'],
  'vm interface list': ['web10'],
  'vm snapshot list': [],
  'vm base list': [],
  'vm wait': ['web10', '--for', 'running', '--time', '2s'],
  'host facts': [],
  'lvm list': [],
  'lvm vg list': [],
  'lvm pv list': [],
  'block tree': [],
  'block loop list': [],
  'block partitions': ['/dev/loop5'],
  'filesystem show': ['/dev/vg0/web1-root'],
  'filesystem check': ['/dev/vg0/web1-old'],
  'crypt list': [],
  'crypt show': ['/dev/vg0/web1-luks'],
  'crypt status': ['web1-keys'],
  'mount list': [],
  'mount fstab list': [],
  'mount crypttab list': [],
  map: [],
  'network list': [],
  'network show': ['lo'],
  'btrfs list': ['/srv/data'],
  'btrfs show': ['/srv/data/a subvolume'],
  'btrfs usage': ['/srv/data'],
  'btrfs device list': ['/srv/data'],
  'btrfs rotation status': [],
  'btrfs scrub status': ['/srv/data'],
  'btrfs balance status': ['/srv/data'],
  'btrfs quota show': ['/srv/data'],
  'drbd list': [],
  'drbd status': [],
  'drbd show': ['mirror'],
  'drbd next': [],
  'drbd wait-connect': ['mirror', '--time', '2s'],
  'drbd wait-sync': ['mirror', '--time', '2s'],
};
/** Whose peer never comes: that is what they say. */
const inVain = ['drbd wait-connect', 'drbd wait-sync'];

const ground = [
  ...['root', 'old', 'luks', 'mirror'].map((name) => `lvcreate -y -qq -W y -L 64m -n web1-${name} vg0`),
  'lvcreate -y -qq -W y -L 160m -n web1-data vg0',
  ...['root', 'old'].map((name) => `mkfs.ext4 -q /dev/vg0/web1-${name}`),
  'mount /dev/vg0/web1-root /mnt',
  'printf key | cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file=- /dev/vg0/web1-luks',
  'printf key | cryptsetup open --key-file=- /dev/vg0/web1-luks web1-keys',
  'mkfs.btrfs -q /dev/vg0/web1-data && mkdir -p /srv/data && mount /dev/vg0/web1-data /srv/data',
  'btrfs -q quota enable /srv/data && btrfs -q subvolume create "/srv/data/a subvolume"',
  'truncate -s 16M /srv/disk.img && echo "label: gpt\nsize=4MiB, name=bofh" | sfdisk -q /srv/disk.img && losetup /dev/loop5 /srv/disk.img',
  `printf '%s\\n' 'resource mirror {' 'on dom0 { device minor 7; disk /dev/vg0/web1-mirror; meta-disk internal; address 127.0.0.1:7795; }' 'on peer { device minor 7; disk /dev/vg0/web1-mirror; meta-disk internal; address 127.0.0.1:7796; }' '}' | sed "s/on dom0/on $(hostname)/" > /etc/drbd.d/mirror.res`,
  'drbdadm create-md --force mirror && drbdadm up mirror && drbdadm primary --force mirror',
  'udevadm settle',
].join(' && ');

describe.skipIf(!can.ok && !required)('bofh --host on a real Xen host', () => {
  let machine: Machine;
  let directory: string;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    directory = mkdtempSync(join(tmpdir(), 'bofh-rig-ssh-'));
    await builtCommand();
    machine = await bootMachine({ hypervisor: 'xen' });
    await installBofh(machine);
    await makeGuest(machine, { name: 'web10' });
    await machine.run(`xl create /etc/xen/web10.cfg && ${ground}`, { timeoutMs: 300_000 });
    await writeConfig();
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true, force: true });
    await machine.close();
  });

  /** The machine's own host key is known, and no other. */
  async function writeConfig(): Promise<void> {
    const { port, key } = await machine.sshAddress();
    const { stdout } = await machine.run('cat /etc/ssh/ssh_host_ed25519_key.pub');
    writeFileSync(join(directory, 'known'), `[127.0.0.1]:${String(port)} ${stdout}`);
    const lines = [
      ...['Host dom0', 'HostName 127.0.0.1', `Port ${String(port)}`, 'User root', `IdentityFile ${key}`],
      ...['IdentitiesOnly yes', 'IdentityAgent none', `UserKnownHostsFile ${directory}/known`],
    ];
    writeFileSync(join(directory, 'config'), `${lines.join('\n')}\n`);
    const hosts = { dom0: { configFile: join(directory, 'config') } };
    writeFileSync(join(directory, 'site.json'), JSON.stringify({ hosts, volumeGroup: 'vg0' }));
  }

  // ssh itself counts on the interface that it comes over, and a map has the time of its making.
  const uncounted = (text: string): string =>
    text
      .replaceAll(/"(?:bytes|packets)": \d+/g, '"counted": 0')
      .replace(/"at": ".*?"/, '"at": ""')
      .replace('"host": "dom0: ', '"host": "');

  it.each(Object.entries(reads).map(([verb, more]) => [verb, [...verb.split(' '), ...more]] as const))(
    '%s prints the same as bofh there',
    async (verb, words) => {
      const there = await machine.run(['bofh', '--json', ...words], { check: 'return' });
      const over = await bofh(['--site', join(directory, 'site.json'), '--host', 'dom0', '--json', ...words]);

      expect(over.exitCode).toBe(there.exitCode);
      expect(uncounted(over.stdout)).toBe(uncounted(there.stdout));
      expect(over.stderr.replace('\n  host: dom0: ', '\n  host: ')).toBe(there.stderr);
      expect(over.exitCode === 0).toBe(!inVain.includes(verb));
    },
  );

  it('fails during a power cut, and works after the boot', async () => {
    const host = sshHost({
      name: 'dom0',
      configFile: join(directory, 'config'),
      options: { ConnectTimeout: '5' },
    });
    const { boot } = await host.facts();

    await machine.powerCut();
    expect(await rejectionOf(host.facts())).toBeInstanceOf(ConnectionError);
    await machine.boot();
    await writeConfig();

    expect((await host.facts()).boot).not.toBe(boot);
    await host.close();
  });
});
