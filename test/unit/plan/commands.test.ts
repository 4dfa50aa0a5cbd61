import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as filesystem from '../../../src/api/filesystem.ts';
import * as lvm from '../../../src/api/lvm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { journalPrune, plan } from '../../../src/cli/output/answers/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { backupVm, planBackup } from '../../../src/vm/backup.ts';
import { debianBoot, hostWithServer, hostWithSource, oldMenu, site, vmCreate } from '../simulator/support.ts';
import { partitionedDisk } from '../../support/undo/specimens/block.ts';
import {
  changeSubvolume,
  largeVolume,
  plainPool,
  pool,
  secondDevice,
  secondPool,
} from '../../support/undo/specimens/btrfs.ts';
import { replicatedVolumes, web1Resource } from '../../support/undo/specimens/drbd.ts';
import { changingVerbs, madeLines, plannedLines, typed } from './support.ts';

const work = mkdtempSync(join(tmpdir(), 'bofh-plan-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A line that is typed, and the host that it is typed on. */
type Scenario = readonly [line: string, on: () => SimulatedHost | Promise<SimulatedHost>];

const kernel = '--kernel /boot/vmlinuz-6.1.0-18-amd64 --ramdisk /boot/initrd.img-6.1.0-18-amd64';
const create = `vm create web1 --source tar:/srv/debian.tar --size 64m ${kernel}`;

async function withGuest(start: boolean): Promise<SimulatedHost> {
  const host = hostWithSource();
  await vmCreate(simulatedBofh({ host, site }), { start });
  return host;
}

const luksKey = { from: 'file', path: '/root/data.key' } as const;

function withKey(host: SimulatedHost): SimulatedHost {
  host.admin.writeFile('/root/data.key', 'secret', 0o600);
  return host;
}

const oldBackup = '/srv/backup/web1.20250101T000000Z.json';

/** A running guest, and its backup of last year; or that alone. */
async function withBackup(backups: 'none' | 'one' | 'one, and a guest'): Promise<SimulatedHost> {
  const host = await withGuest(true);
  host.admin.mkdir('/srv/backup');
  const bofh = simulatedBofh({ host, site });
  if (backups !== 'none')
    await withBofh(bofh, async () => {
      const [directory, now] = ['/srv/backup', new Date(Date.UTC(2025, 0, 1))];
      const plan = await planBackup({ hosts: { host }, site, name: 'web1', directory, how: {}, now });
      await atomic('vm backup', (tx) => backupVm(tx, { host }, plan));
    });
  if (backups === 'one') await typed(host, ['--yes', 'vm', 'remove', 'web1', '--force-off']);
  return host;
}

/** Its guest runs a guest agent. */
function withAgent(host: SimulatedHost): SimulatedHost {
  for (const domain of host.world.domains) {
    const socket = `/run/xen/${domain.name}.sock`;
    domain.agent = { socket, filesystems: 'thawed', answers: 'always' };
  }
  return host;
}

/** A guest that is off, and was changed since its snapshot. */
async function withSnapshot(): Promise<SimulatedHost> {
  const host = await withGuest(false);
  await typed(host, ['vm', 'snapshot', 'create', 'web1', 'before']);
  await typed(host, ['vm', 'set', 'web1', 'memory=256m']);
  return host;
}

const today = new Date().toISOString().slice(0, 10);

async function withBase(): Promise<SimulatedHost> {
  const host = simulatedHost();
  await typed(host, ['vm', 'base', 'create', 'bookworm']);
  return host;
}

/** A volume with nothing on it, or with what has no uuid. */
function withBlank(type?: string): SimulatedHost {
  const host = hostWithSource();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 80 });
  if (type !== undefined) host.admin.format('/dev/vg0/web1-root', { type, usage: 'filesystem' });
  return host;
}

/** A volume with a filesystem of half its size, which is mounted. */
async function withMounted(type: 'ext4' | 'xfs'): Promise<SimulatedHost> {
  const host = hostWithSource();
  const device = '/dev/vg0/web1-root';
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 16 });
  host.admin.format(device, {
    type,
    usage: 'filesystem',
    uuid: '5e1f0000-0000-4000-8000-000000000001',
    blocks: 8192,
  });
  host.admin.mount(device, '/mnt');
  return host;
}

function withReplicated(state: Parameters<typeof replicatedVolumes>[1]): SimulatedHost {
  const host = hostWithSource();
  replicatedVolumes(host, state);
  return host;
}

/** With the file that the packages of Debian and of LINBIT bring. */
function withCommon(host: SimulatedHost): SimulatedHost {
  host.admin.writeFile('/etc/drbd.d/global_common.conf', 'common {\n  net {\n    protocol C;\n  }\n}\n');
  return host;
}

/** A resource of one volume, connected, and as this verb wants it. */
function withPeer(
  verb: 'resize' | 'new-current-uuid' | 'invalidate' | 'invalidate-remote' | 'verify',
): SimulatedHost {
  const host = hostWithSource();
  const isNew = verb === 'new-current-uuid';
  replicatedVolumes(host, 'not configured');
  const text = web1Resource.replaceAll(/ {4}volume 1 \{[^}]*\}\n/g, '');
  host.admin.writeFile(
    '/etc/drbd.d/web1.res',
    text.replace('protocol C;', 'protocol C;\n    verify-alg crc32c;'),
  );
  host.admin.drbdMetadata('/dev/vg0/web1-root', '3bde6cc090b82310', isNew ? 'Inconsistent' : 'UpToDate');
  host.admin.drbdadm('up', 'web1');
  host.admin.setDrbd('web1', {
    ...{ connection: 'Connected', role: verb === 'resize' ? 'Primary' : 'Secondary' },
    peer: { role: 'Secondary', disk: isNew ? 'Inconsistent' : 'UpToDate' },
  });
  if (verb === 'resize')
    for (const { volumes } of host.world.drbd.resources.filter(({ name }) => name === 'web1'))
      for (const volume of volumes) volume.size -= 4 * 1024 ** 2;
  return host;
}

