import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { ParseError, RefusedError } from '../../core/errors.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { refuseWithoutAddress } from '../address.ts';
import type { ResourceState } from '../state.ts';
import { connectionsOf } from '../config.ts';
import { drbdVerify } from '../volume-commands.ts';
import { askedUp, claimsOf, minorsOf, now } from './known-resource.ts';
import { volumeArgs } from './volumes.ts';

const undo = z.strictObject({
  name: z.string(),
  minors: z.array(z.int()),
  volumes: z.array(z.int()).check(z.minLength(1)),
  /** A file in /run, the only object that this step creates. */
  note: z.string(),
});

/**
 * Starts to compare the volumes of a resource with those of its peer, block by block. The
 * comparison runs in the background and changes nothing: differences are marked out of sync, and
 * resynced at the next connect. There is nothing to undo.
 */
export const verify = operation({
  kind: 'drbd.verify',
  version: 1,
  args: volumeArgs,
  undo,
  result: z.null(),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { name, volume }, mark, host }) => {
    const found = await askedUp(host, name);
    const { state, configured, here } = found;
    const connections = configured === undefined ? [] : connectionsOf(configured, here);
    if (connections.length === 0 || connections.some(({ net }) => net['verify-alg'] === undefined))
      throw new RefusedError(`${name} has no verify-alg: DRBD needs one to compare its blocks`, {
        remedy: `write "verify-alg crc32c;" into the net section of ${configured?.file ?? 'its file'} on every host, then: bofh drbd adjust ${name}`,
      });
    const all = state.volumes.map((each) => each.volume);
    const volumes = volume === undefined ? all : all.filter((each) => each === volume);
    if (volumes.length === 0)
      throw new RefusedError(`${name} has no volume ${String(volume)}`, {
        remedy: `name one of its volumes: ${all.join(', ')}`,
      });
    await refuseWithoutAddress(host, found, drbdVerify({ name, volume: volumes[0] ?? 0 }));
    for (const each of volumes) refuseBusy(state, each);
    return { name, minors: [...minorsOf(state)], volumes, note: noteOf(mark) };
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  run: async ({ undo: { name, minors, volumes, note }, host }) => {
    await writeNote(host, note);
    for (const volume of volumes) {
      await host.run(drbdVerify({ name, volume }));
      if (!(await isVerified(host, { name, minors }, volume)))
        throw new ParseError(`drbdadm reported success, but no verify of ${name}/${String(volume)} runs`);
    }
    return null;
  },
  value: ({ undo: { name, volumes } }) => ({ name, volumes }),
  look: async ({ undo: { note }, host }) => ({
    state: (await host.stat(note)) === undefined ? 'gone' : 'ours',
  }),
  revert: ({ undo: { note }, host }) => removeNote(host, note),
  describe: ({ undo: { name, note } }) => ({
    what: `the verification of ${name}, which changes nothing; ${note} shows that it was started`,
    look: [['drbdsetup', 'events2', '--now', '--statistics', name]],
    clear: [['rm', '-f', note]],
  }),
});

async function isVerified(
  host: ReadHost,
  of: { readonly name: string; readonly minors: readonly number[] },
  volume: number,
): Promise<boolean> {
  const state = await now(host, { ...of, minors: [...of.minors] });
  if (typeof state === 'string') return false;
  return state.connections.some(({ volumes }) =>
    volumes.some(
      (each) => each.volume === volume && (each.replication === 'VerifyS' || each.replication === 'VerifyT'),
    ),
  );
}

/** Refuses a volume without a connected peer, or during a resync. */
function refuseBusy({ name, connections }: ResourceState, volume: number): void {
  for (const { peer, state, volumes } of connections) {
    const its = volumes.find((each) => each.volume === volume);
    const is = state === 'Connected' ? (its?.replication ?? 'Off') : state;
    if (is !== 'Established')
      throw new RefusedError(
        `volume ${String(volume)} of ${name} is in the state ${is} with ${peer}: it cannot be verified now`,
        {
          remedy: `wait for it: bofh drbd wait-sync ${name}`,
        },
      );
  }
}
