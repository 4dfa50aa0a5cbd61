import * as z from 'zod/mini';
import { deferred, type Look } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { refuseWithoutAddress } from '../address.ts';
import type { ResourceState } from '../state.ts';
import { drbdAdjust, drbdAdjustments } from '../volume-commands.ts';
import { args, askedUp, claimsOf, holdersOf, minorsOf, now } from './known-resource.ts';

const undo = z.strictObject({
  name: z.string(),
  minors: z.array(z.int()),
  /** The changes that were needed when the step was journalled: only these are made later. */
  changes: z.array(z.string()),
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
    return { name, minors: [...minorsOf(state)], changes: [...changes] };
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  look: async ({ undo: of, host }): Promise<Look> => {
    const state = await now(host, of);
    if (state === 'absent') return { state: 'gone' };
    if (state === 'other') return { state: 'not-ours', found: `${of.name} is up with other devices` };
    return { state: (await host.run(drbdAdjustments(of.name))).length === 0 ? 'gone' : 'ours' };
  },
  afterCommit: async ({ undo: of, host }) => {
    const state = await now(host, of);
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
