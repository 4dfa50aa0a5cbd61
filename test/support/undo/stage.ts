import { createHash } from 'node:crypto';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedHost, type SimulatedHost, type TarMember } from '../../../src/simulator/index.ts';
import { frameOf, imageOf } from '../../../src/simulator/tools/blockdevice/compressed.ts';

/** A small system, with what a real one has: links, a hard link, directories. */
export const smallSystem: readonly TarMember[] = [
  { path: './', type: 'directory' },
  { path: './etc/', type: 'directory' },
  { path: './etc/os-release', content: 'NAME=Debian\n' },
  { path: './etc/mtab', type: 'symlink', target: '/proc/mounts' },
  { path: './bin/', type: 'directory' },
  { path: './bin/busybox', content: 'x'.repeat(3000), mode: 0o755 },
  { path: './bin/sh', type: 'hardlink', target: './bin/busybox' },
];

/** The uuid of what a specimen finds when it begins. */
export const ownUuid = '5e1f0000-0000-4000-8000-000000000001';

/** The uuid of a foreign object. */
export const foreignUuid = '0c0ffee0-0000-4000-8000-000000000001';

/**
 * A Xen host that is full of other people's things. Their names are like those that the specimens make (`web1…`), and like
 * those that bofh itself makes; their marks are of other sequences.
 */
export function neighbourhood(): SimulatedHost {
  neighbours ??= settled();
  return fork(neighbours);
}

/** Made once: what is tried on it is tried on a copy. */
let neighbours: SimulatedHost | undefined;

function settled(): SimulatedHost {
  const disks = ['vdw', 'vdx', 'vdy'].map((name) => ({ name, size: 64 * 1024 ** 2 }));
  const host = simulatedHost({ disks });
  const { admin } = host;
  for (const [name, tags] of foreignVolumes) admin.lvcreate({ vg: 'vg0', name, extents: 3, tags });
  admin.format('/dev/vg0/xweb1-root', {
    type: 'ext4',
    usage: 'filesystem',
    uuid: foreignUuid,
    label: 'web1-root',
    version: '1.0',
  });
  admin.mkdir('/mnt/web10');
  admin.mount('/dev/vg0/xweb1-root', '/mnt/web10');
  admin.writeFile('/mnt/web10/hello', 'of somebody else\n');
  admin.format('/dev/vg0/web1-swap2', { type: 'swap', usage: 'other', uuid: foreignSwap, version: '1' });
  admin.swapon('/dev/vg0/web1-swap2');
  admin.writeFile('/etc/xen/web1.cfg.bak', "name = 'web1'\nmemory = 64\n");
  admin.writeFile('/etc/xen/web10.cfg', "name = 'web10'\nmemory = 128\nkernel = '/vmlinuz'\n");
  admin.writeFile('/etc/xen/.bofh-bofh.000000000000.1', 'of another sequence\n');
  admin.writeFile('/etc/xen/.bofh-gone-bofh.000000000000.1', 'of another sequence\n');
  admin.startDomain({ name: 'web10', uuid: '0c0ffee0-0000-4000-8000-000000000003' });
  host.addTar('/srv/debian.tar', smallSystem);
  return host;
}

const foreignSwap = '0c0ffee0-0000-4000-8000-000000000002';

const foreignVolumes: readonly (readonly [string, readonly string[]])[] = [
  ['web1', []],
  ['web1-root2', ['bofh.000000000000.1']],
  ['xweb1-root', ['bofh.x']],
  ['web1-swap2', []],
  ['bofh_gone_000000000000_1', []],
];

/** A volume of ours from before, with a filesystem that has a file in it. */
export function filledVolume(host: SimulatedHost, name: string, uuid: string): string {
  const { admin } = host;
  const device = emptyVolume(host, name);
  admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  admin.mkdir('/mnt/fill');
  admin.mount(device, '/mnt/fill');
  admin.writeFile('/mnt/fill/kept', 'what was there before\n');
  admin.umount('/mnt/fill');
  return device;
}

/** The file in which the content of a volume of ours was saved. */
export function savedContent(
  host: SimulatedHost,
  name: string,
  uuid: string,
): { readonly file: string; readonly size: number; readonly sha256: string } {
  filledVolume(host, name, uuid);
  const lv = host.world.lvm[0]?.lvs.find((each) => each.name === name);
  const image = imageOf(host.world.live.get(`lv:${lv?.uuid ?? ''}`));
  const file = `/srv/${name}.zst`;
  host.admin.writeFile(file, Buffer.from(frameOf(image), 'latin1'));
  const sha256 = createHash('sha256').update(image, 'latin1').digest('hex');
  return { file, size: (lv?.extents ?? 0) * 4 * 1024 ** 2, sha256 };
}

/** A blank volume of ours from before. */
export function emptyVolume(host: SimulatedHost, name: string): string {
  host.admin.lvcreate({ vg: 'vg0', name, extents: 16 });
  return `/dev/vg0/${name}`;
}

/** A thin volume of ours from before, in a pool of its own. */
export function thinVolume(host: SimulatedHost, name: string): void {
  host.admin.thinPool({ vg: 'vg0', name: 'web1-pool', extents: 16 });
  host.admin.thinVolume({ vg: 'vg0', name, pool: 'web1-pool', extents: 16 });
}

/** A physical volume of ours from before, in no group. */
export function freePv(host: SimulatedHost, device: string): string {
  const uuid = `web100-0000-0000-0000-0000-0000-${device.slice(-3)}000`;
  host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  return device;
}

/** A guest of ours that is configured; its root is a volume. */
export function configuredGuest(
  host: SimulatedHost,
  more = '',
): { readonly config: string; readonly uuid: string } {
  const [config, uuid] = ['/etc/xen/web1.cfg', '5e1f0000-0000-4000-8000-00000000000a'];
  const root = filledVolume(host, 'web1-root', '5e1f0000-0000-4000-8000-00000000000b');
  host.admin.writeFile(
    config,
    `name = "web1"\nuuid = "${uuid}"\nmemory = 128\nkernel = "/vmlinuz"\ndisk = ["phy:${root},xvda,w"]\nvif = ["mac=00:16:3e:00:00:01,bridge=xenbr0"]\n${more}`,
  );
  return { config, uuid };
}

/** The same guest, running (or paused). */
export function runningGuest(
  host: SimulatedHost,
  state: 'blocked' | 'paused' = 'blocked',
): ReturnType<typeof configuredGuest> {
  const guest = configuredGuest(host);
  const node = host.world.active.get(
    host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.uuid ?? '',
  );
  const disks = [{ vdev: 'xvda', path: '/dev/vg0/web1-root', number: `${host.world.dmMajor}:${node ?? 0}` }];
  // As in its configuration.
  const nics = [{ mac: '00:16:3e:00:00:01', bridge: 'xenbr0' }];
  host.admin.startDomain({ name: 'web1', uuid: guest.uuid, memory: '128m', state, disks, nics });
  return guest;
}
