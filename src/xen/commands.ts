import type * as z from 'zod/mini';
import { type Answer, type Command, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';
import { quoted } from './config/write.ts';
import {
  type DomainDisk,
  type DomainInterface,
  dryRun,
  type GivenDisk,
  type GivenInterface,
  type GivenResources,
  infoKeys,
  type ListedDomain,
  longDisks,
  longInterfaces,
  longList,
  longSettings,
  type XenInfo,
} from './schema.ts';

/** Every domain of the host, including Domain-0 and half-built ones. */
export function xlList(): ReadCommand<readonly ListedDomain[]> {
  return { ...xl(['list', '-v'], ({ stdout }) => parseList(stdout)), access: 'read' };
}

/**
 * The ids of the domains for which xl has a configuration. xl silently leaves out half-built ones
 * (xl_info.c, list_domains_details).
 */
export function xlListLong(): ReadCommand<readonly number[]> {
  const parse = ({ stdout }: Answer): readonly number[] =>
    longList.parse(JSON.parse(stdout)).map(({ domid }) => domid);
  return { ...xl(['list', '-l'], parse), access: 'read', shownOf: withoutConfigWords };
}

/**
 * Memory, virtual CPUs and weight of each guest. Like `xlListLong`, it leaves out guests without a
 * configuration in xl.
 */
export function xlResources(): ReadCommand<readonly GivenResources[]> {
  const parse = ({ stdout }: Answer): readonly GivenResources[] =>
    longSettings
      .parse(JSON.parse(stdout))
      .filter(({ domid }) => domid !== 0)
      .map(({ domid, config: { b_info: given } }) => resourcesOf(domid, given));
  return { ...xl(['list', '-l'], parse), access: 'read', shownOf: withoutConfigWords };
}

/**
 * The current disks of each guest, including those attached while it ran. Like `xlListLong`, it leaves out
 * guests without a configuration in xl.
 */
export function xlDisks(): ReadCommand<ReadonlyMap<number, readonly DomainDisk[]>> {
  const parse = ({ stdout }: Answer): ReadonlyMap<number, readonly DomainDisk[]> =>
    new Map(longDisks.parse(JSON.parse(stdout)).map(({ domid, config: { disks = [] } }) => [domid, disks]));
  return { ...xl(['list', '-l'], parse), access: 'read', shownOf: withoutConfigWords };
}

/** The network interfaces that each guest has now. Like `xlListLong`, it leaves out guests without a configuration in xl. */
export function xlInterfaces(): ReadCommand<ReadonlyMap<number, readonly DomainInterface[]>> {
  const parse = ({ stdout }: Answer): ReadonlyMap<number, readonly DomainInterface[]> =>
    new Map(
      longInterfaces.parse(JSON.parse(stdout)).map(({ domid, config: { nics = [] } }) => [domid, nics]),
    );
  return { ...xl(['list', '-l'], parse), access: 'read', shownOf: withoutConfigWords };
}

function resourcesOf(
  domid: number,
  given: z.infer<typeof longSettings>[number]['config']['b_info'],
): GivenResources {
  const { max_memkb, target_memkb, sched_params = {} } = given;
  // If the configuration sets neither `vcpus` nor `maxvcpus`, both keys are missing (seen with 4.17): the guest has one CPU.
  const isDefault = given.max_vcpus === undefined && given.avail_vcpus === undefined;
  const { max_vcpus, avail_vcpus } = isDefault ? { max_vcpus: 1, avail_vcpus: [0] } : given;
  if (
    max_vcpus === undefined ||
    avail_vcpus === undefined ||
    max_memkb === undefined ||
    target_memkb === undefined
  )
    throw new ParseError(`xl list -l: domain ${String(domid)} has no memory or no virtual CPUs`);
  const { sched, weight } = sched_params;
  const known = sched === 'credit' || sched === 'credit2' ? sched : undefined;
  return {
    ...{ domid, memoryKiB: target_memkb, maxMemoryKiB: max_memkb },
    ...{ vcpus: avail_vcpus.length, maxVcpus: max_vcpus },
    ...(known === undefined || weight === undefined ? {} : { scheduler: known, weight }),
  };
}

/** The hypervisor's version and memory. */
export function xlInfo(): ReadCommand<XenInfo> {
  return { ...xl(['info'], ({ stdout }) => parseInfo(stdout)), access: 'read' };
}

/**
 * Lets xl parse a config file, without creating a domain. xl does not check the kernel and the
 * disks.
 */
export function xlCheck(guest: {
  readonly config: string;
  readonly uuid?: string;
}): ReadCommand<{ readonly name: string; readonly uuid: string }> {
  const parse = ({ stdout }: Answer): { name: string; uuid: string } =>
    dryRun.parse(JSON.parse(stdout)).c_info;
  return {
    ...xl(['-N', 'create', guest.config, ...uuidArgument(guest)], parse),
    classify: classifyCreate,
    access: 'read',
    shownOf: withoutConfigWords,
  };
}

/**
 * Starts a guest with a uuid that bofh chose; `uuid=` on the command line overrides that of the
 * file. `xl create` returns when the guest runs its first instruction, and leaves a monitor
 * process, which restarts and cleans up the guest (xl(1)).
 */
export function xlCreate(guest: {
  readonly config: string;
  readonly uuid: string;
  readonly initially?: 'running' | 'paused';
}): Command<void, 'change'> {
  const paused = guest.initially === 'paused' ? ['-p'] : [];
  return {
    ...xl(['create', guest.config, ...paused, ...uuidArgument(guest)], nothing),
    classify: classifyCreate,
    access: 'change',
    shownOf: withoutConfigWords,
  };
}

/**
 * Removes words of the config file from stderr: xl quotes a word that it could not parse: "config parsing
 * error near `geheim': …" (libxlu_cfg.c).
 */
function withoutConfigWords(stderr: string): string {
  return stderr.replaceAll(/(?<=config parsing error near )[^\n]*(?=: [^:\n]*$)/gm, '…');
}

/**
 * Destroys a domain at once, without a shutdown. The domain is given by its id, because a guest may
 * have the name "7".
 */
export function xlDestroy(domain: { readonly id: number }): Command<void, 'destroy'> {
  return { ...xl(['destroy', String(domain.id)], nothing), access: 'destroy' };
}

/**
 * Asks a guest to shut down and waits until it is off. The domain may then still exist until its monitor
 * removes it (`-w` twice would wait for that, and with on_poweroff="preserve" forever). A signal or
 * `timeoutMs` may end the wait, but the guest continues to shut down. `-F`: an HVM guest without drivers for Xen gets
 * the power button of ACPI.
 */
export function xlShutdown(domain: {
  readonly id: number;
  readonly timeoutMs: number;
}): Command<void, 'change'> {
  const command = xl(['shutdown', '-F', '-w', String(domain.id)], nothing);
  return { ...command, access: 'change', stop: 'safe', timeoutMs: domain.timeoutMs };
}

/**
 * Sets the memory target of the guest's balloon driver. xl writes the target and returns at once;
 * the guest may or may not follow. xl refuses a value above the guest's maxmem.
 */
export function xlMemSet(domain: { readonly id: number; readonly kib: number }): Command<void, 'change'> {
  return { ...xl(['mem-set', String(domain.id), `${domain.kib}k`], nothing), access: 'change' };
}

/**
 * Sets how many virtual CPUs the guest may use; its kernel may or may not follow. Without `--ignore-host` xl
 * refuses more than the host has, which `xl create` allows, and which an undo may need.
 */
export function xlVcpuSet(domain: { readonly id: number; readonly vcpus: number }): Command<void, 'change'> {
  const argv = ['vcpu-set', '--ignore-host', String(domain.id), String(domain.vcpus)];
  return { ...xl(argv, nothing), access: 'change' };
}

/** Sets the guest's share of the processors: 256 is the usual weight. */
export function xlWeight(domain: {
  readonly id: number;
  readonly scheduler: 'credit' | 'credit2';
  readonly weight: number;
}): Command<void, 'change'> {
  const argv = [`sched-${domain.scheduler}`, '-d', String(domain.id), '-w', String(domain.weight)];
  return { ...xl(argv, nothing), access: 'change' };
}

/**
 * Gives a running guest a block device of this host as a disk. xl returns when the backend exists; the kernel
 * of the guest attaches the disk later, if at all.
 */
export function xlBlockAttach({
  id,
  vdev,
  path,
  access,
}: { readonly id: number | string } & GivenDisk): Command<void, 'change'> {
  // `target=` must be last: the path is the whole rest, including commas (xl-disk-configuration(5)).
  const disk = `format=raw,vdev=${vdev},access=${access},target=${path}`;
  return {
    ...xl(['block-attach', String(id), disk], nothing),
    classify: classifyAttach,
    access: 'change',
  };
}

/**
 * Detaches a disk from a running guest. xl waits 10 s until the guest releases it, then fails; the guest may
 * still release it later (Xen 4.15 and later; older versions of xl detached it by force).
 */
export function xlBlockDetach(domain: {
  readonly id: number | string;
  readonly vdev: string;
}): Command<void, 'change'> {
  return { ...xl(['block-detach', String(domain.id), domain.vdev], nothing), access: 'change' };
}

/**
 * Gives a running guest a network interface. Each setting is a separate argument (xl_nic.c). xl returns when
 * its script has connected the interface to the bridge.
 */
export function xlNetworkAttach({
  id,
  mac,
  bridge,
  script,
}: { readonly id: number | string } & GivenInterface): Command<void, 'change'> {
  const more = script === undefined ? [] : [`script=${script}`];
  return {
    ...xl(['network-attach', String(id), `mac=${mac}`, `bridge=${bridge}`, ...more], nothing),
    classify: classifyAttach,
    access: 'change',
  };
}

/** Detaches a network interface from a running guest; after 10 s by force. */
export function xlNetworkDetach(domain: {
  readonly id: number | string;
  readonly mac: string;
}): Command<void, 'change'> {
  return { ...xl(['network-detach', String(domain.id), domain.mac], nothing), access: 'change' };
}

/** Pauses a guest. Exits with 0 also if there is no such domain (4.17). */
export function xlPause(domain: { readonly id: number }): Command<void, 'change'> {
  return { ...xl(['pause', String(domain.id)], nothing), access: 'change' };
}

/** Ends one pause of a guest. Exits with 0 also if there is no such domain (4.17). */
export function xlUnpause(domain: { readonly id: number }): Command<void, 'change'> {
  return { ...xl(['unpause', String(domain.id)], nothing), access: 'change' };
}

function xl<T>(argv: readonly string[], parse: (answer: Answer) => T) {
  return { tool: 'xl', argv, parse, classify: classifyXl } as const;
}

function uuidArgument({ uuid }: { readonly uuid?: string }): readonly string[] {
  return uuid === undefined ? [] : [`uuid=${quoted({ text: uuid, what: 'uuid' })}`];
}

/**
 * Why xl failed on a domain. It exits with 1, or with the negated error of libxl (3: any failure), so only
 * its message gives the reason (fixtures in test/fixtures/xl).
 */
export function classifyXl({ stderr }: Answer): Reason {
  // The last alternative is the message of Xen 4.20.
  const gone =
    /does not exist|unable to find domain info|is an invalid domain identifier|Non-existant domain|Device \S+ not connected|Unknown device \S|unable to get (?:domain type|dominfo: No such process)/;
  if (gone.test(stderr)) return 'not-found';
  if (/Permission denied/.test(stderr)) return 'denied';
  if (/didn't acknowledge control request/.test(stderr)) return 'timeout';
  if (/unable to remove device with path/.test(stderr)) return 'busy';
  return 'unknown';
}

/**
 * Why `xl create` failed. Its first error counts: later ones are about its own cleanup
 * ("Non-existant domain" for the domain that it never created).
 */
export function classifyCreate({ stderr }: Answer): Reason {
  if (/Domain with name ".*" already exists/.test(stderr)) return 'exists';
  if (/because of timeout/.test(stderr)) return 'timeout';
  if (/Out of memory|Cannot allocate memory|failed to free memory/.test(stderr)) return 'no-space';
  if (/is mounted (?:in|read-write)/.test(stderr)) return 'busy';
  if (/Permission denied/.test(stderr)) return 'denied';
  if (/Could not find bridge/.test(stderr)) return 'not-found';
  if (/No such file or directory/.test(stderr) && !/privileged command interface/.test(stderr))
    return 'not-found';
  return 'unknown';
}

/** Why xl could not give a guest a device: its script refused it, or there is no such guest. */
function classifyAttach(answer: Answer): Reason {
  const reason = classifyCreate(answer);
  return reason === 'unknown' ? classifyXl(answer) : reason;
}

/**
 * The most informative message in the stderr of an `xl create`: the text of a hotplug script, else
 * the first one.
 */
export function messageOfFailedCreate(stderr: string): string | undefined {
  const script = /: script: (?<words>[^:]*?)\n(?=[a-z]+: error:|$)/.exec(stderr)?.groups?.words;
  const first = /(?:^|\n)(?:libxl|xc): error: (?:panic: )?[\w.]+:\d+:(?:\w+:)? ?(?<words>.*)/.exec(stderr)
    ?.groups?.words;
  return (script ?? first)?.replaceAll('\n', ' ').trim();
}

// printf of list_domains in xl_info.c (4.17): "%-40s %5d %5lu %5d %c%c%c%c%c%c %8.1f", then "
// UUID", " %8s" (the reason of a shutdown) and " %16s" (the security label). A name may contain
// anything, so it is all text before the columns; a newline in it breaks the row, which is then an
// error.
const header = /^Name {40}ID {3}Mem VCPUs\tState\tTime\(s\) {3}UUID {28}Reason-Code\tSecurity Label$/;
const row =
  /^(?<name>.*) (?<id>\d+) +(?<memory>\d+) +(?<vcpus>\d+) {5}(?<flags>[r-][b-][p-][s-][-rscwS?][d-]) +(?<seconds>\d+\.\d) (?<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) +(?<reason>-|[0-9a-f]+) +(?<label>\S+)$/;

function parseList(stdout: string): readonly ListedDomain[] {
  const [first, ...rows] = stdout.replace(/\n$/, '').split('\n');
  if (!header.test(first ?? '')) throw new ParseError(`xl list -v: unknown columns: ${first ?? ''}`);
  const domains = rows.map(parseRow);
  // xl always lists the domain that it runs in. If it is missing, the list was cut off.
  if (!domains.some(({ id }) => id === 0)) throw new ParseError('xl list -v does not show Domain-0');
  return domains;
}

function parseRow(line: string): ListedDomain {
  const groups = row.exec(line)?.groups;
  if (groups === undefined) throw new ParseError(`xl list -v: cannot read the line "${line}"`);
  const { id, memory, vcpus, flags = '', seconds, uuid = '' } = groups;
  const name = nameInColumn(groups.name ?? '', id ?? '');
  return {
    id: Number(id),
    ...(name === '(null)' ? {} : { name }),
    uuid,
    memoryMiB: Number(memory),
    vcpus: Number(vcpus),
    flags,
    seconds: Number(seconds),
  };
}

/**
 * The name column is 40 characters wide, the id column 5. If the name is not longer than its
 * column, trailing blanks of the name cannot be told from padding.
 */
function nameInColumn(before: string, id: string): string {
  const column = before.slice(0, before.length - Math.max(0, 5 - id.length));
  return Buffer.byteLength(column) > 40 ? column : column.replace(/ +$/, '');
}

function parseInfo(stdout: string): XenInfo {
  const values: Record<string, string> = {};
  for (const line of stdout.replace(/\n$/, '').split('\n')) {
    const groups = /^(?<key>[a-z]\w*) *:(?: (?<value>.*))?$/.exec(line)?.groups;
    if (groups?.key === undefined) throw new ParseError(`xl info: cannot read the line "${line}"`);
    values[groups.key] = groups.value ?? '';
  }
  const found = infoKeys.parse(values);
  return {
    freeMemoryMiB: Number(found.free_memory),
    totalMemoryMiB: Number(found.total_memory),
    xenVersion: found.xen_version,
    canVirtualize: / hvm-/.test(` ${found.xen_caps}`),
    commandLine: found.xen_commandline,
  };
}
