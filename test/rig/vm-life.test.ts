import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, guestUp, layFault, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('the life of a guest on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.run('mkdir -p /etc/xen/auto');
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 240_000 });
  const config = (name = 'web1'): Promise<string> => text(`cat /etc/xen/${name}.cfg`);
  const given = async (name = 'web1') => {
    const [
      {
        config: { b_info: of },
      } = missing,
    ] = JSON.parse(await text(`xl list -l ${name}`)) as readonly {
      readonly config: { readonly b_info: Given };
    }[];
    return [of.target_memkb / 1024, of.avail_vcpus.length, of.sched_params.weight];
  };
  const shown = (what: string, probe: string, pattern: RegExp) =>
    until({
      what,
      timeoutMs: 60_000,
      everyMs: 500,
      probe: async () => (pattern.test(await text(probe)) ? true : undefined),
    });

  it('starts with limits above its memory and virtual CPUs', async () => {
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m');
    await machine.run(
      `sed -i -e '1i # the shop: 96 MiB were enough in 2019' -e 's/^memory = 96$/memory = 96 # MiB/' /etc/xen/web1.cfg && printf 'maxmem = 160\\nmaxvcpus = 2\\n' >> /etc/xen/web1.cfg`,
    );

    await bofh('vm start web1');

    expect(await bofh('vm wait web1 --for running')).toMatch(/web1 runs as domain \d+/);
    await guestUp(machine, { name: 'web1' });
    expect(await given()).toEqual([96, 1, 256]);
    const disks = await bofh('vm disk list web1');
    expect(disks).toMatch(/^xvda +\/dev\/vg0\/web1-root +rw +64 MiB +ext4 +attached$/m);
    expect(disks).toMatch(/^xvdb +\/dev\/vg0\/web1-swap +rw +16 MiB +swap +attached$/m);
  });

  it('gets memory, virtual CPUs and weight while it runs, and the file too', async () => {
    const before = await config();

    const said = await bofh('vm set web1 memory=128m vcpus=2 cpu-weight=512 maxmem=192m autostart=yes');

    expect(said).toContain('maxmem takes effect at the next start of web1');
    expect(said).toContain('web1: memory 128 MiB, was 96 MiB');
    expect(await config()).toBe(
      `${before.replace('memory = 96 #', 'memory = 128 #').replace('maxmem = 160', 'maxmem = 192').replace('vcpus = 1\n', 'vcpus = 2\n')}\ncpu_weight = 512`,
    );
    expect(await given()).toEqual([128, 2, 512]);
    expect(await text('readlink /etc/xen/auto/web1.cfg')).toBe('/etc/xen/web1.cfg');
    // Its kernel follows. To bring the second CPU online is left to the guest's udev, which this guest has not.
    await shown('the guest has 128 MiB', 'xl list web1', /^web1 +\d+ +12[78] /m);
    await shown(
      'the second CPU is allowed',
      `xenstore-read "/local/domain/$(xl domid web1)/cpu/1/availability"`,
      /^online$/m,
    );
    expect(await bofh('vm set web1 memory=128m vcpus=2 cpu-weight=512 autostart=yes')).toContain(
      'nothing to do',
    );
  });

  it('gets a network interface while it runs, and loses it; a kill in between changes nothing', async () => {
    const before = await config();
    await machine.run('ip link add xenbr9 type bridge && ip link set xenbr9 up');
    const mac = '00:16:3e:00:00:09';
    const attach = `vm interface attach web1 --bridge xenbr9 --mac ${mac}`;
    const seen = () =>
      text("xl network-list web1 | awk 'NR > 1 { print $3 }'; ls /sys/class/net/xenbr9/brif");
    await killedAt(machine, attach, { tool: 'xl', words: ['network-attach'] });
    await bofh('recover --yes');
    expect([await config(), await seen()]).toEqual([before, '']);

    expect(await bofh(attach)).toContain(`web1 has the interface ${mac} on xenbr9`);
    expect(await seen()).toMatch(new RegExp(`^${mac}\\nvif\\d+\\.0$`));
    expect(await config()).toContain(`mac=${mac},bridge=xenbr9`);

    await bofh(`vm interface detach web1 ${mac}`);
    expect(await seen()).toBe('');
    expect((await config()).replace(/\nvif = \[\]$/, '')).toBe(before);
    await machine.run('ip link del xenbr9');
  }, 600_000);

  it('and its file are unchanged if a later step fails', async () => {
    const before = [await config(), await given()];
    const fault = await layFault(machine, { tool: 'xl', mode: 'fail', words: ['sched-credit2'] });

    await bofh('vm set web1 memory=112m vcpus=1 cpu-weight=300', 5);
    await fault.remove();

    expect([await config(), await given()]).toEqual(before);
  });

  it('and its file are unchanged after the recovery of a killed bofh', async () => {
    const before = [await config(), await given()];
    const fault = await layFault(machine, {
      tool: 'xl',
      mode: 'act-then-kill-caller',
      words: ['mem-set'],
      times: 1,
    });

    await machine.run('bofh vm set web1 memory=112m', { check: 'return', timeoutMs: 120_000 });
    await fault.remove();
    await bofh('recover --yes');

    expect([await config(), await given()]).toEqual(before);
    expect(await text('ls -A /etc/xen | grep -c bofh || true')).toBe('0');
  });

  it('is paused and resumed, also after others paused it', async () => {
    await bofh('vm pause web1');
    expect(await text('xl list web1')).toMatch(/ --p--- /);
    expect(await bofh('vm pause web1')).toContain('paused already: nothing to do');
    await machine.run('xl pause web1');

    await bofh('vm resume web1');

    expect(await text('xl list web1')).not.toMatch(/ --p--- /);
    expect(await bofh('vm resume web1')).toContain('runs already: nothing to do');
    expect(await bofh('vm wait web1 --for stopped --time 1s', 1)).toContain('is not stopped after 1 s');
  });

  it('has a console that Ctrl-] leaves', async () => {
    const said = await text(
      `(sleep 25; printf '\\035') | timeout 120 script -qec 'bofh vm console web1' /dev/null; echo "ended $?"`,
      150_000,
    );
    expect(said).toContain('Ctrl-] leaves it');
    expect(said).toMatch(/ended 0$/);
  });

  it('is renamed with its file, volumes and link, and boots under its new name', async () => {
    expect(await bofh('vm rename web1 shop', 1)).toContain('bofh vm rename web1 shop --restart');

    expect(await bofh('vm rename web1 shop --restart')).toMatch(/and runs as domain \d+/);

    expect(await text('lvs --noheadings -o lv_name vg0 | sort | xargs')).toBe('shop-root shop-swap');
    expect(await text('ls /etc/xen/*.cfg /etc/xen/auto')).toMatch(/^\/etc\/xen\/shop.cfg\n\n.*:\nshop.cfg$/);
    expect(await text('xl list')).toMatch(/^shop /m);
    expect(await text('xl list')).not.toMatch(/^web1 /m);
    // The host name inside stays.
    await shown('shop is up', 'cat /var/log/xen/console/guest-shop.log', /guest web1 up/);
    expect(await given('shop')).toEqual([128, 2, 512]);
    expect(await config('shop')).toContain('# the shop: 96 MiB were enough in 2019\n');
  });

  it('runs under its old name if the start under the new one fails', async () => {
    const before = await config('shop');
    const fault = await layFault(machine, {
      tool: 'xl',
      mode: 'act-then-fail',
      words: ['create', '*web2.cfg', '!-N'],
    });

    await bofh('vm rename shop web2 --restart', 5);
    await fault.remove();

    expect(await config('shop')).toBe(before);
    expect(await text('lvs --noheadings -o lv_name vg0 | sort | xargs')).toBe('shop-root shop-swap');
    expect(await text('xl list')).toMatch(/^shop /m);
  });

  it('leaves nothing behind after it was stopped, renamed back and removed', async () => {
    await bofh('vm stop shop --force');
    expect(await bofh('vm wait shop --for stopped')).toContain('shop is off');
    await bofh('vm rename shop web1');
    await bofh('vm set web1 autostart=no');
    await bofh('--yes vm remove web1');

    expect(await text('lvs --noheadings vg0; ls /etc/xen/*.cfg 2>/dev/null; ls -A /etc/xen/auto')).toBe('');
    expect(await text('ls /var/lib/bofh/journal | grep -c journal$ || true')).toBe('0');
  });
});

interface Given {
  readonly target_memkb: number;
  readonly avail_vcpus: readonly number[];
  readonly sched_params: { readonly weight: number };
}

const missing = { config: { b_info: { target_memkb: 0, avail_vcpus: [], sched_params: { weight: 0 } } } };
