import * as z from 'zod/mini';
import type { DeviceKeys } from '../../atomic/operation.ts';
import { inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { keysAround, reach, subvolumeKey } from '../place.ts';
import { called, subvolumeAt } from '../reads.ts';
import { type Subvolume, uuid } from '../schema.ts';
import type { StreamHead } from '../stream.ts';
import { type KnownSubvolume, knownSubvolume, subvolumeNamed } from './known-subvolume.ts';
import { present } from '../../core/present.ts';

/** The subvolume to send, as a caller names it. */
export const askedSource = {
  /** A read-only subvolume. */
  source: z.string(),
  /** UUID of the subvolume. Refused if the path has another one now. */
  uuid: z.exactOptional(uuid),
  /** A read-only subvolume of the same filesystem that the receiver already has. */
  parent: z.exactOptional(z.string()),
};

/** The journalled source and parent. */
export const sentUndo = { source: knownSubvolume, parent: z.nullable(knownSubvolume) };

interface Sent {
  readonly source: KnownSubvolume;
  readonly parent: KnownSubvolume | null;
}

/** Returns what will be sent, and what the stream will contain about it. */
export async function planSent(
  host: ReadHost,
  asked: {
    readonly source: string;
    readonly uuid?: string | undefined;
    readonly parent?: string | undefined;
  },
): Promise<Sent & { readonly stream: StreamHead }> {
  const expected = present({ uuid: asked.uuid });
  const { subvolume, known: source } = await subvolumeNamed(host, { path: asked.source, ...expected });
  refuseWritable(subvolume);
  const name = subvolume.name.path;
  if (name === undefined)
    throw new RefusedError(`${called(subvolume)} has a name that is not UTF-8`, {
      remedy: 'rename the subvolume first',
    });
  const own = subvolume.receivedUuid ?? source.uuid;
  if (asked.parent === undefined)
    return { source, parent: null, stream: { name, uuid: own, parentUuid: undefined } };
  const base = await subvolumeNamed(host, { path: asked.parent });
  refuseWritable(base.subvolume);
  if (base.known.fs !== source.fs || base.known.id === source.id)
    throw new RefusedError(
      `${asked.parent} cannot be the parent: it is ${base.known.fs === source.fs ? 'the subvolume itself' : 'on another filesystem'}`,
      { remedy: 'name an older snapshot of the same subvolume, which the receiver has' },
    );
  const parentUuid = base.subvolume.receivedUuid ?? base.known.uuid;
  return { source, parent: base.known, stream: { name, uuid: own, parentUuid } };
}

/** Returns the current paths of source and parent. RefusedError if they have changed. */
export async function sentPaths(
  host: ReadHost,
  { source, parent }: Sent,
): Promise<{ readonly source: string; readonly parent: string | undefined }> {
  return {
    source: await pathOf(host, source),
    parent: parent === null ? undefined : await pathOf(host, parent),
  };
}

async function pathOf(host: ReadHost, known: KnownSubvolume): Promise<string> {
  const path = await reach(host, known);
  const found = await subvolumeAt(host, path);
  if (found?.id !== known.id || found.uuid !== known.uuid)
    throw new RefusedError(`another subvolume is at ${path} now; nothing was done`, {
      remedy: `see it: bofh btrfs show ${inShell(path)}; then run the command again`,
    });
  refuseWritable(found);
  return path;
}

/** Returns the keys of the subvolumes that are read, which must not be deleted meanwhile. */
export async function sentNeeds(
  { source, parent }: Sent,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<readonly string[]> {
  const { key, beneath } = await on(source.device);
  const all = parent === null ? [source] : [source, parent];
  return [...all.flatMap((each) => [subvolumeKey(each), ...keysAround(each)]), key, ...beneath];
}

function refuseWritable(subvolume: Subvolume): void {
  if (subvolume.mode === 'ro') return;
  throw new RefusedError(`${called(subvolume)} is writable: btrfs sends only read-only subvolumes`, {
    remedy:
      'take a read-only snapshot of it and send the snapshot: bofh btrfs snapshot create SUBVOLUME SNAPSHOT',
  });
}
