import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectionError } from '../../src/errors.ts';
import { sshHost } from '../../src/host/ssh/host.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, type Machine } from '../support/rig/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { bofh, builtCommand } from '../unit/cli/support/built.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

/** What a host with Xen, LVM, LUKS and mounts tells, beside what test/loop/ssh-cli.test.ts has. */
const reads: readonly (readonly string[])[] = [
  ['xen', 'list'],
  ['lvm', 'list'],
  ['lvm', 'vg', 'list'],
  ['lvm', 'pv', 'list'],
  ['block', 'tree', '/dev/vg0/web1-root'],
  ['filesystem', 'info', '/dev/vg0/web1-root'],
  ['crypt', 'list'],
  ['crypt', 'status', 'web1-keys'],
  ['mount', 'list'],
  ['network', 'show', 'lo'],
  ['drbd', 'list'],
];

describe.skipIf(!can.ok && !required)('bofh --host on a real Xen host', () => {
  let machine: Machine;
  let directory: string;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    directory = mkdtempSync(join(tmpdir(), 'bofh-rig-ssh-'));
    await builtCommand();
    machine = await bootMachine({ hypervisor: 'xen' });
    await installBofh(machine);
    await machine.run(
      'lvcreate -y -qq -L 64m -n web1-root vg0; lvcreate -y -qq -L 64m -n web1-luks vg0; mkfs.ext4 -q /dev/vg0/web1-root;' +
        'printf key | cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file=- /dev/vg0/web1-luks;' +
        'printf key | cryptsetup open --key-file=- /dev/vg0/web1-luks web1-keys; mount /dev/vg0/web1-root /mnt',
    );
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

  // ssh itself counts on the interface that it comes over.
  const uncounted = (text: string): string => text.replaceAll(/"(?:bytes|packets)": \d+/g, '"counted": 0');

  it.each(reads.map((words) => [words.join(' '), words] as const))(
    '%s is what bofh says there',
    async (_name, words) => {
      const there = await machine.run(['bofh', '--json', ...words], { check: 'return' });
      const over = await bofh(['--site', join(directory, 'site.json'), '--host', 'dom0', '--json', ...words]);

      expect(over.exitCode).toBe(there.exitCode);
      expect(uncounted(over.stdout)).toBe(uncounted(there.stdout));
      expect(over.stderr).toBe(there.stderr);
      expect(over.exitCode).toBe(0);
    },
  );

  it('is lost with the power, and there again after the boot', async () => {
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