/** An image, and beside it a foreign one that is attached. */
function withImage(): SimulatedHost {
  const host = hostWithSource();
  host.admin.writeFile('/srv/web1.img', 'x'.repeat(4096));
  host.admin.writeFile('/srv/other.img', 'y'.repeat(4096));
  host.admin.losetup('/srv/other.img');
  return host;
}

/** A host on which a process was killed at one of its changes. */
async function killedAt(line: string, nth: number, host: SimulatedHost): Promise<SimulatedHost> {
  host.fault({ nth, mode: 'acts then crash' });
  await expect(typed(host, ['--yes', ...line.split(' ')])).rejects.toThrow();
  host.clearFaults();
  return host.restart();
}

function withTables(): SimulatedHost {
  const host = hostWithSource();
  host.admin.writeFile('/etc/fstab', '/dev/vda / ext4 defaults 0 1\n/dev/vda /srv ext4 bind 0 0\n');
  host.admin.writeFile('/etc/crypttab', 'old UUID=x none\n');
  return host;
}

/** The program itself is on the host: the units name it. */
function withProgram(more?: 'and a pool'): SimulatedHost {
  const host = hostWithSource();
  host.admin.mkdir('/etc/systemd/system');
  for (const path of [process.execPath, realpathSync(process.argv[1] ?? '')])
    host.admin.writeFile(path, '', 0o755);
  if (more !== undefined) pool(host);
  return host;
}

function withPlainPool(): SimulatedHost {
  const host = hostWithSource();
  plainPool(host);
  return host;
}

function withPool(more?: 'and a second one'): SimulatedHost {
  const host = hostWithSource();
  pool(host);
  if (more !== undefined) secondPool(host);
  return host;
}

/** The same, which counts what its subvolumes take. */
function withQuota(): SimulatedHost {
  const host = withPool();
  host.admin.btrfs('quota', 'enable', '/srv/pool');
  return host;
}

/** The same, and a volume that is in it, or could be. */
function withMore(holds: 'blank' | 'ext4' | 'in the pool'): SimulatedHost {
  const host = withPool();
  if (holds === 'in the pool') secondDevice(host);
  else largeVolume(host, 'more');
  if (holds === 'ext4') host.admin.format('/dev/vg0/more', { type: 'ext4', usage: 'filesystem' });
  return host;
}

/** A host with a second disk; labelled: it is a free physical volume. */
function withDisk(content: 'blank' | 'labelled' = 'blank'): SimulatedHost {
  const host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }] });
  const uuid = 'free00-0000-0000-0000-0000-0000-000001';
  const label = { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' } as const;
  if (content === 'labelled') host.admin.format('/dev/vdz', label);
  return host;
}
const luksUuid = '5e1f0000-0000-4000-8000-0000000000cc';

/** An encrypted disk, a blank one, and the key in a file. */
function withEncrypted(): SimulatedHost {
  const disks = ['vdy', 'vdz'].map((name) => ({ name, size: 64 * 1024 ** 2 }));
  const host = simulatedHost({ disks });
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
  host.admin.luksFormat({ device: '/dev/vdz', uuid: luksUuid, key: 'geheim', moreKeys: { 3: 'anders' } });
  return host;
}

/** The same, and one key alone opens it. */
function withOneKey(): SimulatedHost {
  const host = withEncrypted();
  host.admin.luksFormat({ device: '/dev/vdz', uuid: luksUuid, key: 'geheim' });
  return host;
}

/** The same as the first, with the header of the encrypted disk in a file. */
function withDetached(how: 'closed' | 'open' = 'closed'): SimulatedHost {
  const host = withEncrypted();
  host.admin.luksHeaderBackup('/dev/vdz', '/srv/header');
  if (how === 'open') host.admin.luksOpen('/dev/vdz', 'web1');
  host.admin.format('/dev/vdz', undefined);
  return host;
}

/** The encrypted disk, open as web1. */
function withOpen(size?: number): SimulatedHost {
  const host = withEncrypted();
  host.admin.luksOpen('/dev/vdz', 'web1');
  for (const mapping of host.world.mappings) mapping.size = size ?? mapping.size;
  return host;
}

