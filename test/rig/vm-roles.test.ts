import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a guest from a directory, with roles, on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.run(
      'mkdir -p /mnt /srv/root; tar -xpf /srv/guest.tar -C /srv/root; cd /srv/root; mkdir -p proc sys dev run; ln bin/busybox bin/second; chown 7:8 etc',
    );
    await role('web', 'echo "$NAME" >/etc/role; echo kept >/srv/data/from-role; exec sleep 0');
    await role('broken', 'echo E: no such package; exit 7');
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 240_000 });
  const role = (name: string, lines: string) =>
    machine.putText(`/etc/bofh/roles.d/${name}`, `#!/bin/sh\n${lines}\n`, 0o755);
  const create =
    'vm create web1 --source dir:/srv/root --size 64m --memory 96m --disk data=32m,mount=/srv/data --role web';
  const state = () =>
    text(
      'lvs --noheadings -o lv_name vg0 | sort; ls /etc/xen/*.cfg 2>/dev/null; findmnt -rn -o TARGET | grep bofh; true',
    );

  it('is undone if a role fails, or bofh is killed after it', async () => {
    const before = await state();
    expect(await bofh(`${create} --role broken`, 5)).toContain(
      'broken failed: exit 7; it said last: E: no such package',
    );
    expect(await state()).toBe(before);

    await killedAt(machine, create, { tool: 'unshare', words: ['*--pid*'] });
    await bofh('recover --yes');
    expect(await state()).toBe(before);
  }, 600_000);

  it('has the files of the directory, and those of the role, and starts', async () => {
    await bofh(create);
    await bofh('vm mount web1 /mnt');

    expect(await text('cat /mnt/etc/role /mnt/srv/data/from-role')).toBe('web1\nkept');
    expect(await text('stat -c "%u:%g %h" /mnt/etc /mnt/bin/busybox')).toMatch(/^7:8 \d+\n0:0 [2-9]\d*$/);
    expect(await text('cd /srv/root; find bin -type f -exec cmp {} /mnt/{} \\;')).toBe('');
    await bofh('vm unmount web1');
    await bofh('vm start web1');
    // It does not listen to Xen: it is powered off, and its filesystems are not clean.
    await bofh('vm stop web1 --time 5s --force');
  }, 600_000);

  it('keeps its disks if a description fails that is applied while it is off', async () => {
    const provision = 'vm provision web1 /root/guest/web.ts';
    await machine.putText(
      '/root/guest/web.ts',
      `import { defineHost } from 'bofh';
export default defineHost((h) => {
  h.file('/etc/motd', { content: 'changed\\n' });
});
`,
    );
    const disks = () =>
      text('sha256sum /dev/vg0/web1-root /dev/vg0/web1-data; lvs --noheadings -o lv_uuid vg0');
    expect(await bofh(provision, 1)).toContain('or e2fsck -p /dev/vg0/web1-root');
    await text('e2fsck -p /dev/vg0/web1-root || test $? -eq 1');
    const before = await disks();
    // The `ip` of busybox knows no -json: the description fails there, after the snapshots were mounted.
    expect(await bofh(provision, 5)).toMatch(
      /the description .*web\.ts failed: exit 1; it said last: bofh: ip -json/,
    );
    expect(await disks()).toBe(before);

    await bofh('--yes vm remove web1');
    expect(await state()).toBe('');
  }, 900_000);
});
