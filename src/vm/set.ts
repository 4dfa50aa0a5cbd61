import type { ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { sha256 } from '../file/index.ts';
import { realPath } from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { guestIn } from './configured.ts';
import {
  type ConfigValue,
  type Domain,
  domains,
  type GivenResources,
  givenTo,
  type GuestConfig,
  type GuestSetting,
  parseConfig,
  refuseMissingMemory,
  withSettings,
} from '../xen/index.ts';
import { autostartLinks, autostartPath } from './autostart.ts';
import type { CheckedSet } from './request.ts';

/** A setting that changes, or has not taken effect yet. Memory is in MiB. */
export interface SetRow {
  readonly setting: keyof CheckedSet;
  /** The value in the config file before; undefined if the file did not set it. */
  readonly from: string | number | boolean | undefined;
  readonly to: string | number | boolean;
  /** When the setting takes effect: now, or at the next start (also for a guest that is off). */
  readonly effective: 'now' | 'next start';
  /** Why the setting does not take effect now in a running guest. */
  readonly why?: string;
}

/** The plan to change the settings of a guest. */
export interface SetPlan {
  readonly name: string;
  readonly config: string;
  readonly rows: readonly SetRow[];
  /** Undefined if the file already has these settings. */
  readonly file:
    | {
        readonly sha256: string;
        /** Text with one character for each byte. */
        readonly content: string;
      }
    | undefined;
  /** Links for the start at boot: `to` null removes one. */
  readonly links: readonly { readonly path: string; readonly to: string | null }[];
  /** The changes in the running guest. */
  readonly live: readonly {
    readonly uuid: string;
    readonly setting: GuestSetting;
    readonly to: number;
  }[];
}

/** The keys in the config file (xl.cfg(5)). */
const keys = {
  memory: 'memory',
  maxmem: 'maxmem',
  vcpus: 'vcpus',
  maxvcpus: 'maxvcpus',
  cpus: 'cpus',
  cpuWeight: 'cpu_weight',
} as const;

/** Returns the changes that the settings need, after all checks. */
export async function planSet(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly settings: CheckedSet;
}): Promise<SetPlan> {
  const { host, site, name, settings } = options;
  const { guest } = await guestIn(host, { name, site });
  checkLimits(guest, settings);
  const config = await realPath(host, guest.file);
  const text = await host.readFile(config);
  const read = parseConfig({ text, file: config }).settings;
  const running = await runningGuest(host, guest);
  const edits: Record<string, string | number> = {};
  const live: SetPlan['live'][number][] = [];
  const rows: SetRow[] = [];
  for (const [setting, key] of Object.entries(keys) as [keyof typeof keys, string][]) {
    const to = settings[setting];
    if (to === undefined) continue;
    const from = plainOf(read.get(key));
    if (from !== to) edits[key] = to;
    const now = running === undefined ? undefined : inGuest(setting, to, running.given);
    const isInEffect = now === undefined || now === 'as asked' || setting === 'cpus';
    if (from === to && isInEffect) continue;
    if (typeof now === 'object' && 'to' in now) live.push({ uuid: running?.domain.uuid ?? '', ...now });
    const late = typeof now === 'object' && 'why' in now ? { why: now.why } : {};
    const effective = now === undefined || 'why' in late ? 'next start' : 'now';
    rows.push({ setting, from, to, effective, ...late });
  }
  const memory = live.find(({ setting }) => setting === 'memory');
  if (memory !== undefined && running !== undefined)
    await refuseMissingMemory(host, {
      name,
      hasMiB: running.domain.memoryMiB,
      toMiB: memory.to / 1024,
    });
  const links = await planLinks(host, { name, config, autostart: settings.autostart });
  if (links.length > 0)
    rows.push({
      ...{ setting: 'autostart', from: !settings.autostart, to: settings.autostart === true },
      effective: 'now',
    });
  const file =
    Object.keys(edits).length === 0
      ? undefined
      : { sha256: sha256(text), content: withSettings({ text, file: config }, edits).toString('latin1') };
  return { name, config, rows, file, links, live };
}

/** Changes the settings, first in the file: a change of the running guest can still fail. */
export async function setVm(tx: Tx, { name, config, file, links, live }: SetPlan): Promise<void> {
  if (file !== undefined) await tx.file.change({ path: config, ...file, encoding: 'latin1' });
  for (const link of links) await tx.file.link(link);
  for (const each of live)
    await tx.xen.set({ name, ...each, to: each.setting === 'memory' ? each.to * 1024 : each.to });
}

