import { beforeEach, describe, expect, test } from 'vitest';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { qcow2 } from '../../../src/simulator/tools/copy/qemu-img.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { testSweep } from '../simulator/sweep.ts';
import { argvOf } from '../simulator/support.ts';

const emulator = '/usr/libexec/xen-qemu-system-i386';
const usual = 'vm create web1 --source blank --size 256m --memory 128m --vg vg0';
const hvm = `${usual} --type hvm --cdrom /srv/install.iso`;
const pv = `${usual} --kernel /boot/vmlinuz --ramdisk /boot/initrd`;

const prepared = (): SimulatedHost => {
  const fresh = simulatedHost();
  for (const path of ['/boot/vmlinuz', '/boot/initrd', '/srv/install.iso', emulator])
    fresh.admin.writeFile(path, 'x');
  return fresh;
};
let host: SimulatedHost;
beforeEach(() => {
  host = prepared();
});

const said: string[] = [];
const run = async (words: string, yes = false, on = host) => {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host: on }), { yes });
  const code = await runVerb(runtime, words);
  said.splice(0, said.length, ...stdout().split('\n'));
  return code;
};
const config = () => host.admin.readFile('/etc/xen/web1.cfg').split('\n');

describe('bofh vm create --source blank', () => {
  test('an HVM guest has its CD-ROM drive between its disks, and vm remove leaves the image', async () => {
    const before = host.snapshot();
    expect(await run(`${hvm} --disk data=64m --disk more=64m --disk last=64m --start`)).toBe(0);

    expect(config()).toEqual(
      expect.arrayContaining([
        'type = "hvm"',
        'boot = "cd"',
        'serial = "pty"',
        'vnc = 1',
        'vnclisten = "127.0.0.1"',
        ...['root,hda', 'data,hdb', 'more,hdd', 'last,xvde'].map(
          (disk) => `  "phy:/dev/vg0/web1-${disk},w",`,
        ),
        '  "format=raw,vdev=hdc,access=ro,devtype=cdrom,target=/srv/install.iso",',
      ]),
    );
    expect(said.join('\n')).toContain('xl vncviewer web1');
    expect(await run('vm remove web1 --force-off', true)).toBe(0);
    expect(host.snapshot()).toBe(before);
  });

  test('what a disk contained before cannot be read in the guest', async () => {
    await run(hvm);
    const zeroed = argvOf(host, 'blkdiscard').map((argv) => argv.at(-1));
    expect(zeroed).toHaveLength(1);
  });

  test('a line of --extra replaces a usual setting', async () => {
    await run(`${hvm} --extra vnclisten="0.0.0.0"`);
    expect(config().filter((line) => line.startsWith('vnclisten'))).toEqual(['vnclisten="0.0.0.0"']);
  });

  test('a PV guest boots the kernel of an installer', async () => {
    expect(await run(`${pv} --start`)).toBe(0);
    expect(config()).toEqual(
      expect.arrayContaining(['kernel = "/boot/vmlinuz"', 'disk = ["phy:/dev/vg0/web1-root,xvda,w"]']),
    );
  });

  test('its CD-ROM drive is not saved, and can be removed', async () => {
    await run(hvm);
    host.admin.mkdir('/srv/backup');
    expect(await run('vm backup web1 /srv/backup')).toBe(0);
    const [backup = ''] = /\/srv\/backup\/web1\.\S+\.json/.exec(said.join('\n')) ?? [];
    const before = config();
    expect(await run('vm remove web1', true)).toBe(0);
    expect(await run(`vm restore ${backup}`, true)).toBe(0);
    expect(config()).toEqual(before);

    expect(await run('vm snapshot create web1 first')).toBe(0);
    expect(await run('vm snapshot restore web1 first', true)).toBe(0);
    expect(said.join('\n')).not.toContain('install.iso');
    expect(await run('vm disk detach web1 hdc', true)).toBe(0);
    expect(config().join('\n')).not.toContain('install.iso');
  });

  test.each([
    [usual, /name the kernel and the ramdisk of an installer/],
    [`${usual} --type hvm`, /name an ISO image: --cdrom FILE/],
    [`${pv} --boot grub`, /nothing can be installed/],
    [`${pv} --cdrom /srv/install.iso`, /only a guest of type hvm has a CD-ROM drive/],
    [`${hvm} --kernel /boot/vmlinuz --ramdisk /boot/initrd`, /not from a kernel of this host/],
    [`${hvm} --drbd there`, /cannot have replicated disks/],
    [`${hvm} --disk hdb=64m`, /hda to hdd, and xvd… are reserved/],
    [`${hvm} --hostname web`, /--hostname changes the root filesystem/],
    [`${hvm} --ip dhcp`, /--ip changes the root filesystem/],
    [`${hvm} --role web`, /--role changes the root filesystem/],
    [`${hvm} --swap 64m`, /--swap needs a line in the root filesystem/],
    [`${hvm} --disk data=64m,mount=/srv`, /mount= of the disk data needs a line in the root filesystem/],
    [hvm.replace('install.iso', 'no.iso'), /--cdrom: there is no file \/srv\/no.iso/],
    [
      'vm create web1 --source tar:/srv/x.tar --size 1g --type hvm',
      /--type hvm is for the image of a disk, or for a blank disk/,
    ],
  ])('refuses %s and changes nothing', async (words, why) => {
    const before = host.snapshot();
    const error = await rejectionOf(run(words));
    expect(error).toBeInstanceOf(UsageError);
    expect(`${String(error)} ${String((error as UsageError).remedy)}`).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('refuses an HVM guest without the emulator, unless another one is named', async () => {
    host.admin.removeFile(emulator);
    const error = await rejectionOf(run(hvm));
    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).remedy).toMatch(/^install it: apt-get install qemu-system-xen/);
    expect(await run(`${hvm} --extra device_model_override="/opt/qemu"`)).toBe(0);
  });
});

