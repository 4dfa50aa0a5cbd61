import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installBofh } from '../support/dom0/install.ts';
import { atGate, openGates, putSteps, stepsCommand } from '../support/dom0/steps.ts';
import {
  available,
  bootMachine,
  guestGone,
  guestUp,
  layFault,
  type Machine,
  makeGuest,
  until,
} from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';
const units = fileURLToPath(new URL('../../systemd', import.meta.url));

describe.skipIf(!can.ok && !required)('a host that boots with systemd', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', init: 'systemd', name: 'dom0' });
    await installBofh(machine);
    await machine.put(units, '/opt/bofh/systemd');
    await machine.run('chown -R root:root /opt/bofh');
    // All start at boot; xendomains starts one of them, because it looks in another directory here, and
    // start-all the others.
    await makeGuest(machine, { name: 'auto1', sizeMiB: 32 });
    await makeGuest(machine, { name: 'all1', sizeMiB: 32 });
    await machine.run(`mkdir -p /etc/xen/auto /etc/xen/first
      ln -s ../auto1.cfg /etc/xen/first/
      for guest in auto1 all1 web2; do ln -s ../$guest.cfg /etc/xen/auto/; done
      sed -i '/^XENDOMAINS_AUTO=/d' /etc/default/xendomains
      echo XENDOMAINS_AUTO=/etc/xen/first >> /etc/default/xendomains`);
  });
  afterAll(async () => {
    await machine.close();
  });

  const lines = async (command: string): Promise<readonly string[]> =>
    (await machine.run(command, { check: 'return', timeoutMs: 300_000 })).stdout
      .trim()
      .split('\n')
      .filter(Boolean);
  const text = async (command: string): Promise<string> => (await lines(command)).join('\n');
  const property = async (unit: string, name: string): Promise<string> =>
    text(`systemctl show --value -p ${name} ${unit}`);

  it('gets its units by bofh boot install, and Debian’s systemd finds nothing wrong with them', async () => {
    const installed = await machine.run('bofh boot install');
    expect(installed.stderr).toContain(
      'next: systemctl enable bofh-recover.service bofh-recover-hosts.service bofh-recover-unconfirmed.service bofh-start-all.service',
    );

    await machine.run(
      'systemctl enable bofh-recover.service bofh-recover-hosts.service bofh-recover-unconfirmed.service bofh-start-all.service',
    );

    expect(
      await text(
        'systemd-analyze verify bofh-recover.service bofh-recover.timer bofh-recover-hosts.service bofh-recover-hosts.timer bofh-recover-unconfirmed.service bofh-start-all.service 2>&1',
      ),
    ).toBe('');
    expect(
      await lines('systemctl is-enabled bofh-recover.service bofh-recover.timer bofh-start-all.service'),
    ).toEqual(['enabled', 'static', 'enabled']);
    expect(await text('bofh boot status')).toMatch(/^bofh-recover\.service +installed +yes /m);
  });

  describe('after a power cut in the middle of two sequences', () => {
    let kept = '';
    beforeAll(async () => {
      await putSteps(machine);
      // web1 stops in the middle of being filled. Of web2 only the line is missing that says that it is done; it works on.
      await openGates(machine, 'web1', ['made', 'formatted']);
      await openGates(machine, 'web2', ['made', 'formatted', 'mounted', 'configured']);
      const both = ['web1', 'web2'].map((name) =>
        machine.run(stepsCommand(name), { check: 'return', timeoutMs: 300_000 }).catch(() => undefined),
      );
      await atGate(machine, 'web1', 'mounted');
      await atGate(machine, 'web2', 'started');
      await machine.run("kill -9 $(pgrep -f '[s]teps.ts web2')");
      await guestUp(machine, { name: 'web2' });
      kept = await text("bofh journal list | awk '/web2/ { print $1 }'");
      // Durable, and waiting for its confirmation.
      await machine.run(`printf '%s\\n' "import { defineHost } from 'bofh';" \
        "export default defineHost((h) => h.file('/etc/nftables.conf', { content: 'no way in' }));" >/root/host.ts
        setsid bofh --yes host apply /root/host.ts --confirm 12h >/root/said 2>&1 </dev/null &
        for try in $(seq 300); do grep -q 'all steps are done' /root/said && exit; sleep 1; done; cat /root/said; exit 1`);
      await machine.powerCut();
      await Promise.all(both);
      await machine.boot();
      await text('systemctl is-system-running --wait');
    });

    it('rolls back unconfirmed sequences, before the network', async () => {
      const unit = 'bofh-recover-unconfirmed.service';
      const ended = Number(await property(unit, 'ExecMainExitTimestampMonotonic'));

      expect(await property(unit, 'Result')).toBe('success');
      expect(ended).toBeGreaterThan(0);
      expect(
        Number(await property('network-pre.target', 'ActiveEnterTimestampMonotonic')),
      ).toBeGreaterThanOrEqual(ended);
      expect(await text('ls /etc/nftables.conf /etc/.bofh* 2>/dev/null')).toBe('');
      expect(await text('bofh journal list')).toMatch(/rolled-back .*host apply/);
    });

    it('is recovered before xendomains and start-all begin', async () => {
      const [ended, domains, all, up] = [
        Number(await property('bofh-recover.service', 'ExecMainExitTimestampMonotonic')),
        Number(await property('xendomains.service', 'InactiveExitTimestampMonotonic')),
        Number(await property('bofh-start-all.service', 'ExecMainStartTimestampMonotonic')),
        Number(await property('xendomains.service', 'ActiveEnterTimestampMonotonic')),
      ];

      expect(ended).toBeGreaterThan(0);
      expect(domains).toBeGreaterThanOrEqual(ended);
      expect(all).toBeGreaterThanOrEqual(up);
      expect(await lines('lvs --noheadings -o lv_name vg0 | tr -d " " | grep web1')).toEqual([]);
      // The one private name is that of web2's config file: its journal is open.
      expect(await text('ls /etc/xen | grep web1; ls -A /run/bofh/mnt 2>/dev/null')).toBe('');
      expect(await text('ls -A /etc/xen | grep -c bofh')).toBe('1');
    });

    it('leaves a started guest untouched, and reports exit code 3', async () => {
      const status = await text('systemctl status --no-pager --full --lines=100 bofh-recover.service');

      expect(status).toMatch(/Active: failed \(Result: exit-code\)/);
      expect(status).toMatch(/code=exited, status=3/);
      expect(status).toContain('which may have run until the reboot');
      expect(status).toContain(`bofh recover ${kept}`);
      expect(await lines('lvs --noheadings -o lv_name vg0 | tr -d " " | grep web2')).toEqual(['web2']);
      expect(await text('systemctl is-active bofh-recover.timer')).toBe('active');
    });

    it('starts every other guest, and reports the missing one with exit code 6', async () => {
      const domains = await text('xl list');
      const status = await text('systemctl status --no-pager --full --lines=100 bofh-start-all.service');

      expect(domains).toMatch(/^auto1 /m);
      expect(domains).toMatch(/^all1 /m);
      expect(domains).not.toMatch(/^web2 /m);
      expect(status).toMatch(/code=exited, status=6/);
      expect(status).toMatch(/web2 .*unfinished sequence/);
    });

    it('is clean again after a decision of the administrator', async () => {
      await machine.run(`bofh recover --abandon ${kept} --because 'web2 works'`);

      await machine.run('systemctl start bofh-recover.service bofh-start-all.service', {
        timeoutMs: 240_000,
      });

      expect(await property('bofh-recover.service', 'Result')).toBe('success');
      expect(await property('bofh-start-all.service', 'ActiveState')).toBe('active');
      expect(await text('systemctl --failed --no-legend --plain | grep bofh')).toBe('');
      expect(await text('xl list')).toMatch(/^web2 /m);
    });
  });

  it('keeps the monitors of its guests when bofh-start-all is stopped', async () => {
    const monitor = await text("pgrep -f '[x]l create /etc/xen/all1.cfg'");
    expect(await text(`cat /proc/${monitor}/cgroup`)).toContain('bofh-start-all.service');

    await machine.run('systemctl stop bofh-start-all.service');

    expect(await property('bofh-start-all.service', 'ActiveState')).toBe('inactive');
    expect(await text(`cat /proc/${monitor}/cgroup`)).toContain('bofh-start-all.service');
    expect(await text('xl list')).toMatch(/^all1 /m);
    // The monitor is who clears away a guest that has shut itself down.
    await machine.run('xl shutdown all1');
    await guestGone(machine, { name: 'all1', timeoutMs: 60_000 });
    expect(await text(`ls -d /proc/${monitor}`)).toBe('');
  });

  it('lets a running change end when bofh-start-all is stopped, and bofh then undoes it', async () => {
    // Whatever the earlier tests left: the unit is stopped, and all1 must be started.
    await text('xl destroy all1; systemctl stop bofh-start-all.service');
    const fault = await layFault(machine, {
      tool: 'xl',
      words: ['create', '/etc/xen/all1.cfg', '!-N'],
      times: 1,
      mode: 'hang',
    });
    await machine.run('systemctl start --no-block bofh-start-all.service');
    await until({
      what: 'xl create is called',
      timeoutMs: 120_000,
      everyMs: 200,
      probe: async () => ((await fault.hits()) > 0 ? true : undefined),
    });
    const changing = await text("pgrep -f '[x]l create /etc/xen/all1.cfg' | sort -n | tr '\\n' ' '");

    await machine.run('systemctl stop --no-block bofh-start-all.service');
    await text('sleep 5');

    expect(await property('bofh-start-all.service', 'SubState')).toBe('stop-sigterm');
    expect(await text("pgrep -f '[x]l create /etc/xen/all1.cfg' | sort -n | tr '\\n' ' '")).toBe(changing);
    await fault.release();
    await until({
      what: 'the unit has stopped',
      timeoutMs: 120_000,
      everyMs: 500,
      probe: async () =>
        (await property('bofh-start-all.service', 'SubState')) === 'stop-sigterm' ? undefined : true,
    });
    await fault.remove();
    expect(await text('xl list')).not.toMatch(/^all1 /m);
    expect(await text('ls /var/lib/bofh/journal | grep journal$')).toBe('');
    // It ended normally, without a kill, and only then was it undone.
    const history = await text('cat $(ls -t /var/lib/bofh/journal/history/*.journal | head -n 1)');
    expect(history).toContain('"t":"done","n":1');
    expect(history).toContain('"outcome":"rolled-back"');
  });
});