/** UsageError if a value is above its limit: xl would refuse to start the guest. */
function checkLimits(guest: GuestConfig, settings: CheckedSet): void {
  const { name } = guest;
  const memory = settings.memory ?? guest.memoryMiB;
  const maxmem = settings.maxmem ?? guest.maxMemoryMiB ?? memory;
  if (memory > maxmem)
    throw new UsageError(
      `memory ${memory} MiB is more than maxmem, ${maxmem} MiB: xl would not start ${name}`,
      {
        remedy: `bofh vm set ${name} memory=${memory}m maxmem=${memory}m`,
      },
    );
  const vcpus = settings.vcpus ?? guest.vcpus;
  const maxvcpus = settings.maxvcpus ?? guest.maxVcpus ?? vcpus;
  if (vcpus > maxvcpus)
    throw new UsageError(`vcpus ${vcpus} is more than maxvcpus, ${maxvcpus}: xl would not start ${name}`, {
      remedy: `bofh vm set ${name} vcpus=${vcpus} maxvcpus=${vcpus}`,
    });
}

interface Running {
  readonly domain: Domain;
  readonly given: GivenResources;
}

/**
 * The running guest; undefined if it does not run. Throws RefusedError if a domain of its name is another
 * guest.
 */
async function runningGuest(host: ReadHost, guest: GuestConfig): Promise<Running | undefined> {
  const [domain] = await domains(host, (each) => each.name === guest.name);
  if (domain?.state !== 'running' && domain?.state !== 'paused') return undefined;
  if (guest.uuid !== undefined && guest.uuid !== domain.uuid)
    throw new RefusedError(
      `the domain ${guest.name} (id ${domain.id}) has the uuid ${domain.uuid}, not that of ${guest.file}: it is another guest`,
      { remedy: 'see which one it is: xl list -v' },
    );
  return { domain, given: await givenTo(host, domain) };
}

type InGuest =
  | 'as asked'
  | { readonly setting: GuestSetting; readonly to: number }
  | { readonly why: string };

/** The effect of a new setting on a running guest. */
function inGuest(setting: keyof typeof keys, to: string | number, given: GivenResources): InGuest {
  const compared = (
    live: GuestSetting,
    { now, most, limit }: { readonly now: number; readonly most: number; readonly limit: string },
  ): InGuest => {
    const wanted = live === 'memory' ? Number(to) * 1024 : Number(to);
    if (wanted === now) return 'as asked';
    return wanted > most ? { why: `it was started with ${limit}` } : { setting: live, to: wanted };
  };
  const { memoryKiB, maxMemoryKiB, vcpus, maxVcpus, weight } = given;
  switch (setting) {
    case 'memory':
      return compared('memory', {
        ...{ now: memoryKiB, most: maxMemoryKiB },
        limit: `maxmem ${maxMemoryKiB / 1024} MiB`,
      });
    case 'vcpus':
      return compared('vcpus', { now: vcpus, most: maxVcpus, limit: `maxvcpus ${maxVcpus}` });
    case 'cpuWeight':
      if (weight === undefined) return { why: 'its scheduler has no weights' };
      return compared('weight', { now: weight, most: Infinity, limit: '' });
    case 'maxmem':
      return Number(to) * 1024 === maxMemoryKiB
        ? 'as asked'
        : { why: 'Xen sets this limit when a guest starts' };
    case 'maxvcpus':
      return to === maxVcpus ? 'as asked' : { why: 'Xen sets this limit when a guest starts' };
    case 'cpus':
      return { why: 'xl reads it when a guest starts' };
  }
}

/** A value as `SetRow` shows it. A list cannot be compared here; writing it is refused. */
function plainOf(value: ConfigValue | undefined): string | number | undefined {
  if (value === undefined || value.kind === 'list') return undefined;
  if (value.kind === 'number') return value.value;
  return /^[1-9]\d*$/.test(value.text) ? Number(value.text) : value.text;
}

async function planLinks(
  host: ReadHost,
  guest: { readonly name: string; readonly config: string; readonly autostart: boolean | undefined },
): Promise<SetPlan['links']> {
  const { name, config, autostart } = guest;
  if (autostart === undefined) return [];
  const there = await autostartLinks(host, config);
  if (!autostart) return there.map((path) => ({ path, to: null }));
  return there.length > 0 ? [] : [{ path: await autostartPath(host, name), to: config }];
}
