import type { Answer, ReadCommand } from '../../../src/command/index.ts';
import { toolDirectories } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';

/** How the programs of Debian 12 tell their versions, recorded there. */
const versions: Readonly<Record<string, Partial<Answer>>> = {
  'lvs --version': {
    stdout:
      '  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185 (2022-05-18)\n  Driver version:  4.47.0\n',
  },
  'blkid --version': { stderr: 'blkid from util-linux 2.38.1  (libblkid 2.38.1, 04-Aug-2022)\n' },
  'mount --version': {
    stdout:
      'mount from util-linux 2.38.1 (libmount 2.38.1: selinux, smack, btrfs, verity, namespaces, assert, debug)\n',
  },
  'btrfs --version': { stdout: 'btrfs-progs v6.2\n' },
  'mkfs.ext4 -V': { stderr: 'mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0\n' },
  'tar --version': { stdout: 'tar (GNU tar) 1.34\nCopyright (C) 2021 Free Software Foundation, Inc.\n' },
  'sync --version': { stdout: 'sync (GNU coreutils) 9.1\n' },
  'find --version': { stdout: 'find (GNU findutils) 4.9.0\n' },
  'udevadm --version': { stdout: '252\n' },
  'dmsetup udevcookies': {
    stdout: 'Cookie       Semid      Value      Last semop time           Last change time\n',
  },
};

const files: Readonly<Record<string, string>> = {
  '/proc/xen/capabilities': 'control_d\n',
  '/proc/sys/kernel/osrelease': '6.1.0-13-amd64\n',
  '/lib/modules/6.1.0-13-amd64/modules.dep': [
    'kernel/drivers/md/dm-mod.ko:',
    'kernel/drivers/md/dm-snapshot.ko: kernel/drivers/md/dm-bufio.ko',
    'kernel/drivers/block/loop.ko:',
    'kernel/drivers/block/xen-blkback/xen-blkback.ko:',
    '',
  ].join('\n'),
  '/lib/modules/6.1.0-13-amd64/modules.builtin': 'kernel/fs/ext4/ext4.ko\n',
  '/etc/systemd/system/bofh-recover.service': '',
  '/etc/systemd/system/bofh-recover-hosts.service': '',
  '/etc/systemd/system/bofh-recover-unconfirmed.service': '',
  '/etc/systemd/system/bofh-start-all.service': '',
  '/etc/systemd/system/multi-user.target.wants/bofh-recover.service': '',
  '/etc/systemd/system/multi-user.target.wants/bofh-recover-hosts.service': '',
  '/etc/systemd/system/multi-user.target.wants/bofh-recover-unconfirmed.service': '',
  '/etc/systemd/system/multi-user.target.wants/bofh-start-all.service': '',
  '/run/systemd/system/x': '',
};

const command = {
  kind: 'file',
  mode: 0o755,
  inode: '1',
  device: '0:1',
  size: 1,
  uid: 0,
  gid: 0,
  links: 1,
} as const;

/** What a test says about a host that is well otherwise. */
export interface Ailing {
  readonly answers?: Readonly<Record<string, Partial<Answer>>>;
  /** undefined: it is not there. */
  readonly files?: Readonly<Record<string, string | undefined>>;
  readonly missing?: readonly string[];
}

/** A simulated Xen host on which the doctor finds nothing, but for what the test says. */
export function patient(host: SimulatedHost = simulatedHost(), ailing: Ailing = {}): SimulatedHost {
  const answers = { ...versions, ...ailing.answers };
  const laid = { ...files, ...ailing.files };
  const below = (path: string): readonly string[] =>
    Object.keys(laid).filter((each) => laid[each] !== undefined && each.startsWith(`${path}/`));
  const tool = (path: string): string | undefined => {
    const at = toolDirectories.find((directory) => path.startsWith(`${directory}/`));
    return at === '/usr/sbin' ? path.slice(at.length + 1) : undefined;
  };
  return {
    ...host,
    run: async <T>(asked: ReadCommand<T>): Promise<T> => {
      const answer = answers[[asked.tool, ...asked.argv].join(' ')];
      if (answer === undefined) return await host.run(asked);
      return asked.parse({ exitCode: 0, stdout: '', stderr: '', ...answer });
    },
    stat: async (path) => {
      const name = tool(path);
      if (name !== undefined) return ailing.missing?.includes(name) === true ? undefined : command;
      if (Object.hasOwn(laid, path))
        return laid[path] === undefined ? undefined : { ...command, mode: 0o644 };
      if (below(path).length > 0) return { ...command, kind: 'directory', mode: 0o755 };
      return await host.stat(path);
    },
    readFile: async (path) => {
      if (!Object.hasOwn(laid, path)) return await host.readFile(path);
      const text = laid[path];
      if (text !== undefined) return new TextEncoder().encode(text);
      throw new CommandError({ tool: 'file', argv: ['read', path], reason: 'not-found' });
    },
    readDir: async (path) => {
      const names = below(path);
      if (names.length === 0) return await host.readDir(path);
      return [...new Set(names.map((each) => each.slice(path.length + 1).split('/')[0] ?? ''))];
    },
  };
}

/** A `Bofh` on such a host. The engine, and so what it changes, is that of the plain host. */
export function bofhOf(host: SimulatedHost, ailing: Ailing = {}) {
  return { ...simulatedBofh({ host }), host: patient(host, ailing) };
}
