import type { Command } from '../../command/index.ts';
import { headerOf, isLuksSignature } from '../../crypt/reads.ts';
import type { LuksHeader } from '../../crypt/schema.ts';
import { type Device, deviceByNumber } from '../world/devices.ts';
import { type Header, partsOf } from '../world/header-file.ts';
import { anyKey } from '../world/keys.ts';
import type { LuksParts } from '../world/parts.ts';
import { ask, askDevice, realContent, realNode } from './ask.ts';
import { present } from '../../core/present.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Prepares a command of cryptsetup: reads headers on the real host. A device that will be opened or
 * changed is copied to the model, which needs no key.
 */
export async function prepareCrypt<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const [verb, name] = command.argv;
  if (verb === 'luksDump') return askDevice(overlay, world, command);
  if (verb === 'status' && [...overlay.mappings.values()].some((mapping) => mapping.name === name))
    return ask(overlay, command);
  const path = command.argv.find((word) => word.startsWith('/'));
  if (verb !== 'luksHeaderBackup')
    for (const file of [headerFileOf(command), path]) await readHeader(overlay, world, file);
  const there = path === undefined ? undefined : resolve(world, path, 'follow');
  const device = there?.found === true ? deviceByNumber(world, there.inode.node) : undefined;
  if (device !== undefined) await importLuks(overlay, world, device);
  return undefined;
}

/** Copies the LUKS header of a real device to the model, if it has one. */
export async function importLuks(overlay: Overlay, world: World, device: Device): Promise<void> {
  const node = realNode(overlay, world, device);
  if (node === undefined || !isLuksSignature(await realContent(overlay, node))) return;
  const header = await realHeader(overlay, node);
  world.live.set(device.storage, { superblock: header.superblock, luks: partsOf(header) });
}

function headerFileOf({ argv }: Command<unknown>): string | undefined {
  const option = argv.findIndex((word) => word === '--header' || word === '--header-backup-file');
  return option < 0 ? undefined : argv[option + 1];
}

/** Reads the header in a file of the real host, which the model cannot read itself. */
async function readHeader(overlay: Overlay, world: World, path: string | undefined): Promise<void> {
  const there = path === undefined ? undefined : resolve(world, path, 'follow');
  if (there?.found === true && there.inode.kind === 'file' && there.inode.real !== undefined)
    overlay.headers.set(there.path, await realHeader(overlay, there.path));
}

async function realHeader({ real }: Overlay, path: string): Promise<Header> {
  const header = await headerOf(real, path);
  const { version, uuid, label, keySlots } = header;
  const superblock = { type: 'crypto_LUKS', usage: 'crypto', uuid, version: String(version) } as const;
  const slots = keySlots.map(({ slot, salt, kdf, memory = 0, opens }) => ({
    ...{ slot, salt, key: anyKey, memory: memory / 1024 },
    kdf: kdf === 'pbkdf2' ? kdf : ('argon2id' as const),
    ...(opens === 'data' ? {} : { opens }),
  }));
  const labelled = label === undefined ? superblock : { ...superblock, label };
  return { superblock: labelled, slots, ...(version === 1 ? {} : realParts(header)) };
}

/** Returns what a LUKS2 header contains about its data. */
function realParts({
  cipher,
  integrity,
  slotRoom,
  volumeKeyDigest,
  reencryption,
  keySlots,
}: LuksHeader): Omit<LuksParts, 'slots'> {
  const fresh = keySlots.findLast(({ opens }) => opens === 'nothing')?.slot ?? keySlots.at(-1)?.slot ?? 0;
  const { oldKeyDigest = volumeKeyDigest, done = 0, torn = false, mode } = reencryption ?? {};
  const state = { volumeKey: 'new', slot: fresh, done, torn };
  return {
    ...{ cipher, volumeKey: oldKeyDigest },
    ...(integrity ? { integrity } : {}),
    ...present({ slotRoom: slotRoom?.all }),
    ...(reencryption === undefined
      ? {}
      : { reencryption: { ...state, ...(mode === 'encrypt' || mode === 'decrypt' ? { mode } : {}) } }),
  };
}