/** A disk that has been made larger than the filesystem on it. */
function halfFilled(): SimulatedHost {
  const host = simulatedHost({ disks: [{ name: 'vdd', size: 256 * 1024 ** 2 }] });
  const uuid = '0c0ffee0-0000-4000-8000-000000000002';
  host.admin.format('/dev/vdd', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0', blocks: 32768 });
  return host;
}

function withPartition(): SimulatedHost {
  const host = simulatedHost({ disks: [{ name: 'vdx', size: 64 * 1024 ** 2 }] });
  partitionedDisk(host, 'gpt');
  return host;
}

/** A volume with a copy on another disk. */
function withCopied(): SimulatedHost {
  const host = withDisk('labelled');
  host.admin.lvcreate({ vg: 'vg0', name: 'two', extents: 4 });
  host.admin.vgextend('vg0', '/dev/vdz');
  host.admin.addCopy('vg0', 'two', '/dev/vdz');
  return host;
}

function withGroup(): SimulatedHost {
  const host = withDisk('labelled');
  host.admin.vgcreate('vg1', ['/dev/vdz']);
  return host;
}

function withExt4(host: SimulatedHost, device: string): SimulatedHost {
  const uuid = '5e1f0000-0000-4000-8000-000000000003';
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  return host;
}

function withThin(): SimulatedHost {
  const host = hostWithSource();
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
  host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 32 });
  return host;
}

const script = join(work, 'disks.ts');
writeFileSync(
  script,
  `import { atomic, lvm } from 'bofh';
   await atomic('a disk', async (tx) => {
     const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'one', size: '100mb' });
     await tx.filesystem.create({ device: lv.path, type: 'ext4' });
   });
   await lvm.removeLv({ vg: 'vg0', name: 'one' });`,
);

/** A disk whose filesystem has errors. */
function withDamaged(type: 'ext4' | 'xfs' | 'vfat'): SimulatedHost {
  const host = simulatedHost({ disks: [{ name: 'vdd', size: 256 * 1024 ** 2 }] });
  const uuid = type === 'vfat' ? 'ABCD-1234' : '0c0ffee0-0000-4000-8000-000000000002';
  host.admin.format('/dev/vdd', { type, usage: 'filesystem', uuid, errors: 'slight' });
  return host;
}

