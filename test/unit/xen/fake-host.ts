import type { Answer, ChangeHost, Command, FileStat } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';

/** A domain as the hypervisor of the fake host knows it. */
export interface FakeDomain {
  id: number;
  name: string | undefined;
  uuid: string;
  flags: string;
  /** Half-built: xl has no configuration of it. */
  building?: true;
}

/** A Xen host in memory: it answers xl's own argv with text as xl prints it. */
export interface FakeHost extends ChangeHost {
  readonly domains: FakeDomain[];
  readonly files: Map<string, string>;
  readonly links: Map<string, string>;
  /** Block devices by path, `major:minor`. */
  readonly devices: Map<string, string>;
  /** Backends by name, with their device as sysfs prints it. */
  readonly backends: Map<string, string>;
  readonly ran: string[];
  freeMiB: number;
  commandLine: string;
  /** What `xl -N create` says of every config instead of accepting it. */
  checkFails: string;
  /** Called instead of a change; returns what it exits with, or undefined to let it happen. */
  fault: (argv: readonly string[]) => Partial<Answer> | undefined;
}

const dom0 = '00000000-0000-0000-0000-000000000000';
const backendDir = '/sys/bus/xen-backend/devices';

export function fakeHost(): FakeHost {
  let nextId = 1;
  const host: FakeHost = {
    name: '',
    domains: [{ id: 0, name: 'Domain-0', uuid: dom0, flags: 'r-----' }],
    files: new Map(),
    links: new Map(),
    devices: new Map(),
    backends: new Map(),
    ran: [],
    freeMiB: 1000,
    commandLine: 'dom0_mem=1536M,max:1536M',
    checkFails: '',
    fault: () => undefined,
    run: async <T>(command: Command<T>): Promise<T> => {
      host.ran.push(command.argv.join(' '));
      const said = answer(command.argv, command.access);
      const full = { exitCode: 0, stdout: '', stderr: '', ...said };
      if (full.exitCode === 0) return command.parse(full);
      throw new CommandError({ ...command, ...full, reason: command.classify?.(full) ?? 'unknown' });
    },
    readFile: async (path) => new TextEncoder().encode(host.files.get(path) ?? missing(path)),
    readDir: async (path) => {
      if (host.links.has(path)) return [];
      if (path.startsWith(backendDir)) syncBackends();
      if (path === backendDir) return [...host.backends.keys()].sort();
      const names = [...host.files.keys(), ...host.links.keys()].filter((file) =>
        file.startsWith(`${path}/`),
      );
      return names.length === 0 ? missing(path) : names.map((file) => file.slice(path.length + 1)).sort();
    },
    readLink: async (path) => host.links.get(path) ?? missing(path),
    stat: async (path) => {
      if (path.startsWith(backendDir)) syncBackends();
      if (path === backendDir) return stat('directory');
      if (host.files.has(path)) return stat('file');
      if (host.links.has(path)) return stat('symlink');
      const node = host.devices.get(path);
      return node === undefined ? undefined : { ...stat('block'), node };
    },
    facts: async () => ({ boot: 'b', hostname: 'h' }),
    pipe: () => missing('pipe'),
    writeNew: async (path, content) => {
      if (host.files.has(path)) throw failed(path, 'exists');
      host.files.set(path, String(content));
      return stat('file');
    },
    link: () => missing('link'),
    rename: async (from, to) => {
      host.files.set(to, host.files.get(from) ?? missing(from));
      host.files.delete(from);
    },
    removeFile: async (path) => {
      if (!host.files.delete(path)) missing(path);
    },
    makeDir: async () => undefined,
    removeDir: async () => undefined,
    sync: async () => undefined,
  };

  function answer(argv: readonly string[], access: string): Partial<Answer> {
    const said = access === 'read' ? undefined : host.fault(argv);
    if (said !== undefined) return said;
    const [verb, ...rest] = argv;
    // find, which asks what processes use: only process 1, which uses nothing.
    if (verb === '/proc') return { stdout: '/proc/1/ns/mnt 4 4026531841 8124 0:0\n' };
    if (verb === 'list')
      return { stdout: rest[0] === '-v' ? listText(host.domains) : longText(host.domains) };
    if (verb === 'info') return { stdout: infoText(host) };
    if (verb === '-N') return check(rest[1] ?? '');
    if (verb === 'create') return createDomain(rest);
    if (verb === 'destroy') return destroyDomain(Number(rest[0]));
    if (verb === 'shutdown') return destroyDomain(Number(rest.at(-1)));
    throw new Error(`the fake host knows no xl ${argv.join(' ')}`);
  }
  function check(config: string): Partial<Answer> {
    const name = /name *= *"(.*)"/.exec(host.files.get(config) ?? '')?.[1];
    if (host.checkFails !== '') return { exitCode: 1, stderr: `${host.checkFails}\n` };
    if (name === undefined) return { exitCode: 1, stderr: 'Domain name must be specified.\n' };
    return { stdout: JSON.stringify({ c_info: { name, uuid: dom0 } }) };
  }
  function createDomain(rest: readonly string[]): Partial<Answer> {
    const text = host.files.get(rest[0] ?? '') ?? '';
    const id = nextId++;
    const uuid = /uuid="(.*)"/.exec(rest.at(-1) ?? '')?.[1] ?? '';
    const name = /name *= *"(.*)"/.exec(text)?.[1];
    host.domains.push({ id, name, uuid, flags: rest.includes('-p') ? '--p---' : '-b----' });
    for (const [path, node] of host.devices)
      if (text.includes(path)) host.backends.set(`vbd-${id}-${51712 + host.backends.size}`, hex(node));
    return {};
  }
  function destroyDomain(id: number): Partial<Answer> {
    const at = host.domains.findIndex((domain) => domain.id === id);
    if (at < 1) return { exitCode: 1, stderr: `libxl: error: x: Domain ${id}:Non-existant domain\n` };
    host.domains.splice(at, 1);
    for (const name of [...host.backends.keys()])
      if (name.startsWith(`vbd-${id}-`)) host.backends.delete(name);
    return {};
  }
  function syncBackends(): void {
    for (const path of [...host.files.keys()]) if (path.startsWith(backendDir)) host.files.delete(path);
    for (const [name, device] of host.backends)
      host.files.set(`${backendDir}/${name}/physical_device`, `${device}\n`);
  }
  return host;
}

