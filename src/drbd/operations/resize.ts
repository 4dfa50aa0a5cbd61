import * as z from 'zod/mini';
import { deferred, type Look } from '../../atomic/operation.ts';
import { size as sizeAt } from '../../blockdevice/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { refuseWithoutAddress } from '../address.ts';
import { dataSize } from '../size.ts';
import type { ResourceState } from '../state.ts';
import { drbdResize } from '../volume-commands.ts';
import { askedUp, byTools, claimsOf, leftOf, minorsOf, now, upAgain } from './known-resource.ts';
import { formatFor, volumeOf } from './new-metadata.ts';
import { volumeArgs } from './volumes.ts';

const undo = z.strictObject({
  name: z.string(),
  minors: z.array(z.int()),
  volume: z.int(),
  /** The current and the new size in bytes. */
  from: z.int(),
  to: z.int(),
});

/**
 * Grows a volume to its disk, after the commit, because DRBD moves the metadata and cannot shrink volumes.
 * The disks of all hosts must be larger by then. If that of a peer is not, nothing changes, and the journal
 * stays open with this message.
 */
export const resize = deferred({
  kind: 'drbd.resize',
  version: 1,
  args: z.extend(volumeArgs, {
    /**
     * Size of the disk at that time, in bytes, if the disk also grows after the commit (default: the current
     * size).
     */
    diskSize: z.exactOptional(z.int().check(z.positive())),
  }),
  undo,
  prepare: async ({ args: { name, volume: asked, diskSize }, host }) => {
    const found = await askedUp(host, name);
    const { volume, disk } = volumeOf(found, asked);
    const peers = Math.max(1, (found.configured?.hosts.length ?? 2) - 1);
    const size = Math.max(await sizeAt(host, disk), diskSize ?? 0);
    const to = dataSize(size, { peers: (await formatFor(host)) === 'v08' ? 1 : peers });
    const from = found.state.volumes.find((each) => each.volume === volume)?.size ?? 0;
    if (from >= to)
      throw new RefusedError(
        `volume ${String(volume)} of ${name} has ${formatSize(from)}: ${disk} has no space for more`,
        { remedy: `enlarge the disk ${disk} first, on every host` },
      );
    await refuseWithoutAddress(host, found, drbdResize({ name, volume }));
    refuseAlone(found.state, volume);
    return { name, minors: [...minorsOf(found.state)], volume, from, to };
  },
  claims: ({ undo: of, on }) => claimsOf(of, on),
  look: async ({ undo: of, host }): Promise<Look> => {
    const found = await leftOf(host, of);
    if (found.is === 'another') return found.look;
    // `drbdadm up` has moved the metadata of a disk that had grown, and the peers agreed on a size
    // when they connected.
    return { state: found.is === 'up' && isGrown(found.state, of) ? 'gone' : 'ours' };
  },
  afterCommit: async ({ undo: of, host }) => {
    const state = await upAgain(host, of);
    if (isGrown(state, of)) return;
    await byTools(async () => refuseAlone(state, of.volume));
    await host.run(drbdResize(of));
    const after = await now(host, of);
    if (typeof after === 'string' || isGrown(after, of)) return;
    // The connection to the peer was lost meanwhile, so the state of its disk is unknown.
    refuseAlone(after, of.volume);
    throw new RefusedError(
      `volume ${String(of.volume)} of ${of.name} has not grown: the disk of its peer, whose size is unknown here, is probably too small for ${formatSize(of.to)} and the metadata`,
      {
        remedy:
          'see its size there: bofh block tree; enlarge it there if it is smaller; then here: bofh recover',
      },
    );
  },
  describe: ({ undo: { name, volume, from, to }, way }) => ({
    what: `the DRBD volume ${name}/${String(volume)}, which will be grown from ${String(from)} to ${String(to)} bytes`,
    look: [['drbdsetup', 'events2', '--now', '--statistics', name]],
    clear: way === 'back' ? [] : [['drbdadm', 'resize', `${name}/${String(volume)}`]],
  }),
});

function isGrown(
  { volumes }: ResourceState,
  { volume, to }: { readonly volume: number; readonly to: number },
): boolean {
  return volumes.some((each) => each.volume === volume && (each.size ?? 0) >= to);
}

/**
 * Refuses a resource without a connected peer, for which the command does nothing and exits 0, and one that
 * is not primary on either host (8.4.11).
 */
function refuseAlone({ name, role, volumes, connections }: ResourceState, volume: number): void {
  const away = connections.find(({ state }) => state !== 'Connected');
  if (connections.length === 0 || away !== undefined)
    throw new RefusedError(`${name} is not connected to every peer: DRBD grows it on all hosts or on none`, {
      remedy: `wait for it: bofh drbd wait-connect ${name}; then run the command again; or, if the change was committed: bofh recover`,
    });
  const disks = [
    ...volumes.filter((each) => each.volume === volume),
    ...connections.flatMap(({ volumes: theirs }) => theirs.filter((each) => each.volume === volume)),
  ].map(({ disk }) => disk);
  if (!disks.every((disk) => disk === 'UpToDate'))
    throw new RefusedError(
      `volume ${String(volume)} of ${name} is not up to date on every host: its disks are ${disks.join(' and ')}`,
      {
        remedy: `wait for it: bofh drbd wait-sync ${name}`,
      },
    );
  if (role !== 'Primary' && !connections.some((each) => each.role === 'Primary'))
    throw new RefusedError(
      `${name} is not primary on any host: DRBD grows it only while one host is primary`,
      {
        remedy: `make it primary on one host: bofh drbd primary ${name}`,
      },
    );
}
