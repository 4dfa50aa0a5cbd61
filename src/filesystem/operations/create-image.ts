import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import {
  bytesAt,
  imageArgs,
  imageCreation,
  imageUndo,
  isSame,
  makeImage,
  partWitness,
  probeFile,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { checkArgs, checkRoom } from '../checks.ts';
import { mkfs } from '../commands.ts';
import { createArgs, createUndo } from '../schema.ts';
import { newUuid } from './create.ts';
import { present } from '../../core/present.ts';

const { type, label, uuid, options } = createArgs.shape;

/**
 * `tx.filesystem.createImage`: creates an image file with a filesystem or swap area in it. The file
 * appears at its path only when the filesystem is complete. Works without root on a user's own
 * files.
 */
export const createImage = operation({
  ...imageCreation,
  kind: 'filesystem.image.create',
  version: 1,
  args: z.extend(imageArgs, {
    /** Type of the filesystem; `swap` for a swap area. */
    type,
    /** Label of the filesystem (default: none). */
    label,
    /** UUID (default: random). */
    uuid,
    /** Options of the type. */
    options,
  }),
  undo: z.extend(imageUndo, { type: createUndo.shape.type, uuid: createUndo.shape.uuid }),
  prepare: async ({ args, chosen, ...input }) => {
    const { file, type: wanted } = args;
    checkArgs(args);
    const image = await imageCreation.prepare({ ...input, args });
    checkRoom(file, wanted, image.size, {
      options: args.options,
      remedy: 'request a larger size, or another filesystem type',
    });
    return { ...image, type: wanted, uuid: chosen?.uuid ?? args.uuid ?? newUuid(wanted) };
  },
  claims: ({ undo: { file, uuid: own } }) => ({ makes: [`file:${file}`, `fs:${own}`] }),
  run: ({ args, undo: { uuid: own, type: wanted, ...image }, host }) => {
    const how = { uuid: own, ...present({ label: args.label }), options: args.options };
    const fill = async (device: string): Promise<void> => {
      await host.run(mkfs[wanted]({ device, ...how }));
      if ((await probeFile(host, device))?.uuid === own) return;
      throw new RefusedError(`mkfs created no ${wanted} in ${image.file}`, {
        remedy: 'see the kernel log: dmesg; then run the command again',
      });
    };
    return makeImage(image, { args, host, fill });
  },
  value: ({ undo: { file, size, uuid: own } }) => ({ file, size, uuid: own }),
  content: {
    lost: 'undone',
    of: 'device',
    witness: ({ undo: made, host }) => witnessOf(host, made),
    changed: async ({ undo: made, witness, touched, filled, host }) => {
      const { file, private: path } = made;
      const own = await host.stat(path);
      // Until the file has its name, only this sequence writes to it.
      if (own === undefined || !isSame(own, await host.stat(file))) return undefined;
      const others = { found: `others wrote to ${file}`, fromBytes: true } as const;
      if (own.size !== made.size || (await probeFile(host, path))?.uuid !== made.uuid) return others;
      // A later step of the sequence has changed the bytes.
      if (touched || filled !== 'never' || witness === undefined) return undefined;
      return (await witnessOf(host, made)) === witness ? undefined : others;
    },
  },
});

/** Returns a digest of both ends of the file: every mount for writing changes one of them. */
async function witnessOf(
  host: ReadHost,
  { private: path, size }: { readonly private: string; readonly size: Bytes },
): Promise<string | undefined> {
  if ((await host.stat(path)) === undefined) return undefined;
  return partWitness(host, path, { from: 0, to: size }, bytesAt);
}