describe('bofh vm create --type hvm --source image:FILE', () => {
  const mib = 1024 ** 2;
  const linux = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
  const disk = qcow2({
    ...{ size: 20 * mib },
    partitions: [{ from: mib, size: 16 * mib, type: linux, uuid: '5e1f0000-0000-4000-8000-000000000001' }],
  });
  const appliance = usual.replace('blank --size 256m', 'image:/srv/appliance.qcow2') + ' --type hvm';
  beforeEach(() => {
    host.admin.writeFile('/srv/appliance.qcow2', disk);
  });

  test('copies the whole disk, on a volume that has no old data after it', async () => {
    const before = host.snapshot();
    expect(await run(`${appliance} --size 64m --start`)).toBe(0);
    expect(config()).toEqual(expect.arrayContaining(['disk = ["phy:/dev/vg0/web1-root,hda,w"]']));
    const commands = host.changes.flatMap((each) => (each.what === 'command' ? [each.command] : []));
    const at = ({ tool, argv }: (typeof commands)[number]) => `${tool} ${argv.join(' ')}`;
    const wiped = commands.findIndex((each) => at(each).startsWith('blkdiscard --zeroout'));
    const copied = commands.findIndex((each) => at(each).startsWith('qemu-img convert'));
    expect([wiped >= 0, copied > wiped]).toEqual([true, true]);
    expect(commands.filter(({ tool }) => ['mount', 'resize2fs', 'tune2fs'].includes(tool))).toEqual([]);
    expect(said.join('\n')).toContain('xl vncviewer web1');
    expect(said.join('\n')).not.toContain('hdc');
    expect(await run('vm remove web1 --force-off', true)).toBe(0);
    expect(host.snapshot()).toBe(before);
  });

  test('says how its system opens an encrypted disk, because bofh writes no line into it', async () => {
    host.admin.writeFile('/root/key', 'secret', 0o600);
    await run(`${appliance} --disk data=64m,luks=/root/key`);
    expect(said.join('\n')).toMatch(/to open data in the guest, add to its \/etc\/crypttab: data UUID=/);
    expect(said.join('\n')).not.toContain('cryptsetup-keys.d');
  });

  test('a dry run says that it cannot read a qcow2, and what to do', async () => {
    const before = host.snapshot();
    const { runtime } = testRuntime(simulatedBofh({ host }), { dryRun: true });
    const error = await rejectionOf(runVerb(runtime, `${appliance} --size 64m`));
    expect(String(error)).toContain('cannot tell what is in /srv/appliance.qcow2');
    expect(error).toMatchObject({ remedy: expect.stringContaining('qemu-img convert -O raw') as string });
    expect(host.snapshot()).toBe(before);
  });

  test('is as large as the disk of the image, and may have a CD-ROM, for example with settings', async () => {
    expect(await run(`${appliance} --cdrom /srv/install.iso`)).toBe(0);
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.extents).toBe(5);
    expect(config().join()).toContain('target=/srv/install.iso');
  });

  test.each([
    [`${appliance} --partition 1`, /whole disk of the image, not one partition/],
    [`${appliance} --hostname web`, /--hostname changes the root filesystem, and bofh copies .* as it is/],
    [`${appliance} --size 16m`, /has 20 MiB, more than --size 16 MiB/],
    [`${appliance} --boot grub`, /not from a kernel of this host/],
    [appliance.replace('appliance', 'root'), /has no partition table, so a guest of type hvm cannot boot/],
  ])('refuses %s and changes nothing', async (words, why) => {
    host.admin.writeFile('/srv/root.qcow2', qcow2({ size: 16 * mib }));
    const before = host.snapshot();
    expect(String(await rejectionOf(run(words)))).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  testSweep({
    start: () => {
      const fresh = prepared();
      fresh.admin.writeFile('/srv/appliance.qcow2', disk);
      return Promise.resolve(fresh);
    },
    work: (on) => run(`${appliance} --start`, false, on),
  });
});

describe('a fault in vm create --type hvm', () => {
  testSweep({
    start: () => Promise.resolve(prepared()),
    work: (on) => run(`${hvm} --disk data=64m --start`, false, on),
  });
});
