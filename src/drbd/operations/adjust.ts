import * as z from 'zod/mini';
import { deferred, type Look } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { refuseWithoutAddress } from '../address.ts';
import { states } from '../reads.ts';
import type { ResourceState } from '../state.ts';
import { drbdAdjust, drbdAdjustments } from '../volume-commands.ts';
import { checkDisk } from './disk.ts';
import { args, askedUp, claimsOf, holdersOf, minorsOf } from './known-resource.ts';

const undo = z.strictObject({
  name: z.string(),
  minors: z.array(z.int()),
  /** The changes that were needed when the step was journalled: only these are made later. */
  changes: z.array(z.string()),
  /** The volumes that the configuration adds, if there are any. */
  adds: z.exactOptional(z.strictObject({ minors: z.array(z.int()), disks: z.array(z.string()) })),
});

type Undo = z.infer<typeof undo>;

/**
 * Makes a resource that is up follow its configuration, after the commit, because the previous options are
 * unknown. Refused if this would remove a disk, a device or a connection that is in use.
 */
export const adjust = deferred({
  kind: 'drbd.adjust',
  version: 1,
  args,
  undo,
  prepare: async ({ args: { name }, host }): Promise<Undo> => {
    const found = await askedUp(host, name);
    const { state } = found;
    const changes = await host.run(drbdAdjustments(name));
    if (changes.length === 0)
      throw new RefusedError(`${name} already follows its configuration`, {
        remedy: `there is nothing to do; see: bofh drbd show ${name}`,
      });
    await refuseWithoutAddress(host, found, drbdAdjust(name));
    await refuseTaking(host, state, changes);
    const present = minorsOf(state);
    const added = found.here.volumes.filter(({ minor }) => !present.includes(minor));
    for (const { disk, metadata } of added)
      if (disk !== undefined)
        await checkDisk(host, { name, disk, metadata, then: `bofh drbd adjust ${name}` });
    const minors = added.map(({ minor }) => minor);
    const adds = { minors, disks: added.flatMap(({ disk }) => disk ?? []) };
    return {
      ...{ name, minors: [...present], changes: [...changes] },
      ...(added.length === 0 ? {} : { adds }),
    };
  },
  claims: async ({ undo: of, on }) => {
    const { changes, needs } = await claimsOf(of, on);
    const { minors = [], disks = [] } = of.adds ?? {};
    const lower = await Promise.all(disks.map((disk) => on(disk)));
    return {
      makes: minors.map((minor) => `dev:drbd${String(minor)}`),
      changes,
      needs: [...new Set([...needs, ...lower.flatMap(({ key, beneath }) => [key, ...beneath])])],
    };
  },
  look: async ({ undo: of, host }): Promise<Look> => {
    const state = await nowOrLater(host, of);
    if (state === 'absent') return { state: 'gone' };
    if (state === 'other') return { state: 'not-ours', found: `${of.name} is up with other devices` };
    return { state: (await host.run(drbdAdjustments(of.name))).length === 0 ? 'gone' : 'ours' };
  },
  afterCommit: async ({ undo: of, host }) => {
    const state = await nowOrLater(host, of);
    if (typeof state === 'string') return;
    const changes = await host.run(drbdAdjustments(of.name));
    refuseMore(of, changes);
    await refuseTaking(host, state, changes);
    await host.run(drbdAdjust(of.name));
  },
  describe: ({ undo: { name, changes }, way }) => ({
    what: `the DRBD resource ${name}, to which its configuration will be applied: ${changes.join('; ')}`,
    look: [['drbdadm', '--dry-run', 'adjust', name]],
    clear: way === 'back' ? [] : [['drbdadm', 'adjust', name]],
  }),
});

/**
 * The state of the resource, which has some of the volumes that it had or will have: the configuration may add
 * and remove volumes.
 */
async function nowOrLater(host: ReadHost, of: Undo): Promise<ResourceState | 'absent' | 'other'> {
  const found = (await states(host)).find((each) => each.name === of.name);
  if (found === undefined) return 'absent';
  const known = [...of.minors, ...(of.adds?.minors ?? [])];
  return minorsOf(found).every((minor) => known.includes(minor)) ? found : 'other';
}

/** Refuses changes that were made to the file later: they need a new request. */
function refuseMore({ name, changes }: Undo, now: readonly string[]): void {
  const more = now.filter((line) => !changes.includes(line));
  if (more.length > 0)
    throw new RefusedError(
      `the configuration of ${name} has changed since the request: applying it would now also run ${more.join('; ')} (requested: ${changes.join('; ')}); nothing was done`,
      { remedy: `if you want that: drbdadm adjust ${name}; then: bofh recover` },
    );
}

/** A command that removes something, for example `drbdsetup-84 detach 3`. */
const taking = /^\S+ (?<verb>detach|del-minor|disconnect|del-peer|del-path|down) /;

async function refuseTaking(
  host: ReadHost,
  { name, role, volumes }: ResourceState,
  changes: readonly string[],
): Promise<void> {
  const found = changes.find((line) => taking.test(line));
  if (found === undefined) return;
  const who = await holdersOf(
    host,
    volumes.map(({ minor }) => minor),
  );
  if (role !== 'Primary' && who.length === 0) return;
  throw new RefusedError(`${name} is in use, and applying its configuration would interrupt it (${found})`, {
    remedy: `make it secondary first: bofh drbd secondary ${name}; or apply it anyway: drbdadm adjust ${name}`,
    holders: who,
  });
}
