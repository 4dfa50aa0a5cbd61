import * as z from 'zod/mini';
import type { Claims, DeviceKeys, Key } from '../../atomic/operation.ts';
import { type ChangeHost, follow, orMissing, type ReadHost } from '../../command/index.ts';
import { busyWith, everyHolder, holders, inWords, remedyFor } from '../../blockdevice/index.ts';
import { CommandError, type Holder, NotDone, RefusedError, UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { messageOfFailedCreate, xlCheck, xlCreate, xlDestroy } from '../commands.ts';
import type { GuestConfig } from '../config/guest.ts';
import { describe, type Domain, survey } from '../domains.ts';
import { readGuestConfig } from '../guests.ts';
import { backends, until } from '../backends.ts';

/** The guest as in the journal: enough to find, end and start it. */
export const guestSchema = z.strictObject({
  name: z.string(),
  /**
   * The UUID, chosen before the step. It does not prove alone that this step started a domain, because xl starts
   * two with one uuid: the name must match too.
   */
  uuid: z.string(),
  config: z.string(),
  initially: z.enum(['running', 'paused']),
  disks: z.array(
    z.strictObject({
      path: z.string(),
      access: z.enum(['ro', 'rw']),
      kind: z.enum(['block', 'file', 'missing']),
    }),
  ),
  macs: z.array(z.string()),
});

export type JournalledGuest = z.infer<typeof guestSchema>;

/**
 * Timeout for a destroyed domain, or its backends, to disappear. libxl gives a device 10 s
 * (LIBXL_DESTROY_TIMEOUT).
 */
const goneMs = 120_000;

/** A config file, and the guest that it must describe. */
interface WantedConfig {
  readonly config: string;
  readonly name: string;
  readonly uuid?: string;
}

/** Reads a guest's config. Throws UsageError if it is unreadable, or another guest's. */
export async function configOf(host: ReadHost, wanted: WantedConfig): Promise<GuestConfig> {
  const guest = await readGuestConfig(host, wanted.config);
  if (guest.name !== wanted.name)
    throw new UsageError(`${wanted.config} is the configuration of ${guest.name}, not of ${wanted.name}`);
  if (wanted.uuid !== undefined && guest.uuid !== undefined && guest.uuid !== wanted.uuid)
    throw new UsageError(
      `${wanted.config}: its uuid ${guest.uuid} is not that of the running guest, ${wanted.uuid}`,
    );
  return guest;
}

/** Checks a config file with xl. Throws UsageError if xl rejects it. */
export async function checkConfig(host: ReadHost, wanted: WantedConfig): Promise<void> {
  try {
    await host.run(xlCheck(wanted));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason === 'timeout' || error.reason === 'denied')
      throw error;
    throw new UsageError(`${wanted.config}: xl does not accept it: ${error.message}`, { cause: error });
  }
}

/**
 * The disks of a config, in the form of the journal: a file by its path without links, a block device (or a
 * missing one) by its path in the config.
 */
export async function disksOf(host: ReadHost, guest: GuestConfig): Promise<JournalledGuest['disks']> {
  const disks: JournalledGuest['disks'] = [];
  for (const { path, access } of guest.disks) {
    if (path === undefined) continue;
    const { path: at, stat } = await follow(host, path);
    const kind = stat === undefined ? 'missing' : stat.kind === 'block' ? 'block' : 'file';
    disks.push({ path: kind === 'file' ? at : path, access, kind });
  }
  return disks;
}

/**
 * The holders of a disk that the guest may write. The hotplug script of xl sees only mounts and
 * other guests: it would give the guest a device that is open as a LUKS device, or in use by a
 * volume group.
 */
export async function diskHolders(
  host: ReadHost,
  { path, access, kind }: JournalledGuest['disks'][number],
): Promise<readonly Holder[]> {
  if (kind !== 'block' || access === 'ro' || (await holders(host, path)).length === 0) return [];
  const all = await everyHolder(host, path);
  return all.map((each) => ({ ...each, words: `its disk ${path} is in use: ${each.words}` }));
}

