import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { installBofh } from '../support/dom0/install.ts';
import { installerIso } from '../support/dom0/installer-iso.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { available, bootMachine, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('a guest that installs itself, on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.putText('/srv/install.iso.base64', installerIso().toString('base64'));
    await machine.run('base64 -d /srv/install.iso.base64 >/srv/install.iso; mkdir /srv/backup');
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 500_000 });
  const create = 'vm create pc --type hvm --source blank --cdrom /srv/install.iso --size 64m --memory 64m';
  const state = () =>
    text('lvs --noheadings -o lv_name vg0 | sort; ls /etc/xen/*.cfg 2>/dev/null; xl list | wc -l');
  /** The first sector that its installer writes, and the second that its own boot loader writes. */
  const boots = (sector: number, disk = '/dev/vg0/pc-root') =>
    until({
      what: `sector ${String(sector)} of ${disk} is written`,
      timeoutMs: 600_000,
      everyMs: 3000,
      probe: async () => {
        const read = `dd if=${disk} bs=512 count=1 skip=${String(sector)} iflag=direct status=none`;
        return (await text(`${read} | od -An -tx1 -j510`)) === '55 aa' ? true : undefined;
      },
    });

  it('is undone if bofh is killed while its emulated PC starts', async () => {
    const before = await state();
    await killedAt(machine, `${create} --start`, { tool: 'xl', words: ['create'] });
    await bofh('recover --yes');
    expect(await state()).toBe(before);
  }, 900_000);

  it('boots the installer from the CD-ROM, because its disk is blank, and then its disk', async () => {
    expect(await bofh(`${create} --start`)).toContain('see its screen: xl vncviewer pc');
    expect(await text('xl vncviewer --help 2>&1 | head -1; ss -ltn | grep -c 127.0.0.1:59')).toMatch(/\b1$/);
    await boots(0);

    expect(await bofh('vm stop pc --time 5s --force')).toContain('pc');
    await bofh('vm start pc');
    await boots(1);
  }, 1_800_000);

  it('boots a copy of its disk that was made as an image, on a volume without old data', async () => {
    await text(`dd if=/dev/vg0/pc-root of=/srv/pc.img bs=1M count=32 status=none
dd if=/dev/zero of=/srv/pc.img bs=512 seek=1 count=1 conv=notrunc status=none
printf 'label: dos\\n2048,,83\\n' | sfdisk --quiet /srv/pc.img; qemu-img convert -O qcow2 /srv/pc.img /srv/pc.qcow2
lvcreate --quiet --yes --wipesignatures n --name old --size 64m vg0; dd if=/dev/urandom of=/dev/vg0/old bs=1M status=none || true
lvremove --quiet --yes vg0/old`);
    const planned = await bofh('--dry-run vm create copy --type hvm --source image:/srv/pc.img --memory 64m');
    expect(planned).toContain('qemu-img convert');
    await bofh('vm create copy --type hvm --source image:/srv/pc.qcow2 --size 64m --memory 64m');
    expect(await text('cmp --bytes=33554432 /srv/pc.img /dev/vg0/copy-root && echo same')).toBe('same');
    const tail = 'dd if=/dev/vg0/copy-root bs=1M skip=32 status=none | tr -d "\\0" | wc -c';
    expect(await text(tail)).toBe('0');
    await bofh('vm start copy');
    await boots(1, '/dev/vg0/copy-root');
    await bofh('--yes vm remove copy --force-off');
  }, 900_000);

  it('loses its CD-ROM drive from the next start on', async () => {
    expect(await bofh('vm disk detach pc hdc --now', 1)).toContain('xl cd-eject pc hdc');
    await bofh('vm disk detach pc hdc');
    expect(await bofh('vm restart pc --time 5s --force')).toContain('pc');
    expect(await bofh('vm show pc')).not.toContain('hdc');
  }, 900_000);

  it('is saved and restored with what it installed, and leaves only the image when it is removed', async () => {
    await bofh('vm stop pc --force-off');
    const hash = await text('sha256sum </dev/vg0/pc-root');
    const file = /\/srv\/backup\/pc\.\S+\.json/.exec(await bofh('vm backup pc /srv/backup'))?.[0] ?? '';
    await bofh('--yes vm remove pc');
    await bofh(`vm restore ${file}`);
    expect(await text('sha256sum </dev/vg0/pc-root')).toBe(hash);

    await bofh('--yes vm remove pc');
    expect(await text('lvs --noheadings vg0; ls /etc/xen/*.cfg 2>/dev/null || true')).toBe('');
    expect(await text('ls /srv/install.iso')).toBe('/srv/install.iso');
  }, 900_000);
});
