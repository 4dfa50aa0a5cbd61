import type { FileStat, ReadCommand, ReadHost } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';

/** A path of a made-up host: text of a file, `-> target` of a link, `block 7:0` of a device node. */
export type Tree = Readonly<Record<string, string>>;

/** A host whose files are data, and whose programs are answered by `run`. Links are followed in the middle of a path. */
export function treeHost(
  tree: Tree,
  run: (command: ReadCommand<unknown>) => string = (command) => {
    throw new Error(`unexpected: ${command.tool} ${command.argv.join(' ')}`);
  },
): ReadHost {
  const real = (path: string, last: 'follow' | 'keep'): string => {
    const parts = path.split('/').slice(1);
    let at = '';
    parts.forEach((part, index) => {
      at = `${at}/${part}`;
      const entry = tree[at];
      if (entry?.startsWith('-> ') !== true || (last === 'keep' && index === parts.length - 1)) return;
      at = real(new URL(entry.slice(3), `file://${at}`).pathname, 'follow');
    });
    return at;
  };
  const stat = (path: string): FileStat | undefined => {
    const where = real(path, 'keep');
    const entry = tree[where];
    const common = { inode: '1', device: '0:1', size: 0, mode: 0o644, uid: 0, gid: 0, links: 1 };
    if (entry === undefined) {
      const isDirectory = Object.keys(tree).some((name) => name.startsWith(`${where}/`));
      return isDirectory ? { ...common, kind: 'directory' } : undefined;
    }
    if (entry.startsWith('-> ')) return { ...common, kind: 'symlink' };
    if (entry.startsWith('block ')) return { ...common, kind: 'block', node: entry.slice(6) };
    return { ...common, kind: 'file' };
  };
  const missing = (path: string): CommandError =>
    new CommandError({ tool: 'file', argv: ['read', path], reason: 'not-found' });
  return {
    name: '',
    stat: async (path) => stat(path),
    readFile: async (path) => {
      const entry = tree[real(path, 'follow')];
      if (entry === undefined) throw missing(path);
      return new TextEncoder().encode(entry);
    },
    readDir: async (path) => {
      const where = `${real(path, 'follow')}/`;
      const below = Object.keys(tree).filter((name) => name.startsWith(where));
      if (below.length === 0) throw missing(path);
      const names = below.map((name) => name.slice(where.length).split('/')[0] ?? '');
      return [...new Set(names)].filter((name) => name !== '').sort();
    },
    readLink: async (path) => {
      const entry = tree[real(path, 'keep')];
      if (entry?.startsWith('-> ') !== true) throw missing(path);
      return entry.slice(3);
    },
    facts: async () => ({ boot: 'boot-1', hostname: 'test' }),
    run: async (command) => command.parse({ exitCode: 0, stdout: run(command), stderr: '' }),
  };
}

/** The kernel's and udev's entries for a device of the virtual bus, such as a device-mapper or loop device. */
export function virtual(name: string, number: string, files: Tree = {}): Tree {
  const dir = `/sys/devices/virtual/block/${name}`;
  return {
    [`/dev/${name}`]: `block ${number}`,
    [`/sys/dev/block/${number}`]: `-> ../../devices/virtual/block/${name}`,
    [`/sys/block/${name}`]: `-> ../devices/virtual/block/${name}`,
    [`${dir}/dev`]: `${number}\n`,
    ...Object.fromEntries(Object.entries(files).map(([file, text]) => [`${dir}/${file}`, text])),
  };
}

/** The same of a disk on a bus, with partitions by number. */
export function disk(name: string, number: string, partitions: Readonly<Record<string, string>> = {}): Tree {
  const dir = `/sys/devices/pci0000:00/virtio1/block/${name}`;
  const parts = Object.entries(partitions).map(([part, partNumber]) => ({
    [`/dev/${name}${part}`]: `block ${partNumber}`,
    [`/sys/dev/block/${partNumber}`]: `-> ../../devices/pci0000:00/virtio1/block/${name}/${name}${part}`,
    [`${dir}/${name}${part}/dev`]: `${partNumber}\n`,
    [`${dir}/${name}${part}/partition`]: `${part}\n`,
  }));
  return Object.assign(
    {
      // The kernel writes a slash in a name as `!`.
      [`/dev/${name.replaceAll('!', '/')}`]: `block ${number}`,
      [`/sys/dev/block/${number}`]: `-> ../../devices/pci0000:00/virtio1/block/${name}`,
      [`/sys/block/${name}`]: `-> ../devices/pci0000:00/virtio1/block/${name}`,
      [`${dir}/dev`]: `${number}\n`,
    },
    ...parts,
  ) as Tree;
}

/** A device-mapper device with the links that udev makes, and the devices directly beneath. */
export function mapped(
  dm: { readonly name: string; readonly number: string; readonly map: string; readonly uuid: string },
  slaves: Readonly<Record<string, string>>,
): Tree {
  const beneath = Object.entries(slaves).map(([name, number]) => [`slaves/${name}/dev`, `${number}\n`]);
  return {
    [`/dev/mapper/${dm.map}`]: `-> ../${dm.name}`,
    ...virtual(dm.name, dm.number, {
      'dm/name': `${dm.map}\n`,
      'dm/uuid': `${dm.uuid}\n`,
      ...(Object.fromEntries(beneath) as Tree),
    }),
  };
}

export const quiet: Tree = {
  '/proc/self/ns/mnt': '-> mnt:[4026531841]',
  '/proc/self/mountinfo': '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n',
  '/proc/swaps': 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n',
};