function stat(kind: FileStat['kind']): FileStat {
  return { kind, inode: '1', device: '0:1', size: 0, mode: 0o644, uid: 0, gid: 0, links: 1 };
}

function failed(path: string, reason: 'not-found' | 'exists'): CommandError {
  return new CommandError({ tool: 'file', argv: [path], reason });
}

function missing(path: string): never {
  throw failed(path, 'not-found');
}

function hex(node: string): string {
  return node
    .split(':')
    .map((part) => Number(part).toString(16))
    .join(':');
}

function listText(domains: readonly FakeDomain[]): string {
  const head =
    'Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label\n';
  const rows = domains.map(
    ({ id, name, uuid, flags }) =>
      `${(name ?? '(null)').padEnd(40)} ${String(id).padStart(5)} ${'128'.padStart(5)} ${'1'.padStart(5)}     ${flags}  ${'1.0'.padStart(8)} ${uuid} ${'-'.padStart(8)} ${'-'.padStart(16)}\n`,
  );
  return head + rows.join('');
}

function longText(domains: readonly FakeDomain[]): string {
  return JSON.stringify(domains.filter(({ building }) => building !== true).map(({ id }) => ({ domid: id })));
}

function infoText({ freeMiB, commandLine }: FakeHost): string {
  return `total_memory           : 3000\nfree_memory            : ${freeMiB}\nxen_version            : 4.17.7\nxen_caps               : xen-3.0-x86_64 hvm-3.0-x86_64 \nxen_commandline        : ${commandLine}\nxen_changeset          : \n`;
}
