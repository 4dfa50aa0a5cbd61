import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import {
  bootOfName,
  deviceNode,
  holders,
  locate,
  movedFrom,
  namingHolders,
  refuseHeld,
  sizeOf,
  syncDevice,
  twinOf,
} from '../blockdevice/index.ts';
import { eraseArgs, planErase } from '../blockdevice/wipe/plan.ts';
import { writeBytes } from '../blockdevice/wipe/commands.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError, type ManualRecovery } from '../core/errors.ts';
import { refuseFullBeneath } from '../lvm/index.ts';
import { act } from './act.ts';
import { type Destroyed, destroyed, type State, stateOf } from './state.ts';
import { block, markBytes, planMarker } from './marker.ts';
import { changedAt, takeWitness } from './witness.ts';
import { present } from '../core/present.ts';
import { writeBytesWords } from '../blockdevice/wipe/write-bytes.ts';
import type { Way } from '../atomic/contract.ts';

/**
 * Destroys all content of an unused device, after the commit. Until then its signature identifies
 * it. A device without a signature gets a marker at once, and the undo restores the overwritten
 * bytes.
 */
function destroying(how: 'discard' | 'zero') {
  return operation({
    kind: `block.${how}`,
    version: 1,
    args: eraseArgs,
    undo: destroyed,
    result: z.null(),
    lives: 'disk',
    restores: 'state',
    prepare: async ({ args, mark, host, chosen }) => {
      const again = chosen !== undefined;
      const { erase, key, container } = await planErase(host, { ...args, again, blank: 'named' });
      if (how === 'zero')
        await refuseFullBeneath(host, args.device, `zeros on all of ${args.device}`, { bytes: erase.size });
      const { path } = await deviceNode(host, args.device);
      const witness = await takeWitness(host, path, erase.size);
      const boot = await bootOfName(host, erase.identity);
      const known = { ...erase, witness, ...present({ boot }) };
      if (erase.magics.length > 0) return known;
      const blank = await planMarker(host, { path, size: erase.size, mark });
      return { ...known, blank: { ...blank, key, container } };
    },
    claims: async ({ undo: { device, contents }, on }) => {
      const { key, beneath } = await on(device);
      return { changes: [key, ...contents], needs: beneath };
    },
    within: ({ undo: { blank } }) => blank?.container,
    defers: ({ undo: { blank } }) => blank === undefined,
    after: () => true,
    run: async ({ undo: of, host }) => {
      const found = await find(host, of);
      if (of.blank === undefined) return null;
      if (found?.path !== of.device || found.state.is !== 'as it was')
        throw new RefusedError(`${of.device} has changed; nothing was written to it`, {
          remedy: `see what it holds: wipefs ${of.device}; then run the command again`,
        });
      await refuseHeld(host, found.node, await holders(host, found.node));
      await host.run(writeBytes(found.node, { offset: 0, bytes: markBytes(of.blank) }));
      return null;
    },
    value: () => undefined,
    look: async ({ undo: of, host }) => lookOf(host, of, await find(host, of)),
    revert: async ({ undo: of, host }) => {
      const found = await find(host, of);
      if (of.blank === undefined || found?.state.is !== 'to do') return;
      await refuseHeld(host, found.node, await holders(host, found.node));
      await host.run(writeBytes(found.node, { offset: 0, bytes: Buffer.from(of.blank.bytes, 'hex') }));
    },
    afterCommit: async ({ undo: of, host }) => {
      const found = await find(host, of);
      if (found === undefined || found.state.is === 'done' || found.state.is === 'as it was') return;
      const { node: path, state } = found;
      if (state.is === 'others')
        throw new RefusedError(`${state.found}; nothing was destroyed`, {
          remedy: `see what it is: wipefs ${inShell(path)}; to keep its data: bofh recover --abandon ID --because "…"`,
        });
      await refuseHeld(host, path, await holders(host, path));
      await refuseOtherData(host, of, path);
      await refuseTwin(host, of, path);
      await namingHolders(host, path, () => act(host, { how, of, path }));
    },
    sync: ({ undo: of, host }) => syncDevice(host, of),
    describe: ({ undo: of, way }) => destroyedRecovery(of, { how, way }),
  });
}

