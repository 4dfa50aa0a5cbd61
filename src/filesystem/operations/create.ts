import * as z from 'zod/mini';
import { operation, type Look } from '../../atomic/operation.ts';
import {
  contentInWords,
  holders,
  identityOf,
  locate,
  movedFrom,
  namingHolders,
  probe,
  refuseChanged,
  refuseElsewhere,
  refuseHeld,
  sameContent,
  type Signature,
  syncDevice,
  wipeSignatures,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { refuseFullBeneath } from '../../lvm/index.ts';
import { checkArgs, checkDevice } from '../checks.ts';
import { mkfs } from '../commands.ts';
import { filesChanged, type Filesystem, filesWitness } from '../files.ts';
import { type CreateUndo, createArgs, createUndo } from '../schema.ts';
import { randomUuid } from '../../core/random.ts';
import { present } from '../../core/present.ts';

/**
 * Creates a filesystem or swap area on a device, with a uuid chosen before. Refuses a device that
 * is in use, or has content that `overwrite` does not name. Undo leaves the device blank, even if
 * something was overwritten: `restores: 'existence'`.
 */
export const create = operation({
  kind: 'filesystem.create',
  version: 1,
  args: createArgs,
  undo: createUndo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args, host, chosen }) => {
    checkArgs(args);
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await checkDevice(host, { args, when });
    const { device, type } = args;
    await refuseFullBeneath(host, device, `${type} on ${device}`);
    const { identity, container, key } = await identityOf(host, device);
    const uuid = chosen?.uuid ?? args.uuid ?? newUuid(type);
    // The volume id of a vfat is too short to prove the origin.
    const more = type === 'vfat' && args.label !== undefined ? { label: args.label } : {};
    return { device, identity, key, container, type, uuid, ...more, before: before ?? null };
  },
  claims: async ({ undo, on }) => {
    const { key, beneath } = await on(undo.device);
    return { makes: [`fs:${undo.uuid}`], changes: [key], needs: beneath };
  },
  contains: ({ undo }) => `fs:${undo.uuid}`,
  within: ({ undo }) => undo.container,
  run: async ({ args, undo, host }) => {
    await refuseChanged(host, undo);
    if (undo.before !== null) await host.run(wipeSignatures(undo.device));
    const make = {
      device: undo.device,
      uuid: undo.uuid,
      ...present({ label: args.label }),
      options: args.options,
    };
    await host.run(mkfs[undo.type](make));
    return null;
  },
  value: ({ undo }) => ({ uuid: undo.uuid }),
  look: async ({ undo, host }) => (await find(host, undo)).look,
  revert: async ({ undo, host }) => {
    const { path, look } = await find(host, undo);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseHeld(host, path, look.holders ?? []);
    await namingHolders(host, path, () => host.run(wipeSignatures(path)));
  },
  content: {
    lost: 'undone',
    of: 'files',
    witness: async ({ undo: made, host }) =>
      isSwap(made) ? undefined : filesWitness(host, asFilesystem(made)),
    // Without a witness it was not mounted, so it must be as empty as mkfs leaves it.
    changed: async ({ undo: made, witness, host }) =>
      isSwap(made) ? undefined : filesChanged(host, asFilesystem(made), witness),
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { device, type, uuid } }) => ({
    what: `the ${type} of UUID ${uuid} on ${device}`,
    look: [['blkid', '--probe', device]],
    clear: [['wipefs', '--all', device]],
  }),
});

/** Swap has no content to keep. */
function isSwap({ type }: CreateUndo): boolean {
  return type === 'swap';
}

function asFilesystem({ device, identity, uuid }: CreateUndo): Filesystem {
  return { device, identity, filesystem: uuid };
}

/** Returns a new uuid in the format of blkid. */
export function newUuid(type: CreateUndo['type']): string {
  if (type !== 'vfat') return randomUuid();
  return randomUuid().slice(0, 8).toUpperCase().replace(/^.{4}/, '$&-');
}

// A killed mkfs leaves no signature, which it writes last, or the uuid of mkfs.xfs itself. So a
// blank device, and one with its previous content, are unchanged by the step. Never compares
// content of another device by uuid.
async function find(host: ReadHost, undo: CreateUndo): Promise<{ path?: string; look: Look }> {
  const path = await locate(host, known(undo));
  if (path === undefined) return { look: { state: 'gone' } };
  const now = await probe(host, path);
  if (now !== undefined && isOurs(now, undo)) {
    // A device may get another number with a reboot, but keeps its name.
    const moved = await movedFrom(host, path, undo.key);
    return { path, look: { state: 'ours', holders: await holders(host, path), ...moved } };
  }
  const { identity, type, uuid } = undo;
  await refuseElsewhere(host, { path, identity, what: `the ${type} of UUID ${uuid}` }, async (other) => {
    const there = await probe(host, other);
    return there !== undefined && isOurs(there, undo);
  });
  if (now === undefined || sameContent(now, undo.before ?? undefined))
    return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}

/**
 * Whether the content is from this step. The volume id of a vfat has only 32 bits, so the label
 * must match too.
 */
function isOurs(now: Signature, { uuid, type, label }: CreateUndo): boolean {
  return now.uuid === uuid && now.type === type && (type !== 'vfat' || now.label === label);
}

function known(undo: CreateUndo): { path: string; identity: string } {
  return { path: undo.device, identity: undo.identity };
}
