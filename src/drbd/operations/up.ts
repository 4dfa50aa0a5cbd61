import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { namingHolders } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { NotDone, RefusedError } from '../../core/errors.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { refuseWithoutAddress } from '../address.ts';
import { stateRecovery } from '../manual-recovery.ts';
import { drbdDown, drbdUp } from '../change-commands.ts';
import { states } from '../reads.ts';
import type { ResourceState } from '../state.ts';
import { drbdDisconnect } from '../volume-commands.ts';
import { checkDisk, checkDisksAgain } from './disk.ts';
import { refuseNeeded, refuseUnlikeConfigured } from './down-refusals.ts';
import {
  args,
  askedHere,
  askedUp,
  byTools,
  claimsOf,
  configKey,
  deviceOf,
  type Here,
  holdersOf,
  minorsOf,
  now,
  isStandAlone,
  refuseUsed,
  type Undo,
  undo,
  undoOf,
} from './known-resource.ts';
import { option } from '../../core/option.ts';
import { present } from '../../core/present.ts';

const common = { version: 1, args, result: z.null(), lives: 'boot', restores: 'state' } as const;

const undoDown = z.extend(undo, {
  /**
   * Set if the resource was StandAlone: a file in /run, which exists from when the undo begins to
   * bring the resource up until it is StandAlone again.
   */
  alone: z.exactOptional(z.string()),
});

type UndoDown = z.infer<typeof undoDown>;

/**
 * Brings a configured resource up: attaches its disks, and connects as secondary. The resource stays up until
 * the next boot. Loads the module if necessary. The undo brings the resource down, but never while it is in
 * use or primary.
 */
export const up = operation({
  ...common,
  kind: 'drbd.up',
  args: z.extend(args, {
    /** The peer is up and stays up: the undo is refused while it is connected. */
    peerStays: z.exactOptional(z.literal(true)),
  }),
  undo,
  prepare: async ({ args: { name, peerStays }, host }): Promise<Undo> => {
    const found = await askedHere(host, name);
    if (found.state !== undefined)
      throw new RefusedError(`${name} is up already, as ${found.state.role}`, {
        remedy: `there is nothing to do; see: bofh drbd status ${name}`,
      });
    await refuseWithoutAddress(host, found, drbdUp(name));
    await refuseTakenMinors(host, found);
    for (const { disk, metadata } of found.here.volumes)
      if (disk !== undefined) await checkDisk(host, { name, disk, metadata, then: `bofh drbd up ${name}` });
    return { ...undoOf(found, 'up'), ...present({ peerStays }) };
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
    if (of.peerStays === true) refuseReplica(found);
    await byTools(() => takeDown(host, of, found));
  },
  describe: stateRecovery,
});

/**
 * Takes down a resource that is secondary, as configured, with every disk attached, and used
 * neither here nor by a peer. The undo brings it up as configured, and disconnects it if it was
 * StandAlone. Until then it connects to its peer, as after a boot: hosts in split brain separate
 * again.
 */
export const down = operation({
  ...common,
  kind: 'drbd.down',
  endsAccess: true,
  undo: undoDown,
  prepare: async ({ args: { name }, mark, host }): Promise<UndoDown> => {
    const found = await askedUp(host, name);
    const of = undoOf(found, 'down');
    await refuseUsed(host, of);
    refuseNeeded(found.state);
    refuseUnlikeConfigured(found);
    return isStandAlone(found.state) ? { ...of, alone: noteOf(mark) } : of;
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  run: async ({ undo: of, host }) => {
    const found = await now(host, of);
    if (found === 'absent') throw notDone(of, 'down');
    if (found === 'other')
      throw new RefusedError(`${of.name} is another resource now; nothing was done`, {
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
    if (await isHalfBack(host, of)) return { state: 'ours' };
    const bare = found.volumes.find(({ disk }) => disk === 'Diskless');
    return bare === undefined
      ? { state: 'gone' }
      : { state: 'not-ours', found: `${of.name} is up, but its volume ${String(bare.volume)} has no disk` };
  },
  revert: async ({ undo: of, host }) => {
    const { alone, name } = of;
    if ((await now(host, of)) === 'absent') {
      if (alone !== undefined && !(await isHalfBack(host, of))) await writeNote(host, alone);
      const command = drbdUp(name);
      const here = await askedHere(host, name);
      await refuseWithoutAddress(host, here, command);
      await checkDisksAgain(host, here);
      await host.run(command);
    }
    if (alone === undefined || !(await isHalfBack(host, of))) return;
    const found = await now(host, of);
    if (typeof found !== 'string' && !isStandAlone(found)) await host.run(drbdDisconnect(name));
    await removeNote(host, alone);
  },
  describe: ({ undo: of, way }) => {
    const manualRecovery = stateRecovery({ undo: of });
    if (of.alone === undefined || way === 'forward') return manualRecovery;
    return { ...manualRecovery, clear: [...manualRecovery.clear, ['drbdadm', 'disconnect', of.name]] };
  },
});

/**
 * Refuses the undo while a peer is connected: the peer may have brought the resource up again, for example
 * after its own boot, and may use this host as its only replica.
 */
function refuseReplica({ name, connections }: ResourceState): void {
  const peer = connections.find(({ state }) => state === 'Connected');
  if (peer !== undefined)
    throw new RefusedError(
      `${name} is connected to ${peer.peer}, where it was up before this step: this host is a replica of the data there now, so the undo does not bring ${name} down`,
      {
        remedy: `to undo it anyway, on ${peer.peer}: drbdadm disconnect ${name}; then: bofh recover; or, to keep it as it is: bofh recover --abandon ID --because "…"; for the ID: bofh journal list`,
      },
    );
}

/** Whether the resource is up again, but not yet StandAlone as before. */
async function isHalfBack(host: ReadHost, { alone }: UndoDown): Promise<boolean> {
  return alone !== undefined && (await host.stat(alone)) !== undefined;
}

async function takeDown(host: ChangeHost, of: Undo, found: ResourceState): Promise<void> {
  await refuseUsed(host, of);
  refuseNeeded(found);
  await namingHolders(host, deviceOf(of.minors[0] ?? 0), () => host.run(drbdDown(of.name)));
}

async function refuseTakenMinors(host: ReadHost, { name, here }: Here): Promise<void> {
  for (const other of await states(host))
    for (const { minor } of here.volumes)
      if (minorsOf(other).includes(minor))
        throw new RefusedError(
          `${name} is configured with ${deviceOf(minor)}, which the resource ${other.name} uses`,
          {
            remedy: `give it another minor number: ${option('bofh drbd next --on HOST,HOST', 'drbd.next({ on: [HOST, HOST] })')}`,
          },
        );
}

function notDone({ name }: Undo, state: string): NotDone {
  return new NotDone(`${name} is ${state} now; nothing was done`, {
    found: `the DRBD resource ${name}, brought ${state} by another process`,
    remedy: `see its state: bofh drbd status ${name}; then run the command again`,
  });
}
