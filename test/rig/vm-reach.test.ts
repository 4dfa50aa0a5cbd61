import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTar } from '../support/dom0/debian-root.ts';
import { installBofh } from '../support/dom0/install.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { available, bootMachine, guestUp, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';
const packages = 'systemd-sysv,udev,openssh-server,iproute2';

describe.skipIf(!can.ok && !required)('a guest that can be reached, on a real Xen host', () => {
  let machine: Machine;
  const out = async (command: string): Promise<string> =>
    (await machine.run(command, { timeoutMs: 900_000 })).stdout.trim();

  const ssh =
    'ssh -i /root/.ssh/id_try -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/root/known -o ConnectTimeout=15 root@192.0.2.10';
  /** What systemd in the guest says, once it has booted. */
  const answered = (): Promise<string> =>
    until({
      ...{ what: 'the guest answers', timeoutMs: 400_000, everyMs: 5_000 },
      probe: async () => {
        const { exitCode, stdout } = await machine.run(
          `timeout 30 ${ssh} 'systemctl is-system-running --wait'`,
          { check: 'return', timeoutMs: 60_000 },
        );
        return exitCode === 0 ? stdout.trim() : undefined;
      },
    });

  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    const tar = await debianTar({ packages });
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.put(tar, '/srv/debian.tar.gz');
    await out(
      'ip link add xenbr0 type bridge && ip addr add 192.0.2.1/24 dev xenbr0 && ip link set xenbr0 up; ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_try',
    );
  }, 900_000);
  afterAll(async () => {
    await machine.close();
  });

  it('is Debian with its own address, host name, keys and time zone, and as described', async () => {
    await machine.putText(
      '/root/guest/web.ts',
      `import { readFileSync } from 'node:fs';
import { defineHost } from 'bofh';
const key = readFileSync(new URL('try.pub', import.meta.url), 'utf8').trim();
export default defineHost((h) => {
  h.user('alice', { shell: '/bin/bash', authorizedKeys: [key] });
  const unit = h.file('/etc/systemd/system/web.service', {
    content: '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n',
  });
  h.service('web', { enabled: true, running: true, restartOn: [unit] });
});
`,
    );
    await out('cp /root/.ssh/id_try.pub /root/guest/try.pub');
    const said = await out(
      'bofh vm create web1 --source tar:/srv/debian.tar.gz --size 700m --memory 320m --bridge xenbr0 --ip 192.0.2.10/24 --ssh-key /root/.ssh/id_try.pub --timezone Europe/Vienna --provision /root/guest/web.ts --start',
    );
    expect(said).toContain('log in with: ssh root@192.0.2.10');
    const hostKey = /SSH host key is (?<print>SHA256:\S+)/.exec(said)?.groups?.['print'] ?? said;

    expect(await answered()).toBe('running');

    expect(await out('ssh-keygen -l -f /root/known')).toContain(` ${hostKey} `);
    const seen = await out(
      `${ssh} 'hostname; date +%Z; ip -4 -br addr show scope global; findmnt -no SOURCE /; ls /etc/ssh | grep host_; wc -c < /etc/machine-id; stat -c %a /root/.ssh'`,
    );
    expect(seen.split('\n').map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      'web1',
      expect.stringMatching(/^CES?T$/),
      expect.stringMatching(/ UP 192\.0\.2\.10\/24$/),
      '/dev/xvda',
      'ssh_host_ed25519_key',
      'ssh_host_ed25519_key.pub',
      '33',
      '700',
    ]);
    expect(await out(`${ssh.replace('root@', 'alice@')} 'id --user --name'`)).toBe('alice');
    expect(await out(`${ssh} 'systemctl is-active web'`)).toBe('active');
  }, 900_000);

  it('is changed by a description while it is off: unchanged if bofh is killed, else as described', async () => {
    await machine.putText(
      '/root/guest/later.ts',
      `import { defineHost } from 'bofh';
export default defineHost((h) => {
  h.file('/etc/motd', { content: 'changed while it was off\\n' });
  const unit = h.file('/etc/systemd/system/later.service', {
    content: '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n',
  });
  h.service('later', { enabled: true, running: true, restartOn: [unit] });
});
`,
    );
    const provision = 'vm provision web1 /root/guest/later.ts';
    const disks = () =>
      out('sha256sum /dev/vg0/web1-root; lvs --noheadings -o lv_name,lv_uuid,lv_tags vg0 | sort');
    await out('bofh vm stop web1');
    const before = await disks();

    await killedAt(machine, provision, { tool: 'unshare', words: ['*--pid*'] });
    await out('bofh recover --yes');
    expect(await disks()).toBe(before);

    await out(`bofh ${provision}`);
    expect((await disks()).split('\n').slice(1)).toEqual(before.split('\n').slice(1));
    await out('bofh vm start web1');
    expect(await answered()).toBe('running');
    expect(await out(`${ssh} 'cat /etc/motd; systemctl is-active web later'`)).toBe(
      'changed while it was off\nactive\nactive',
    );
  }, 3_000_000);

  it('is removed with everything it has', async () => {
    await out('bofh --yes vm remove web1 --stop');
    expect(await out('lvs --noheadings vg0; ls /etc/xen/*.cfg 2>/dev/null; true')).toBe('');
  });

  it('boots as PVH on request', async () => {
    await out('bofh vm create web2 --source tar:/srv/guest.tar --size 64m --memory 128m --type pvh --start');

    await guestUp(machine, { name: 'web2' });

    expect(await out('xl list -l web2')).toMatch(/"c_info": \{\s*"type": "pvh"/);
    await out('bofh --yes vm remove web2 --stop');
  });
});
