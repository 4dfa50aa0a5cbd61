import { atomic, withBofh } from '../../../src/bofh.ts';
import type { Bofh } from '../../../src/connect.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { parseSite } from '../../../src/site.ts';
import {
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
  type TarMember,
} from '../../../src/simulator/index.ts';
import { createVm, planCreate } from '../../../src/vm/create.ts';
import type { CheckedCreate } from '../../../src/vm/create-request.ts';
import { smallSystem } from '../../support/undo/stage.ts';

const mib = 1024 ** 2;

const members: readonly TarMember[] = [...smallSystem, { path: './odd "name"\n', content: '' }];

export const site = parseSite({ volumeGroup: 'vg0' }, 'the test');

/** A host with an archive to make guests of, and foreign things whose names are close to ours. */
export function hostWithSource(): SimulatedHost {
  const host = simulatedHost();
  host.addTar('/srv/debian.tar', members);
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root2', extents: 3, tags: ['bofh.x'] });
  host.admin.format('/dev/vg0/web1-root2', {
    type: 'ext4',
    usage: 'filesystem',
    uuid: '0c0ffee0-0000-4000-8000-000000000001',
    version: '1.0',
  });
  host.admin.writeFile('/etc/xen/web10.cfg', "name = 'web10'\nmemory = 128\nkernel = '/vmlinuz'\n");
  host.admin.startDomain({ name: 'web10' });
  return host;
}

function request(changes: Partial<CheckedCreate> = {}): CheckedCreate {
  return {
    name: 'web1',
    source: { type: 'tar', path: '/srv/debian.tar' },
    size: 64 * mib,
    swap: 16 * mib,
    memory: 256 * mib,
    vcpus: 1,
    type: 'pv',
    start: true,
    ...changes,
  };
}

/** What a source of a real system has besides: a server, and the ids and keys of the system that it was. */
const server: readonly TarMember[] = [
  { path: './etc/machine-id', content: 'a'.repeat(32) },
  { path: './etc/ssh/', type: 'directory' },
  { path: './etc/ssh/ssh_host_rsa_key', content: 'secret of another host\n', mode: 0o600 },
  { path: './root/', type: 'directory', mode: 0o700 },
  { path: './usr/', type: 'directory' },
  { path: './usr/sbin/', type: 'directory' },
  { path: './usr/sbin/sshd', content: 'x', mode: 0o755 },
  { path: './usr/lib/', type: 'directory' },
  { path: './usr/lib/systemd/', type: 'directory' },
  { path: './usr/lib/systemd/systemd-networkd', content: 'x', mode: 0o755 },
];

/** Such a host, with a source that has an SSH server and systemd-networkd. */
export function hostWithServer(more: readonly TarMember[] = []): SimulatedHost {
  const host = hostWithSource();
  host.addTar('/srv/debian.tar', [...members, ...server, ...more]);
  for (const grub of [site.guestGrub, site.guestGrubPvh]) host.admin.writeFile(grub, 'GRUB');
  return host;
}

/** What Debian's package of a kernel adds to a source. */
export const debianBoot: readonly TarMember[] = [
  { path: './boot/', type: 'directory' },
  { path: './boot/vmlinuz-6.1', content: 'kernel' },
  { path: './boot/initrd.img-6.1', content: 'ramdisk' },
  { path: './vmlinuz', type: 'symlink', target: 'boot/vmlinuz-6.1' },
  { path: './initrd.img', type: 'symlink', target: 'boot/initrd.img-6.1' },
];

export const oldRoot = '5e1f0000-0000-4000-8000-00000000000b';

/** A grub.cfg of the system that a source was. */
export const oldMenu = [
  "set root='hd0,gpt1'",
  `search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt1 ${oldRoot}`,
  "menuentry 'Debian' {",
  `  linux /boot/vmlinuz-6.1 root=UUID=${oldRoot} ro quiet`,
  '  initrd /boot/initrd.img-6.1',
  '}',
  '',
].join('\n');

/** A guest that can be reached. */
export const reachable: Partial<CheckedCreate> = {
  sshKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0NUNRi3yPPq0GJGZDr7F9Tz4sIxS4mCmkbWv0kSxXv me'],
  ip: '192.0.2.10/24',
  gateway: '192.0.2.1',
  mac: '00:16:3e:12:34:56',
  bridge: 'xenbr0',
};

/** `bofh vm create` on a simulated host. */
export async function vmCreate(bofh: Bofh, changes: Partial<CheckedCreate> = {}): Promise<void> {
  const plan = await planCreate({ host: bofh.host, site: bofh.site, request: request(changes) });
  await withBofh(bofh, () => atomic('vm create', (tx) => createVm(tx, plan)));
}

/** `bofh recover --yes` in a new process on that host. */
export async function recoverAll(host: SimulatedHost): Promise<void> {
  const { engine } = simulatedBofh({ host, site });
  for (const { id } of await openJournals(engine)) await recover(id, { engine, yes: true });
}

export function bofhOn(host: SimulatedHost): Bofh {
  return simulatedBofh({ host, site });
}

/** The arguments of a program, each time that it changed the host. */
export function argvOf({ changes }: SimulatedHost, tool: string): readonly (readonly string[])[] {
  return changes.flatMap((each) =>
    each.what === 'command' && each.command.tool === tool ? [each.command.argv] : [],
  );
}

/** The same, each as one text. */
export function ranOf(host: SimulatedHost, tool: string): readonly string[] {
  return argvOf(host, tool).map((argv) => argv.join(' '));
}
