import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installBofh } from '../support/dom0/install.ts';
import { killChild, startGuarded } from '../support/rig/process.ts';
import { available, bootMachine, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

/** The commands of the README under its sentence about the first guest. */
function commandsOfTheReadme(): readonly string[] {
  const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const block = /^Create a guest that you can log in to.*?^```console\n(?<commands>.*?)^```/ms.exec(text);
  return (block?.groups?.['commands'] ?? '')
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^# /, ''));
}

/** A proxy for apt on 127.0.0.1, because the machine has no network: it reads from Debian's mirrors, and from nowhere else. */
async function startProxy(): Promise<Server> {
  const server = createServer((asked, answer) => {
    const to = asked.url ?? '';
    const url = URL.canParse(to) ? new URL(to) : undefined;
    if (asked.method !== 'GET' || url === undefined || !/(^|\.)debian\.org$/.test(url.hostname)) {
      answer.writeHead(403).end();
      return;
    }
    const headers = { ...asked.headers, host: url.host };
    const upstream = request({ host: url.hostname, path: url.pathname + url.search, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers);
      given.pipe(answer);
    });
    upstream.on('error', (error) => answer.destroy(error));
    upstream.end();
  });
  await new Promise<void>((listens) => server.listen(0, '127.0.0.1', listens));
  return server;
}

describe.skipIf(!can.ok && !required)('the first guest of a new administrator, on a real Xen host', () => {
  let machine: Machine;
  let proxy: Server;
  let tunnel: ChildProcess;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({
      hypervisor: 'xen',
      name: 'empty',
      memoryMiB: 4096,
      disks: [{ sizeMiB: 5120, volumeGroup: 'vg0' }],
    });
    await installBofh(machine);
    proxy = await startProxy();
    const { port, key } = await machine.sshAddress();
    const settings = [
      'BatchMode=yes',
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
    ];
    const back = `3142:127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
    tunnel = startGuarded({
      argv: [
        ...['ssh', '-F', 'none', '-N', '-i', key, '-p', String(port)],
        ...settings.flatMap((setting) => ['-o', setting]),
        ...['-o', 'ExitOnForwardFailure=yes', '-R', back, 'root@127.0.0.1'],
      ],
      stdio: 'ignore',
    });
    await machine.putText('/etc/apt/apt.conf.d/99proxy', 'Acquire::http::Proxy "http://127.0.0.1:3142";\n');
    // The bridge and the key of an administrator, and no site file.
    await machine.run(`rm /etc/bofh/site-specific.ts
ip link show xenbr0 >/dev/null 2>&1 || ip link add xenbr0 type bridge
ip link set xenbr0 up; ip address add 192.0.2.1/24 dev xenbr0
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519`);
    await machine.run('apt-get update', { timeoutMs: 600_000 });
  }, 1_200_000);
  afterAll(async () => {
    await killChild(tunnel);
    proxy.closeAllConnections();
    proxy.close();
    await machine.close();
  });

  it('is created by three commands of the README, and root can log in over ssh', async () => {
    const commands = commandsOfTheReadme();
    expect(commands).toHaveLength(3);
    for (const command of commands) {
      const unattended = command.replace(
        /^apt install/,
        'DEBIAN_FRONTEND=noninteractive apt-get install --yes',
      );
      const done = await machine.run(`${unattended} 2>&1`, { check: 'return', timeoutMs: 3_000_000 });
      expect([command, done.exitCode, done.stdout]).toEqual([command, 0, done.stdout]);
    }
    const login =
      'ssh -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=accept-new root@192.0.2.10';
    const said = await until({
      what: 'root can log in to the guest',
      timeoutMs: 1_800_000,
      everyMs: 10_000,
      probe: async () => {
        const asked =
          'hostname; cut -d. -f1 /etc/debian_version; ip -br address show to 192.0.2.10; df -h / | tail -1';
        const done = await machine.run(`${login} ${JSON.stringify(asked)}`, { check: 'return' });
        return done.exitCode === 0 ? done.stdout : undefined;
      },
    });
    expect(said).toMatch(/^web1\n13\n\S+ +UP +192\.0\.2\.10\/24 \n\S+ +2\.0G /);
  }, 8_000_000);
});