/** At least one for each verb that changes the host. */
const scenarios: readonly Scenario[] = [
  [create, hostWithSource],
  [`${create} --swap 16m --start`, hostWithSource],
  [`${create} --disk data=16m,mount=/srv/www --disk log=128m,fs=btrfs`, hostWithSource],
  [`${create} --disk data=64m,mount=/srv/www,luks=/root/data.key --start`, () => withKey(hostWithSource())],
  [
    'vm create web1 --source tar:/srv/debian.tar --size 64m --boot grub',
    () =>
      hostWithServer([
        ...debianBoot,
        { path: './boot/grub/', type: 'directory' },
        { path: './boot/grub/grub.cfg', content: oldMenu },
      ]),
  ],
  [
    `vm create web1 --source image:/srv/web.img --size 64m ${kernel}`,
    async () => {
      const host = hostWithSource();
      await withBofh(simulatedBofh({ host, site }), () =>
        filesystem.createImage({ file: '/srv/web.img', size: '16m', type: 'ext4' }),
      );
      return host;
    },
  ],

  ['vm remove web1', () => withGuest(false)],
  ['vm remove web1 --stop', () => withGuest(true)],
  ['vm remove web1 --force-off', () => withGuest(true)],
  ['xen start web1', () => withGuest(false)],
  ['vm start web1', () => withGuest(false)],
  ['xen stop web1', () => withGuest(true)],

  ['vm stop web1', () => withGuest(true)],
  ['vm stop web1 --force', () => withGuest(true)],
  ['vm stop web1 --force-off', () => withGuest(true)],
  ['vm restart web1', () => withGuest(true)],

  ['vm set web1 memory=64m cpu-weight=512 autostart=yes', () => withGuest(true)],
  ['vm set web1 memory=1g', () => withGuest(false)],
  [
    'vm set web1 autostart=no',
    async () => {
      const host = await withGuest(false);
      host.admin.symlink('/etc/xen/auto/web1.cfg', '../web1.cfg');
      return host;
    },
  ],

  [
    'vm rename web1 shop',
    async () => {
      const host = await withGuest(false);
      host.admin.symlink('/etc/xen/auto/web1.cfg', '../web1.cfg');
      return host;
    },
  ],
  ['vm rename web1 shop --restart', () => withGuest(true)],

  ['vm backup web1 /srv/backup', () => withBackup('none')],
  ['vm backup web1 /srv/backup', async () => withAgent(await withBackup('none'))],
  ['vm backup web1 /srv/backup --no-freeze', async () => withAgent(await withBackup('none'))],
  ['vm backup web1 /srv/backup --keep 1', () => withBackup('one, and a guest')],

  [`vm restore ${oldBackup} --as shop --start`, () => withBackup('one, and a guest')],
  [`vm restore ${oldBackup}`, () => withBackup('one')],

  ['vm base create bookworm --package vim', simulatedHost],
  ['vm base create trixie', withBase],
  [`vm base remove bookworm-${today}`, withBase],

  ['vm snapshot create web1 before', () => withGuest(true)],
  ['vm snapshot create web1 before', async () => withAgent(await withGuest(true))],
  ['vm snapshot create web1 before --size 32m', () => withGuest(false)],
  ['vm snapshot restore web1 before', withSnapshot],
  ['vm snapshot remove web1 before', withSnapshot],

  ['vm clone web1 shop', () => withGuest(false)],
  ['vm clone web1 shop --memory 64m --start', () => withGuest(false)],

  ['vm resize web1 root +8m', () => withGuest(false)],
  ['vm resize web1 xvda min', () => withGuest(false)],
  ['vm resize web1 root 96m', () => withGuest(true)],

  ['vm disk create web1 data --size 16m --mount /srv', () => withGuest(false)],
  ['vm disk create web1 data --size 112m --fs btrfs', () => withGuest(true)],
  [
    'vm disk create web1 data --size 64m --mount /srv --luks /root/data.key',
    async () => withKey(await withGuest(false)),
  ],

  [
    'vm disk attach web1 /dev/vg0/spare',
    async () => {
      const host = await withGuest(false);
      host.admin.lvcreate({ vg: 'vg0', name: 'spare', extents: 2 });
      return host;
    },
  ],

  ['vm disk detach web1 xvdb', () => withGuest(true)],
  ['vm disk detach web1 xvdb --now', () => withGuest(true)],

  ['vm interface attach web1 --bridge xenbr0 --mac 00:16:3e:00:00:09', () => withGuest(true)],
  ['vm interface attach web1 --bridge xenbr0 --mac 00:16:3e:00:00:09', () => withGuest(false)],

  [
    'vm interface detach web1 00:16:3e:00:00:09',
    async () => {
      const host = await withGuest(false);
      const text = host.admin.readFile('/etc/xen/web1.cfg');
      host.admin.writeFile('/etc/xen/web1.cfg', `${text}vif = ['mac=00:16:3e:00:00:09,bridge=xenbr0']\n`);
      return host;
    },
  ],
  ['vm disk remove web1 xvdb', () => withGuest(false)],

  [
    'vm provision web1 /srv/web.ts',
    async () => {
      const host = await withGuest(false);
      host.admin.writeFile('/srv/web.ts', '');
      return host;
    },
  ],

  ['vm mount web1', () => withGuest(false)],
  [
    'vm mount web1 /mnt --read-only',
    async () => {
      const host = await withGuest(false);
      host.admin.mkdir('/mnt');
      return host;
    },
  ],

  [
    'vm unmount web1',
    async () => {
      const host = await withGuest(false);
      host.admin.mkdir('/mnt');
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      return host;
    },
  ],
  [
    'vm unmount web1',
    async () => {
      const host = withKey(hostWithSource());
      const disks = [{ name: 'data', size: 64 * 1024 ** 2, fs: 'ext4', luks: { key: luksKey } }] as const;
      await vmCreate(simulatedBofh({ host, site }), { start: false, disks });
      host.admin.luksOpen('/dev/vg0/web1-data', 'theirs');
      return host;
    },
  ],
  ['vm pause web1', () => withGuest(true)],

  [
    'vm resume web1',
    async () => {
      const host = await withGuest(true);
      host.admin.setDomain('web1', 'paused');
      return host;
    },
  ],
  ['xen stop-all', () => withGuest(true)],

  ['xen start-all', () => withGuest(false)],
  [
    'xen start-all',
    async () => {
      const host = await withGuest(false);
      host.admin.setDomain('web10', 'crashed');
      return host;
    },
  ],

  ['filesystem create /dev/vg0/web1-root --type vfat --uuid ABCD-1234', withBlank],
  ['filesystem create /dev/vg0/web1-root --type btrfs --node-size 4096', withBlank],
  ['filesystem create /dev/vg0/web1-root --type xfs --overwrite ext4', () => withBlank('ext4')],

  ['filesystem label /dev/vg0/web1-root root', () => withGuest(false)],
  ['filesystem label /dev/vg0/web1-root data', () => withMounted('xfs')],

  ['filesystem uuid /dev/vg0/web1-root --uuid 5e1f0000-0000-4000-8000-0000000000ff', () => withGuest(false)],

  ['filesystem resize /dev/vg0/web1-root 40m', () => withGuest(false)],
  ['filesystem resize /dev/vg0/web1-root max', () => withMounted('ext4')],
  ['filesystem resize /dev/vg0/web1-root max', () => withMounted('xfs')],

  ['filesystem trim /mnt', () => withMounted('ext4')],
  ['filesystem trim /dev/vg0/web1-root', () => withMounted('xfs')],

  ['lvm pv create /dev/vdz', withDisk],
  [
    'lvm pv create /dev/vdz --overwrite 5e1f0000-0000-4000-8000-000000000001',
    async () => {
      const host = withDisk();
      const uuid = '5e1f0000-0000-4000-8000-000000000001';
      host.admin.format('/dev/vdz', { type: 'ext4', usage: 'filesystem', uuid });
      return host;
    },
  ],

  ['lvm vg create vg1 /dev/vdz --extent-size 1m', () => withDisk('labelled')],
  ['lvm vg rename vg0 vg9', withDisk],

  [
    'lvm pv resize /dev/vdz --size 32m',
    async () => {
      const host = withDisk('labelled');
      host.admin.vgextend('vg0', '/dev/vdz');
      return host;
    },
  ],

  [
    'lvm pv move /dev/vdb --volume vg0/moved',
    async () => {
      const host = withDisk('labelled');
      host.admin.lvcreate({ vg: 'vg0', name: 'moved', extents: 4 });
      host.admin.vgextend('vg0', '/dev/vdz');
      return host;
    },
  ],

  [
    'lvm vg backup vg0 /root/vg0.backup',
    async () => {
      const host = withDisk();
      host.admin.backup('vg0');
      return host;
    },
  ],

  ['lvm vg remove vg1', withGroup],
  ['lvm vg remove vg1 --devices', withGroup],
  ['lvm pv remove /dev/vdz', () => withDisk('labelled')],
  ['lvm vg extend vg0 /dev/vdz', () => withDisk('labelled')],

  [
    'lvm vg reduce vg0 /dev/vdz',
    async () => {
      const host = withDisk('labelled');
      host.admin.vgextend('vg0', '/dev/vdz');
      return host;
    },
  ],

  ['block image create /srv/web1.img 20g', hostWithSource],
  ['block image create /srv/web1.img 2m --allocate', hostWithSource],

  ['block resize /dev/vdd max', halfFilled],
  ['block resize /dev/vdx1 +8m', () => withExt4(withPartition(), '/dev/vdx1')],
  ['block resize /dev/vg0/web1-root +8m', () => withGuest(false)],
  ['block resize /dev/vg0/web1-root -8m', () => withGuest(false)],
  ['block resize /dev/vg0/thin +8m', () => withExt4(withThin(), '/dev/vg0/thin')],

  [`block wipe /dev/vdz --overwrite ${luksUuid}`, withEncrypted],

  [`block discard /dev/vdz --overwrite ${luksUuid}`, withEncrypted],
  [`block zero /dev/vdz --overwrite ${luksUuid}`, withEncrypted],

  ['block partition-table create /dev/vdz', withDisk],
  ['block partition-table create /dev/vdz --type dos', withDisk],

  [
    'block partition add /dev/vdx 8m --type lvm --name data --uuid 5e1f0000-0000-4000-8000-00000000000e',
    withPartition,
  ],
  ['block partition grow /dev/vdx 1 max', withPartition],

  ['block loop attach /srv/web1.img --read-only --offset 512b --size 1k', withImage],

  [
    'block loop detach /dev/loop3',
    async () => {
      const host = withImage();
      host.admin.losetup('/srv/web1.img', { minor: 3, partitions: 'scanned' });
      return host;
    },
  ],
  ['lvm rename vg0/web1-root web2-root', () => withGuest(false)],

  [
    `host apply ${join(work, 'description.mjs')}`,
    async () => {
      writeFileSync(
        join(work, 'description.mjs'),
        `import { defineHost } from 'bofh';
          export default defineHost((h) => {
            h.file('/srv/new/a', { content: 'a', owner: 33 });
            h.directory('/srv/new', { mode: 0o750, acl: ['user:33:rx'], defaultAcl: ['user:33:r'] });
            h.directory('/srv/acl', { acl: ['user:33:rx'], xattrs: { 'user.note': 'x', 'user.old': null } });
            h.file('/srv/acl/a', { content: 'b', acl: ['user:33:r'], xattrs: { 'user.old': 'new' } });
            h.lines('/srv/hosts', { present: ['b'] });
            h.link('/srv/link', { to: 'b' });
            h.absent('/srv/empty');
          });`,
      );
      const of = (entry: string): string => `user::rwx,group::r-x,${entry},mask::r-x,other::---`;
      const host = hostWithSource();
      host.admin.mkdir('/srv/acl');
      host.admin.setAcl('/srv/acl', of('user:7:r-x'), of('group:8:r--'));
      host.admin.writeFile('/srv/acl/a', 'a');
      host.admin.setAcl('/srv/acl/a', of('user:7:r--'));
      for (const path of ['/srv/acl', '/srv/acl/a']) host.admin.setXattr(path, 'user.old', 'old');
      host.admin.writeFile('/srv/hosts', 'a\\n');
      host.admin.symlink('/srv/link', 'a');
      host.admin.mkdir('/srv/empty');
      return host;
    },
  ],

  ['mount add /dev/vg0/web1-root', () => withGuest(false)],
  ['mount add /dev/vg0/web1-root /mnt -o nodev,noatime --read-only', () => withGuest(false)],
  ['mount add --bind /etc /mnt --read-only', hostWithSource],

  ['mount fstab add /dev/vg0/web1-root /mnt --type ext4 -o nodev,nofail --pass 2', () => withGuest(false)],
  ['mount fstab set / --type auto -o noatime', hostWithSource],
  ['mount fstab remove /srv', withTables],

  ['mount crypttab add web1 /dev/vg0/web1-root -o luks', () => withGuest(false)],

  ['mount crypttab set old --device UUID=y -o nofail', withTables],
  ['mount crypttab remove old', withTables],

  [
    'mount remove /mnt',
    async () => {
      const host = await withGuest(false);
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      return host;
    },
  ],

  ['crypt format /dev/vdy --header /srv/header --key file:/etc/key', withEncrypted],
  ['crypt format /dev/vdy --key file:/etc/key', withEncrypted],
  [`crypt format /dev/vdz --type luks1 --key file:/etc/key --overwrite ${luksUuid}`, withEncrypted],

  [
    'crypt add-key /dev/vdz --header /srv/header --key file:/etc/key --new-key file:/etc/hostname',
    withDetached,
  ],
  ['crypt add-key /dev/vdz --key file:/etc/key --new-key file:/etc/hostname', withEncrypted],

  ['crypt change-key /dev/vdz --key file:/etc/key --new-key file:/etc/hostname --slot 5', withEncrypted],
  ['crypt remove-key /dev/vdz 0', withEncrypted],

  ['crypt reencrypt /dev/vdz --key file:/etc/key', withOneKey],
  [
    'crypt reencrypt /dev/vdz --key file:/etc/key --resume',
    async () => {
      const host = withOneKey();
      host.admin.luksReencrypt({ device: '/dev/vdz', key: 'geheim', done: 4096, torn: true });
      return host;
    },
  ],

  [`crypt erase /dev/vdz ${luksUuid}`, withEncrypted],
  [`crypt erase /dev/vdz ${luksUuid} --header /srv/header`, withDetached],

  ['crypt header backup /dev/vdz /srv/header', withEncrypted],

  [
    'crypt header restore /dev/vdz /srv/header',
    async () => {
      const host = withEncrypted();
      host.admin.luksHeaderBackup('/dev/vdz', '/srv/header');
      host.admin.luksFormat({ device: '/dev/vdz', uuid: luksUuid, key: 'neu' });
      return host;
    },
  ],
  ['crypt close web1', withOpen],

  ['crypt resize web1 16m --key file:/etc/key', withOpen],
  ['crypt resize web1 --key file:/etc/key', () => withOpen(16 * 1024 ** 2)],
  ['crypt resize web1 16m --header /srv/header --key file:/etc/key', () => withDetached('open')],

  ['crypt open /dev/vdz --header /srv/header --key file:/etc/key --name web1', withDetached],
  ['crypt open /dev/vdz --key file:/etc/key', withEncrypted],
  ['crypt open /dev/vdz --key file:/etc/key --read-only --name web1', withEncrypted],
  ['btrfs create /srv/pool/new', withPool],
  ['btrfs remove /srv/pool/snapshots/home.foreign', withPool],
  ['btrfs set-default /srv/pool/home', withPool],
  ['btrfs set-mode /srv/pool/home ro', withPool],

  ['btrfs snapshot create /srv/pool/home /srv/pool/snapshots/new', withPool],
  ['btrfs snapshot create /srv/pool/home /srv/pool/new --rw', withPool],

  ['btrfs send /srv/pool/snapshots/home.foreign --to /srv/second', () => withPool('and a second one')],
  ['btrfs send /srv/pool/snapshots/home.foreign --to-file /srv/home.stream', withPool],
  [
    'btrfs send /srv/pool/snapshots/home.foreign --to-device /dev/vg0/more',
    async () => {
      const host = withPool();
      largeVolume(host, 'more');
      return host;
    },
  ],

  [
    'btrfs receive /dev/vg0/more --into /srv/second',
    async () => {
      const host = withPool('and a second one');
      host.admin.btrfs('send', '-f', largeVolume(host, 'more'), '/srv/pool/snapshots/home.foreign');
      return host;
    },
  ],
  [
    'btrfs receive /srv/pool/one --into /srv/second --name new',
    async () => {
      const host = withPool('and a second one');
      host.admin.writeFile('/srv/pool/one', '');
      host.admin.btrfs('send', '-f', '/srv/pool/one', '/srv/pool/snapshots/home.foreign');
      return host;
    },
  ],
  ['btrfs scrub start /srv/pool', withPool],

  ['btrfs balance start /srv/pool --data-usage 50', withPool],
  ['btrfs balance start /srv/pool --data-usage 5 --metadata-usage 0', withPool],

  ['btrfs device add /srv/pool /dev/vg0/more', () => withMore('blank')],
  ['btrfs device add /srv/pool /dev/vg0/more --overwrite ext4', () => withMore('ext4')],

  ['btrfs device replace /srv/pool /dev/vg0/pool /dev/vg0/more', () => withMore('blank')],
  ['btrfs device replace /srv/pool 1 /dev/vg0/more --overwrite ext4', () => withMore('ext4')],

  ['btrfs device remove /srv/pool /dev/vg0/more', () => withMore('in the pool')],
  ['btrfs device remove /srv/pool /dev/vg0/pool', () => withMore('in the pool')],
  ['btrfs quota enable /srv/pool', withPool],
  ['btrfs quota disable /srv/pool', withQuota],

  ['btrfs quota limit /srv/pool/home 10m', withQuota],
  ['btrfs quota limit /srv/pool/home 5m --exclusive', withQuota],

  [
    'btrfs rotation install /srv/pool/home /srv/pool/snapshots --label daily',
    () => withProgram('and a pool'),
  ],

  [
    'btrfs rotation remove /srv/pool/home --label daily',
    async () => {
      const host = withProgram('and a pool');
      const install = 'btrfs rotation install /srv/pool/home /srv/pool/snapshots --label daily';
      await typed(host, install.split(' '));
      return host;
    },
  ],

  ['btrfs create-base-structure /srv/pool data', withPlainPool],
  ['btrfs create-base-structure /srv/pool data --set-default', withPlainPool],

  [
    'btrfs snapshot rotate /srv/pool/home /srv/pool/snapshots --label daily --keep 1',
    async () => {
      const host = withPool();
      const old = '/srv/pool/snapshots/daily.20261101T000000Z';
      host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', old);
      changeSubvolume(host, old, { made: '2026-11-01 00:00:01 +0000' });
      return host;
    },
  ],

  [
    'btrfs snapshot prune /srv/pool/snapshots --received --label daily --keep 1',
    async () => {
      const host = withPool();
      for (const day of [1, 2]) {
        const old = `/srv/pool/snapshots/daily.2026110${day}T000000Z`;
        host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', old);
        changeSubvolume(host, old, { receivedUuid: `0c0ffee0-0000-4000-8000-00000000000${day}` });
      }
      return host;
    },
  ],

  ['lvm create vg0/new --extents 50%FREE --tag a,b', hostWithSource],
  ['lvm create vg0/new --size 64m --zeros', hostWithSource],
  ['lvm create vg0/new --size 1g --pool pool', withThin],
  [
    'lvm create vg0/new --size 8m --type striped --stripes 2 --stripe-size 64k',
    async () => {
      const host = withDisk('labelled');
      host.admin.vgextend('vg0', '/dev/vdz');
      return host;
    },
  ],

  ['lvm snapshot create vg0/web1-root monday --extents 20%ORIGIN --tag a', () => withGuest(false)],
  ['lvm snapshot create vg0/thin monday', withThin],
  ['drbd up web1', () => withReplicated('down')],
  ['drbd down web1', () => withReplicated('secondary')],

  [
    'drbd config create web1 --hosts sim=10.0.0.1:7789,peer=10.0.0.2:7789 --volumes 3:/dev/vg0/web1-root',
    () => withReplicated('not configured'),
  ],
  [
    'drbd config create web1 --hosts sim=10.0.0.1:7789,peer=10.0.0.2:7789 --volumes 3:/dev/vg0/web1-root',
    () => withCommon(withReplicated('not configured')),
  ],

  ['drbd config remove web1', () => withReplicated('down')],
  ['drbd config remove web1', () => withCommon(withReplicated('down'))],

  [
    'drbd create-md web1 --volume 0',
    async () => {
      const host = withReplicated('down');
      host.admin.format('/dev/vg0/web1-root', undefined);
      return host;
    },
  ],
  ['drbd create-md web1 --volume 0 --overwrite 3bde6cc090b82310', () => withReplicated('down')],

  ['drbd wipe-md web1 --volume 0 --overwrite 3bde6cc090b82310 --yes', () => withReplicated('down')],
  ...(
    [
      ['attach', ['detach']],
      ['detach', []],
      ['connect', ['disconnect']],
      ['disconnect', []],
      ['pause-sync', []],
      ['resume-sync', ['pause-sync']],
      ['adjust', ['disconnect']],
    ] as const
  ).map(
    ([verb, words]): Scenario => [
      `drbd ${verb} web1`,
      () => {
        const host = withReplicated('secondary');
        for (const each of words) host.admin.drbdadm(each, 'web1');
        return host;
      },
    ],
  ),
  ...(['resize', 'new-current-uuid', 'invalidate', 'invalidate-remote', 'verify'] as const).map(
    (verb): Scenario => [`drbd ${verb} web1`, () => withPeer(verb)],
  ),
  ['drbd primary web1', () => withReplicated('secondary')],
  ['drbd secondary web1', () => withReplicated('primary')],
  ['lvm deactivate vg0/web1-root', () => withGuest(false)],

  [
    'lvm activate vg0/web1-root',
    async () => {
      const host = await withGuest(false);
      host.world.active.clear();
      return host;
    },
  ],

  ['lvm pool create vg0/pool --extents 10%FREE --chunk-size 128k', hostWithSource],

  [
    'lvm pool resize vg0/pool --size +8m --metadata-size 8m',
    async () => {
      const host = hostWithSource();
      host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 4 });
      return host;
    },
  ],

  [
    'lvm snapshot merge vg0/monday --yes',
    async () => {
      const host = await withGuest(false);
      host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1-root', extents: 2 });
      return host;
    },
  ],

  [
    'lvm convert vg0/two raid1 --device /dev/vdz',
    async () => {
      const host = withDisk('labelled');
      host.admin.lvcreate({ vg: 'vg0', name: 'two', extents: 4 });
      host.admin.vgextend('vg0', '/dev/vdz');
      return host;
    },
  ],
  ['lvm convert vg0/two linear --device /dev/vdz --yes', withCopied],

  ['lvm resize vg0/web1-root +64m', () => withGuest(false)],
  ['lvm resize vg0/web1-root -8m --yes', withBlank],
  ['lvm resize vg0/two +8m', withCopied],
  [
    'lvm resize vg0/wide +5m',
    async () => {
      const host = withCopied();
      await withBofh(simulatedBofh({ host }), () =>
        lvm.createLv({ vg: 'vg0', name: 'wide', size: '16m', type: 'striped' }),
      );
      return host;
    },
  ],
  [
    'lvm resize vg0/monday +8m',
    async () => {
      const host = await withGuest(false);
      host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1-root', extents: 2 });
      return host;
    },
  ],
  ['lvm tag vg0/web1-root --add one,two', () => withGuest(false)],
  ['lvm remove vg0/web1-root --disk-of web1 --yes', () => withGuest(false)],

  ['recover', () => killedAt(`${create} --swap 16m --start`, 9, hostWithSource())],
  ['recover', () => killedAt(`${create} --swap 16m --start`, 1, hostWithSource())],
  // Committed: it goes forward.
  ['recover', async () => killedAt('vm remove web1 --force-off', 14, await withGuest(true))],
  ['init', hostWithSource],
  ['boot install', withProgram],

  [
    'boot remove',
    async () => {
      const host = withProgram();
      await typed(host, ['boot', 'install']);
      return host;
    },
  ],
  [`run ${script}`, hostWithSource],
];

