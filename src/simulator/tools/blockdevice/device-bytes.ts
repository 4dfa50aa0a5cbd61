import type { Device } from '../../world/devices.ts';
import type { World } from '../../world/world.ts';
import { luksOffset } from '../crypt/luks.ts';
import { blocksOf } from './magics.ts';

/** Whole blocks of a device. What lies in an encrypted one shows there as other bytes. */
export function bytesOn(
  { live }: World,
  { storage }: Pick<Device, 'storage'>,
  { from, count }: { readonly from: number; readonly count: number },
): Uint8Array {
  const content = live.get(storage);
  const bytes = blocksOf(content, from, count);
  const { type, uuid = '', version } = content?.superblock ?? {};
  const begins = luksOffset[version === '1' ? 1 : 2];
  if (type !== 'crypto_LUKS' || from < begins) return bytes;
  const plain = blocksOf(live.get(`crypt:${uuid}:${storage}`), from - begins, count);
  return bytes.map((byte, at) => byte ^ (plain[at] ?? 0));
}
