import { namesIn, type ReadCommand, type ReadHost, textOf } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { xlInfo } from '../xen/commands.ts';
import { type Finding, finding, looking } from './finding.ts';

interface Module {
  readonly name: string;
  readonly for: string;
  readonly level: 'warning' | 'problem';
  /** Path of a loaded module. A module that is part of the kernel has it too, but is in no list of modules. */
  readonly sign?: string;
}

const modules: readonly Module[] = [
  { name: 'dm_mod', for: 'logical volumes', level: 'problem', sign: '/sys/class/misc/device-mapper' },
  { name: 'dm_snapshot', for: 'snapshots of logical volumes', level: 'warning' },
  { name: 'ext4', for: 'ext4 filesystems', level: 'warning', sign: '/sys/fs/ext4' },
  { name: 'loop', for: 'disk images in files', level: 'warning' },
];

const backend: Module = { name: 'xen_blkback', for: 'block devices as disks of guests', level: 'problem' };

/** Checks kernel modules, udev and Xen. */
export async function kernel(host: ReadHost, root: boolean): Promise<readonly Finding[]> {
  const dom0 = (await textOf(host, '/proc/xen/capabilities'))?.includes('control_d') === true;
  const groups = await Promise.all([
    looking({ check: 'kernel', what: 'the modules of the kernel', root }, () =>
      modulesOf(host, dom0 ? [...modules, backend] : modules),
    ),
    looking({ check: 'udev', what: 'what waits for udev', root }, () => udev(host)),
    looking({ check: 'xen', what: 'xl', root }, () => xen(host, dom0)),
  ]);
  return groups.flat();
}

async function modulesOf(host: ReadHost, wanted: readonly Module[]): Promise<readonly Finding[]> {
  const release = (await textOf(host, '/proc/sys/kernel/osrelease'))?.trim() ?? '';
  if (release === '') throw new ParseError('the kernel does not report its release');
  const known = await available(host, `/lib/modules/${release}`);
  const found: Finding[] = [];
  for (const module of wanted) {
    const { name, for: use, level } = module;
    const loaded = await isLoaded(host, module);
    if (loaded || known?.has(name) === true) {
      found.push(finding('kernel', 'ok', `${name} is ${loaded ? 'loaded' : 'available'} (${use})`));
      continue;
    }
    const says =
      known === undefined
        ? `${name} (${use}) is not loaded, and without /lib/modules/${release} it is unknown whether it can be loaded`
        : `the kernel ${release} has no ${name}, which is for ${use}`;
    // modprobe cannot load a module that the lists do not have.
    found.push(finding('kernel', level, says, known === undefined ? [['modprobe', name]] : []));
  }
  return found;
}

async function isLoaded(host: ReadHost, { name, sign }: Module): Promise<boolean> {
  if ((await host.stat(`/sys/module/${name}`)) !== undefined) return true;
  return sign !== undefined && (await host.stat(sign)) !== undefined;
}

// modprobe treats - and _ alike, and file names contain either. Undefined if there are no lists.
async function available(host: ReadHost, directory: string): Promise<ReadonlySet<string> | undefined> {
  const names = new Set<string>();
  const lists = [
    await textOf(host, `${directory}/modules.dep`),
    await textOf(host, `${directory}/modules.builtin`),
  ];
  if (lists.every((text) => text === undefined)) return undefined;
  for (const line of lists.flatMap((text) => text?.split('\n') ?? [])) {
    const name = /(?:^|\/)(?<name>[^/:]+)\.ko(?:\.\w+)?(?::|$)/.exec(line)?.groups?.name;
    if (name !== undefined) names.add(name.replaceAll('-', '_'));
  }
  return names;
}

/** Returns the cookies of device-mapper: for each, a program waits until udev has answered. */
export function udevCookies(): ReadCommand<readonly string[]> {
  return {
    tool: 'dmsetup',
    argv: ['udevcookies'],
    access: 'read',
    parse: ({ stdout }) => {
      const [head, ...rows] = stdout.trimEnd().split('\n');
      if (head?.startsWith('Cookie ') !== true) throw new ParseError('dmsetup udevcookies: unknown columns');
      return rows.map((row) => {
        const cookie = /^(?<cookie>0x[0-9a-f]+) +\d+ +\d+ +\S.*$/.exec(row)?.groups?.cookie;
        if (cookie === undefined) throw new ParseError(`dmsetup udevcookies: cannot read the line "${row}"`);
        return cookie;
      });
    },
  };
}

async function udev(host: ReadHost): Promise<readonly Finding[]> {
  const runs = (await host.stat('/run/udev/control')) !== undefined;
  const found = runs
    ? finding('udev', 'ok', 'udevd is running')
    : finding(
        'udev',
        'warning',
        'udevd is not running: bofh tells lvm not to wait for it, but links below /dev/disk are missing',
      );
  const cookies = await host.run(udevCookies());
  if (cookies.length === 0) return [found];
  const waits = `device-mapper waits for udev (${cookies.join(', ')})`;
  // If udevd runs, it may answer at any moment.
  if (runs) return [found, finding('udev', 'warning', `${waits}: see whether it still does in a minute`)];
  const says = `${waits}, which does not run: programs of lvm hang`;
  return [found, finding('udev', 'problem', says, [['dmsetup', 'udevcomplete_all']])];
}

async function xen(host: ReadHost, dom0: boolean): Promise<readonly Finding[]> {
  if (!dom0) {
    const hypervisor = (await namesIn(host, '/sys/hypervisor')).length > 0;
    const where = hypervisor ? 'this is a guest of Xen and no dom0' : 'the host was not booted under Xen';
    return [finding('xen', 'warning', `${where}: guests cannot be listed or started here`)];
  }
  const { xenVersion, freeMemoryMiB } = await host.run(xlInfo());
  return [finding('xen', 'ok', `Xen ${xenVersion}, ${String(freeMemoryMiB)} MiB of memory free for guests`)];
}