/** They change journals alone, and their plan names them. */
const ofJournals = ['journal prune', 'journal resolve', 'confirm'];

/** The id of what it undoes is drawn at random: test/unit/undo/undo-sequence.test.ts compares its plan with its run. */
const ofAnId = ['undo'];

/** Of two hosts: test/unit/cli/replica.test.ts and vm-move.test.ts compare their plans with their runs. */
const ofTwo = [
  'drbd create',
  'drbd convert',
  'drbd remove',
  'drbd promote',
  'drbd demote',
  'drbd grow',
  'drbd replace-peer',
  'vm move',
];

it('every verb that changes the host has a plan', async () => {
  const verbs = (await changingVerbs()).toSorted();
  const planned = new Set(
    scenarios.map(([line]) => verbs.findLast((verb) => `${line} `.startsWith(`${verb} `)) ?? line),
  );
  expect([...planned, ...ofJournals, ...ofAnId, ...ofTwo].toSorted()).toEqual(verbs);
});

/** Lines of a verb that changes the host by an option alone. */
const byOption = (['ext4', 'xfs', 'vfat'] as const).map(
  (type): Scenario => [
    `filesystem check /dev/vdd --repair${type === 'ext4' ? '' : ' --may-lose-files --yes'}`,
    () => withDamaged(type),
  ],
);