/** Refuses to give a guest disks that others use now: both would write to them. */
export async function refuseHeldDisks(
  host: ReadHost,
  { name, disks }: Pick<JournalledGuest, 'name' | 'disks'>,
): Promise<void> {
  const held: Holder[] = [];
  // xl says which disk is missing.
  for (const disk of disks) held.push(...((await orMissing(diskHolders(host, disk))) ?? []));
  if (held.length === 0) return;
  const first = remedyFor(held) ?? 'end that use';
  throw new RefusedError(`${name} cannot get its disks back: ${inWords(held)}`, {
    code: 'in-use',
    remedy: `${first}; then: bofh recover`,
    holders: held,
  });
}

/** The claims of a guest. It writes to its disks, so they count as changed; read-only disks are shared. */
export async function guestClaims(
  guest: JournalledGuest,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<{ readonly self: readonly Key[]; readonly disks: Required<Pick<Claims, 'changes' | 'needs'>> }> {
  const changes: Key[] = [];
  const needs: Key[] = [`file:${guest.config}`];
  for (const { path, access, kind } of guest.disks) {
    const { key, beneath } = kind === 'block' ? await on(path) : { key: `file:${path}`, beneath: [] };
    (access === 'rw' ? changes : needs).push(key);
    needs.push(...beneath);
  }
  const self = [`dom:${guest.name}`, `dom-uuid:${guest.uuid}`, ...guest.macs.map((mac) => `mac:${mac}`)];
  const exclusive = new Set([...self, ...changes]);
  return { self, disks: { changes, needs: [...new Set(needs)].filter((key) => !exclusive.has(key)) } };
}

/** The domains and backends of a guest on the host. */
export interface FoundGuest {
  /**
   * Its domains: uuid and name match, or the uuid does and there is no name (yet, or it was
   * removed). Rarely two, during a restart.
   */
  readonly ours: readonly Domain[];
  /** A domain with the guest's name and another uuid, or with its uuid and another name. */
  readonly other?: Domain;
  /** Names of backends that hold its disks for a domain that is gone. */
  readonly leftovers: readonly string[];
}

/** Looks for a guest by uuid and name. `ids` are its previous domains. */
export async function findGuest(
  host: ReadHost,
  { guest, ids }: { readonly guest: JournalledGuest; readonly ids: readonly number[] },
): Promise<FoundGuest> {
  const { listed, domains } = await survey(
    host,
    ({ id, uuid, name }) => id !== 0 && (uuid === guest.uuid || name === guest.name),
  );
  const ours = domains.filter(({ uuid, name }) => uuid === guest.uuid && (name ?? guest.name) === guest.name);
  const other = domains.find(
    ({ uuid, name }) => (uuid === guest.uuid) !== (name === guest.name) && name !== undefined,
  );
  const alive = new Set(listed.map(({ id }) => id).filter((id) => id !== 0));
  const numbers = new Set<string>();
  for (const { path } of guest.disks) {
    const node = (await follow(host, path)).stat?.node;
    if (node !== undefined) numbers.add(node);
  }
  const leftovers = (await backends(host)).filter(
    ({ domid, device }) =>
      !alive.has(domid) && (ids.includes(domid) || (device !== undefined && numbers.has(device))),
  );
  return { ours, ...present({ other }), leftovers: leftovers.map(({ name }) => name) };
}

/** Destroys every domain of a guest, by id, and waits until they and their backends are gone. */
export async function endGuest(
  host: ChangeHost,
  { guest, ids }: { readonly guest: JournalledGuest; readonly ids: readonly number[] },
): Promise<void> {
  const seen = new Set(ids);
  const destroyed = new Set<number>();
  let failure: unknown;
  let left: readonly Holder[] = [];
  const gone = await until({
    limitMs: goneMs,
    check: async () => {
      const found = await findGuest(host, { guest, ids: [...seen] });
      for (const { id, state } of found.ours) {
        seen.add(id);
        if (state === 'dying' || destroyed.has(id)) continue;
        failure = await failureOf(host.run(xlDestroy({ id })));
        if (failure === undefined) destroyed.add(id);
      }
      left = [...found.ours.map(domainHolder), ...found.leftovers.map(backendHolder)];
      return left.length === 0;
    },
  });
  if (gone) return;
  throw new CommandError({
    tool: 'xl',
    argv: ['destroy', ...[...seen].map(String)],
    reason: 'timeout',
    what: `the domain of ${guest.name}, or a backend of its disks, is still there after ${goneMs / 1000} s: ${inWords(left)}`,
    holders: left,
    cause: failure,
  });
}

/** A domain as a holder of the guest's name and disks. */
export function domainHolder(domain: Domain): Holder {
  const { id, name } = domain;
  const words = `the guest ${name ?? '(without a name)'} is ${describe(domain)}`;
  // A dying domain has been destroyed already: it disappears when its memory is no longer mapped.
  const free = domain.state === 'dying' ? {} : { free: ['xl', 'destroy', String(id)] };
  return { kind: 'guest', domid: id, words, ...present({ name }), ...free };
}

function backendHolder(backend: string): Holder {
  return { kind: 'unknown', words: `the backend ${backend} is left over from a domain that is gone` };
}

/** Starts a guest, verifies that it exists, and returns its domain. */
export async function startGuest(host: ChangeHost, guest: JournalledGuest): Promise<Domain> {
  await createOf(host, guest);
  const { ours } = await findGuest(host, { guest, ids: [] });
  // xl has exited 0, so a domain that was created paused is complete, whether xl shows its configuration or
  // not.
  const domain = ours.find(
    ({ state, name }) =>
      state === 'running' ||
      state === 'paused' ||
      (state === 'building' && name !== undefined && guest.initially === 'paused'),
  );
  if (domain !== undefined) return domain;
  throw new CommandError({
    tool: 'xl',
    argv: xlCreate(guest).argv,
    reason: 'unknown',
    what: `it exited 0, but ${ours.length === 0 ? 'there is no such domain' : 'the guest does not run'}: see /var/log/xen and the guest's console`,
  });
}

// A failed xl create ends with messages about its own cleanup, so the last line is not the cause.
async function createOf(host: ChangeHost, guest: JournalledGuest): Promise<void> {
  try {
    await host.run(xlCreate(guest));
  } catch (error) {
    const complaint = error instanceof CommandError ? messageOfFailedCreate(error.stderr) : undefined;
    if (!(error instanceof CommandError) || complaint === undefined) throw error;
    const { tool, argv, reason, exitCode } = error;
    const what = `exit ${exitCode ?? '?'}: ${complaint}`;
    const remedy = reason === 'no-space' ? moreMemory(guest, complaint) : undefined;
    const failure = new CommandError({
      tool,
      argv,
      reason,
      exitCode,
      what,
      cause: error,
      ...present({ remedy }),
    });
    if (reason === 'exists') throw await startedByOthers(host, guest, failure);
    throw reason === 'busy' ? await busyDisks(host, guest, failure) : failure;
  }
}

/** The guest has too little memory for its kernel (xc_dom_chk_alloc_pages), or the host has too little left. */
function moreMemory({ name, config }: JournalledGuest, complaint: string): string {
  return /segment \S+ too large/.test(complaint)
    ? `give ${name} more memory in ${config}: its kernel and ramdisk do not fit`
    : `see how much memory is free (xl info), and stop a guest or give ${name} less in ${config}`;
}

// A start from its config file by others gives the same uuid and name, so these do not distinguish the
// domains. xl has already removed the domain that it was creating, which never had a name. If it did not, the
// undo removes it.
async function startedByOthers(
  host: ReadHost,
  guest: JournalledGuest,
  error: CommandError,
): Promise<CommandError | NotDone> {
  const { ours } = await findGuest(host, { guest, ids: [] });
  const [theirs, ...more] = ours;
  if (theirs?.name === undefined || more.length > 0) return error;
  const found = `the guest ${theirs.name} was started by another process meanwhile: ${describe(theirs)}`;
  return new NotDone(`${error.message}; ${found}, and is left untouched`, {
    found,
    cause: error,
    remedy: `see it: xl list ${theirs.name}`,
  });
}

/** xl found a disk in use: it names the disk, but not the holder. */
async function busyDisks(
  host: ReadHost,
  { name, disks }: JournalledGuest,
  error: CommandError,
): Promise<CommandError> {
  const found: Holder[] = [];
  for (const { path, kind } of disks)
    if (kind === 'block')
      for (const each of await everyHolder(host, path))
        found.push({ ...each, words: `${path}: ${each.words}` });
  return busyWith(error, { what: `${error.message}; a disk of ${name}`, holders: found });
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    // The domain may have ended meanwhile: the next look decides.
    if (error instanceof CommandError) return error;
    throw error;
  }
}