/** Discards a whole device: a thin volume, an SSD or a sparse file frees the space. */
export const discard = destroying('discard');

/**
 * Fills a device with zeros, so that none of its content is left. Some devices do this themselves,
 * at once.
 */
export const zero = destroying('zero');

interface Found {
  readonly path: string;
  /** Device node: a link by UUID disappears with the signature. */
  readonly node: string;
  readonly state: State;
}

async function find(host: ReadHost, of: Destroyed): Promise<Found | undefined> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return undefined;
  const node = await deviceNode(host, path);
  return {
    path,
    node: node.path,
    state: await stateOf(host, of, { path: node.path, size: await sizeOf(host, node) }),
  };
}

/**
 * RefusedError if the data around the signature has changed. Every copy of a template has the same
 * signature, and a name or number may now belong to another device, so only the data proves which
 * device was meant. An act after the commit may run much later, after a reboot, unattended.
 */
async function refuseOtherData(host: ReadHost, of: Destroyed, path: string): Promise<void> {
  if (of.witness === undefined) return;
  const from = of.blank === undefined ? 0 : block;
  const at = await changedAt(host, { path, size: of.size, of: of.witness, from });
  if (at === undefined) return;
  throw new RefusedError(
    `${path} holds other data than before the commit (at byte ${String(at)}): it was written to since, or is another device; nothing was destroyed`,
    {
      code: 'differs',
      remedy: `see what it is: lsblk ${path}; to keep its data: bofh recover --abandon ID --because "…"`,
    },
  );
}

/**
 * RefusedError if a reboot may have given the name to another disk, and the data does not show
 * which disk was meant.
 */
async function refuseTwin(host: ReadHost, of: Destroyed, path: string): Promise<void> {
  const { boot, witness, size } = of;
  if (boot === undefined || witness === undefined || boot === (await host.facts()).boot) return;
  const twin = await twinOf(host, { path, size }, async (other) => {
    if ((await stateOf(host, of, { path: other, size })).is !== 'to do') return false;
    return (await changedAt(host, { path: other, size, of: witness, from: 0 })) === undefined;
  });
  if (twin === undefined) return;
  throw new RefusedError(
    `${path} and ${twin} hold the same data, and ${of.device} has no serial number: which of them was meant before the reboot is unknown; nothing was destroyed`,
    {
      remedy: `look at both: lsblk -o NAME,SIZE,UUID,SERIAL ${path} ${twin}; close the journal: bofh recover --abandon ID --because "…"; then run the command again for the right device`,
    },
  );
}

async function lookOf(host: ReadHost, of: Destroyed, found: Found | undefined): Promise<Look> {
  if (found === undefined || found.state.is === 'done' || found.state.is === 'as it was')
    return { state: 'gone' };
  if (found.state.is === 'others') return { state: 'not-ours', found: found.state.found };
  const who = await holders(host, found.node);
  if (of.blank === undefined) return { state: 'ours', holders: who };
  const moved = await movedFrom(host, found.path, of.blank.key);
  return { state: 'ours', holders: who, ...moved };
}

/** Manual recovery: complete the erase, or remove the marker again. */
function destroyedRecovery(
  { device, blank }: Destroyed,
  { how, way }: { readonly how: 'discard' | 'zero'; readonly way: Way },
): ManualRecovery {
  const destroying = ['blkdiscard', ...(how === 'zero' ? ['--zeroout'] : []), device];
  const done = how === 'zero' ? 'filled with zeros' : 'discarded';
  const look = [
    ['wipefs', device],
    ['lsblk', device],
  ];
  if (blank === undefined)
    return { what: `all that is on ${device}, which will be ${done}`, look, clear: [destroying] };
  const mark = `the tag ${blank.mark} at the start of ${device}`;
  return {
    what: way === 'back' ? mark : `all that is on ${device}, which will be ${done}, with ${mark}`,
    look: [...look, ['od', '--format=c', '--read-bytes=512', device]],
    clear: [way === 'back' ? writeBytesWords(device, 0, Buffer.from(blank.bytes, 'hex')) : destroying],
  };
}