it.each([...scenarios, ...byOption])(
  'the plan of %s has the changes of the run, with the same text and order, and changes nothing',
  async (line, on) => {
    const host = await on();
    const [before, changes, points] = [host.snapshot(), host.changes.length, host.points.length];

    const planned = await plannedLines(host, line.split(' '));

    expect(host.snapshot()).toBe(before);
    expect(host.changes.length).toBe(changes);
    expect(host.points.length).toBe(points);

    const made = await madeLines(host, line.split(' '));

    expect(made.length).toBeGreaterThan(0);
    expect(planned.toSorted()).toEqual(made.toSorted());
    expect(planned).toEqual(made);
  },
);

describe('the plan of a recovery', () => {
  const half = () => killedAt(`${create} --swap 16m --start`, 9, hostWithSource());
  const planOf = async (host: SimulatedHost, ...args: readonly string[]) =>
    plan.parse(JSON.parse((await typed(host, ['--json', '--dry-run', 'recover', ...args])).stdout));
  const idOf = async (host: SimulatedHost): Promise<string> => (await planOf(host)).journals[0]?.id ?? '';

  it('says the result for each journal, and that its steps are undone', async () => {
    const { journals, steps } = await planOf(await half());

    expect(journals).toMatchObject([{ name: 'vm create web1', end: 'rolled-back' }]);
    expect([...new Set(steps.map(({ when }) => when))]).toEqual(['undo']);
  });

  it('names journals that would stay open, and exits as the run does', async () => {
    const host = await half();
    host.admin.mount('/dev/vg0/web1-root', '/mnt');

    const { exitCode, stdout } = await typed(host, ['--json', '--dry-run', 'recover']);
    const run = await typed(host, ['recover']);

    const { journals, refused } = plan.parse(JSON.parse(stdout));
    expect(journals).toMatchObject([{ end: 'open' }]);
    expect(refused[0]?.why).toContain('/mnt');
    expect(exitCode).toBe(3);
    expect(run.exitCode).toBe(3);
  });

  it('of --abandon closes none', async () => {
    const host = await half();
    const id = await idOf(host);

    const given = await planOf(host, '--abandon', id, '--because', 'by hand');

    expect(given).toMatchObject({ steps: [], journals: [{ id, end: 'abandoned' }] });
    expect(await idOf(host)).toBe(id);
  });

  it('of a cut shows the line, and cuts none', async () => {
    const host = await half();
    const id = await idOf(host);
    const path = `/var/lib/bofh/journal/${id}.journal`;
    const damaged = '00000000 {"t":"committed"}';
    host.admin.writeFile(path, `${host.admin.readFile(path)}${damaged}\n`, 0o600);

    const shown = await planOf(host, '--cut-last-line', id);

    expect(shown).toMatchObject({ steps: [], journals: [{ id, end: 'cut', line: damaged }] });
    expect(host.admin.readFile(path)).toContain(damaged);
    expect((await planOf(host, '--cut-last-line', id)).journals).toEqual(shown.journals);
  });
});

