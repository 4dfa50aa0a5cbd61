import { type ReadCommand, type ReadHost, type Tool, toolDirectories, tools } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { type Finding, finding, looking } from './finding.ts';

interface Known {
  readonly tool: Tool;
  readonly argv: readonly string[];
  /** Matches the version in its output. */
  readonly line: RegExp;
  /** The oldest version with which bofh is tested: that of Debian 12. */
  readonly tested: string;
  /** Older versions lack a feature. */
  readonly needed?: { readonly version: string; readonly lacks: string };
}

const utilLinux = / from util-linux (?<version>\d+(?:\.\d+)+)/;

/** The command that prints the version of a package. For other packages the version does not matter. */
const known: Readonly<Partial<Record<string, Known>>> = {
  lvm2: {
    tool: 'lvs',
    argv: ['--version'],
    line: /LVM version: +(?<version>\d+(?:\.\d+)+)/,
    tested: '2.03.16',
    needed: { version: '2.03.12', lacks: '"lvchange --setautoactivation"' },
  },
  'util-linux': { tool: 'blkid', argv: ['--version'], line: utilLinux, tested: '2.38' },
  mount: { tool: 'mount', argv: ['--version'], line: utilLinux, tested: '2.38' },
  e2fsprogs: {
    tool: 'mkfs.ext4',
    argv: ['-V'],
    line: /^mke2fs (?<version>\d+(?:\.\d+)+)/m,
    tested: '1.47.0',
  },
  tar: { tool: 'tar', argv: ['--version'], line: /\(GNU tar\) (?<version>\d+(?:\.\d+)+)/, tested: '1.34' },
  'btrfs-progs': {
    tool: 'btrfs',
    argv: ['--version'],
    line: /^btrfs-progs v(?<version>\d+(?:\.\d+)+)/m,
    tested: '6.2',
  },
  coreutils: {
    tool: 'sync',
    argv: ['--version'],
    line: /\(GNU coreutils\) (?<version>\d+(?:\.\d+)+)/,
    tested: '9.1',
  },
  findutils: {
    tool: 'find',
    argv: ['--version'],
    line: /\(GNU findutils\) (?<version>\d+(?:\.\d+)+)/,
    tested: '4.9.0',
  },
  udev: { tool: 'udevadm', argv: ['--version'], line: /^(?<version>\d+)\b/, tested: '252' },
};

/** Programs that every driver needs; each other program is for one driver. */
const always: ReadonlySet<string> = new Set([
  'coreutils',
  'e2fsprogs',
  'findutils',
  'lvm2',
  'mount',
  'tar',
  'util-linux',
]);

/**
 * Checks that every program that bofh may start exists and is new enough. One finding for each
 * Debian package.
 */
export async function programs(host: ReadHost, root: boolean): Promise<readonly Finding[]> {
  const found = [...packages()]
    .toSorted()
    .map(([name, needed]) =>
      looking({ check: 'programs', what: `the programs of ${name}`, root }, async () => [
        await packageOf(host, name, needed),
      ]),
    );
  return (await Promise.all(found)).flat();
}

function packages(): ReadonlyMap<string, readonly Tool[]> {
  const all = new Map<string, readonly Tool[]>();
  for (const tool of Object.keys(tools).filter(isTool)) {
    const name = tools[tool].package;
    all.set(name, [...(all.get(name) ?? []), tool]);
  }
  return all;
}

function isTool(name: string): name is Tool {
  return Object.hasOwn(tools, name);
}

async function packageOf(host: ReadHost, name: string, needed: readonly Tool[]): Promise<Finding> {
  const missing: string[] = [];
  for (const tool of needed) if (!(await isThere(host, tool))) missing.push(tool);
  const install = [['apt-get', 'install', name]];
  if (missing.length > 0) {
    const level = always.has(name) ? 'problem' : 'warning';
    return finding(
      'programs',
      level,
      `not installed: ${missing.join(', ')} (of the package ${name})`,
      install,
    );
  }
  const of = known[name];
  if (of === undefined) return finding('programs', 'ok', `${name}: ${needed.join(', ')}`);
  const version = await host.run(versionOf(of));
  if (of.needed !== undefined && isOlder(version, of.needed.version)) {
    const lacks = `${name} ${version} has no ${of.needed.lacks}: ${of.needed.version} is needed`;
    return finding('programs', 'problem', lacks, install);
  }
  if (isOlder(version, of.tested)) {
    const old = `${name} ${version} is older than ${of.tested}, the oldest that bofh is tested with`;
    return finding('programs', 'warning', old, install);
  }
  return finding('programs', 'ok', `${name} ${version}: ${needed.join(', ')}`);
}

async function isThere(host: ReadHost, tool: string): Promise<boolean> {
  for (const directory of toolDirectories) {
    const stat = await host.stat(`${directory}/${tool}`);
    // A symbolic link has all its permission bits set; the programs of lvm2 are links.
    if (stat !== undefined && stat.kind !== 'directory' && (stat.mode & 0o111) !== 0) return true;
  }
  return false;
}

/** Returns the command that asks a program for its version. Some print it to stderr. */
export function versionOf({ tool, argv, line }: Known): ReadCommand<string> {
  return {
    tool,
    argv,
    access: 'read',
    parse: ({ stdout, stderr }) => {
      const version = line.exec(`${stdout}\n${stderr}`.trim())?.groups?.version;
      if (version === undefined) throw new ParseError(`${tool} does not show its version`);
      return version;
    },
  };
}

/** Whether a version is older. Compares number by number: 2.9 is older than 2.38. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number));
  if (a === undefined || b === undefined) return false;
  for (const [index, part] of b.entries()) {
    const difference = (a[index] ?? 0) - part;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
