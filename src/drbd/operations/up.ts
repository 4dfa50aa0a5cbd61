import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { namingHolders } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { NotDone, RefusedError } from '../../errors.ts';
import { stateByHand } from '../by-hand.ts';
import { drbdDown, drbdUp } from '../change-commands.ts';
import { states } from '../reads.ts';
import type { ResourceState } from '../state.ts';
import { checkDisk } from './disk.ts';
import {
  args,
  askedHere,
  askedUp,
  claimsOf,
  configKey,
  deviceOf,
  type Here,
  holdersOf,
  minorsOf,
  now,
  refuseUsed,
  type Undo,
  undo,
  undoOf,
} from './known.ts';

const common = { version: 1, args, undo, result: z.null(), lives: 'boot', restores: 'state' } as const;

/**
 * Brings a configured resource up: its disks attached, as a secondary that looks for its peers. It lives until the next boot,
 * and loads the module where that is not loaded. Undone by taking it down, never while somebody uses it or it is primary.
 */
export const up = operation({
  ...common,
  kind: 'drbd.up',
  prepare: async ({ args: { name }, host }): Promise<Undo> => {
    const found = await askedHere(host, name);
    if (found.state !== undefined)
      throw new RefusedError(`${name} is up already, as ${found.state.role}`, {
        remedy: 'there is nothing to do',
      });
    await refuseTakenMinors(host, found);
    for (const { disk, metadata } of found.here.volumes)
      if (disk !== undefined) await checkDisk(host, { name, disk, metadata });
    return undoOf(found, 'up');
  },
  claims: async ({ undo: { name, minors, disks }, on }) => {
    const lower = await Promise.all(disks.map((disk) => on(disk)));
    return {
      makes: [`drbd:${name}`, ...minors.map((minor) => `dev:drbd${String(minor)}`)],
      needs: [configKey(name), ...new Set(lower.flatMap(({ key, beneath }) => [key, ...beneath]))],
    };
  },
  run: async ({ undo: of, host }) => {
    if ((await now(host, of)) !== 'absent') throw notDone(of, 'up');
    await host.run(drbdUp(of.name));
    return null;
  },
  value: ({ undo: { name, minors } }) => ({ name, devices: minors.map(deviceOf) }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const found = await now(host, of);
    if (found === 'absent') return { state: 'gone' };
    if (found === 'other') return { state: 'not-ours', found: `${of.name} is up with other devices` };
    return { state: 'ours', holders: await holdersOf(host, of.minors) };
  },
  revert: async ({ undo: of, host }) => {
    const found = await now(host, of);
    if (found === 'absent' || found === 'other') return;
    await takeDown(host, of, found);
  },
  describe: stateByHand,
});

/**
 * Takes down a resource that is secondary, whole, and used by nobody: no peer either. Undone by bringing it up again as its
 * configuration says.
 */
export const down = operation({
  ...common,
  kind: 'drbd.down',
  prepare: async ({ args: { name }, host }): Promise<Undo> => {
    const found = await askedUp(host, name);
    const of = undoOf(found, 'down');
    if (minorsOf(found.state).join() !== of.minors.join())
      throw new RefusedError(`${name} is up with other devices than its configuration has`, {
        remedy: `compare them: bofh drbd show ${name}`,
      });
    await refuseUsed(host, of);
    refuseDown(found.state, name);
    refuseUnlikeConfigured(found.state);
    return of;
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  run: async ({ undo: of, host }) => {
    const found = await now(host, of);
    if (found === 'absent') throw notDone(of, 'down');
    if (found === 'other')
      throw new RefusedError(`${of.name} is another resource by now; nothing was done`, {
        remedy: `look at it: bofh drbd show ${of.name}`,
      });
    await takeDown(host, of, found);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }): Promise<Look> => {
    const found = await now(host, of);
    if (found === 'absent') return { state: 'ours' };
    if (found === 'other') return { state: 'not-ours', found: `${of.name} is up with other devices` };
    return { state: 'gone' };
  },
  revert: async ({ undo: of, host }) => {
    if ((await now(host, of)) === 'absent') await host.run(drbdUp(of.name));
  },
  describe: stateByHand,
});

async function takeDown(host: ChangeHost, of: Undo, found: ResourceState): Promise<void> {
  await refuseUsed(host, of);
  refuseDown(found, of.name);
  await namingHolders(host, deviceOf(of.minors[0] ?? 0), () => host.run(drbdDown(of.name)));
}

/** A primary is demoted first; and nobody's only good data are taken away. */
function refuseDown({ role, connections }: ResourceState, name: string): void {
  if (role === 'Primary')
    throw new RefusedError(`${name} is primary on this host`, {
      remedy: `make it secondary first: bofh drbd secondary ${name}`,
    });
  for (const { peer, role: theirs, volumes } of connections)
    for (const { volume, disk } of volumes)
      if (theirs === 'Primary' && disk !== 'UpToDate')
        throw new RefusedError(
          `${peer} is primary of ${name}, and its own volume ${String(volume)} is ${disk}: it works with the data of this host`,
          { remedy: 'wait until its disk is up to date: bofh drbd status' },
        );
}

/** What `up` would not bring back is not taken down. */
function refuseUnlikeConfigured({ name, volumes, connections }: ResourceState): void {
  const bare = volumes.find(({ disk }) => disk === 'Diskless' || disk === 'Detaching' || disk === 'Failed');
  if (bare !== undefined)
    throw new RefusedError(
      `volume ${String(bare.volume)} of ${name} is ${bare.disk}, and would not be after going back`,
      { remedy: `attach it first (bofh drbd attach ${name}), or take it down by hand: drbdadm down ${name}` },
    );
  const alone = connections.find(({ state }) => state === 'StandAlone');
  if (alone !== undefined)
    throw new RefusedError(`${name} is StandAlone towards ${alone.peer}, and would not be after going back`, {
      remedy: `see why: bofh drbd status ${name}; or take it down by hand: drbdadm down ${name}`,
    });
}

async function refuseTakenMinors(host: ReadHost, { name, here }: Here): Promise<void> {
  for (const other of await states(host))
    for (const { minor } of here.volumes)
      if (minorsOf(other).includes(minor))
        throw new RefusedError(
          `${name} is to have ${deviceOf(minor)}, which the resource ${other.name} has`,
          {
            remedy: `give it another minor number: bofh drbd next`,
          },
        );
}

function notDone({ name }: Undo, state: string): NotDone {
  return new NotDone(`${name} is ${state} by now; nothing was done`, {
    found: `the DRBD resource ${name}, which somebody else has brought ${state}`,
    remedy: 'find out who else works on it',
  });
}