it('the plan of start-all shows refusals beside starts: exit 6', async () => {
  const host = await withGuest(false);
  host.admin.setDomain('web10', 'crashed');

  const { exitCode, stdout } = await typed(host, ['--json', '--dry-run', 'xen', 'start-all']);

  const { refused, steps } = plan.parse(JSON.parse(stdout));
  expect(refused).toMatchObject([{ what: 'web10' }]);
  expect(steps.map(({ kind }) => kind)).toContain('xen.domain.create');
  expect(exitCode).toBe(6);
});

it('the dry run of journal prune names the journals that the run removes, and removes none', async () => {
  const host = await withGuest(false);
  const { store } = simulatedBofh({ host, site }).engine;
  const line = ['--json', 'journal', 'prune', '--keep-count', '0'];
  const before = store.names('history');

  const planned = (await typed(host, ['--dry-run', ...line])).stdout;

  expect(before.length).toBeGreaterThan(0);
  expect(store.names('history')).toEqual(before);
  const ids = plan.parse(JSON.parse(planned)).journals.map(({ id }) => id);
  expect(ids.map((id) => `${id}.journal`)).toEqual(before.filter((name) => name.endsWith('.journal')));
  const { stdout } = await typed(host, ['--yes', ...line]);
  expect(journalPrune.parse(JSON.parse(stdout)).map(({ id }) => id)).toEqual(ids);
  expect(store.names('history')).toEqual([]);
});
