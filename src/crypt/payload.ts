import * as z from 'zod/mini';
import type { Changed } from '../atomic/operation.ts';
import { deviceWitness } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { isSum, sumOn } from './header-sum.ts';
import { dataOffsets } from './new-luks.ts';
import { headerOf } from './reads.ts';

/**
 * What was on the device at the start of the encrypted data: cryptsetup does not write there when
 * it creates a header.
 */
export const payloadBefore = z.strictObject({ at: z.int().check(z.nonnegative()), witness: z.string() });

type PayloadBefore = z.infer<typeof payloadBefore>;

/** A new encrypted device: the device with its data, and the device or file with its header. */
interface Place {
  readonly device: string;
  readonly header: string;
}

/**
 * Reads `payloadBefore` of a device to encrypt. With a detached header its data starts at offset 0.
 */
export async function payloadOf(
  host: ReadHost,
  device: string,
  type: 'luks1' | 'luks2' | 'detached',
): Promise<PayloadBefore> {
  const at = type === 'detached' ? 0 : dataOffsets[type];
  return { at, witness: await deviceWitness(host, device, at) };
}

/**
 * Returns a witness of a new encrypted device: of its keys, and of the first 128 KiB of its data.
 */
export async function luksWitness(host: ReadHost, place: Place): Promise<string> {
  const { dataOffset } = await headerOf(host, place.header);
  return `${await sumOn(host, place.header)} ${await deviceWitness(host, place.device, offsetIn(place, dataOffset))}`;
}

/**
 * Returns what other programs have changed. Without a witness the step was interrupted: then the
 * device has one key at most, and its previous data. `touched`: the sequence itself changed the
 * keys.
 */
export async function luksChanged(
  host: ReadHost,
  place: Place,
  since: {
    readonly witness: string | undefined;
    readonly before: PayloadBefore | undefined;
    readonly touched: boolean;
  },
): Promise<Changed | undefined> {
  const keysNow = await sumOn(host, place.header);
  // An interrupted format may leave a device that cannot be opened.
  if (!isSum(keysNow))
    return since.witness === undefined
      ? undefined
      : { found: `others wrote to the header in ${place.header}` };
  const { dataOffset, keySlots } = await headerOf(host, place.header);
  const [keys, data] = since.witness?.split(' ') ?? [undefined, since.before?.witness];
  const at = offsetIn(place, dataOffset);
  const isThere = since.witness !== undefined || since.before?.at === at;
  if (!isThere || (await deviceWitness(host, place.device, at)) !== data)
    return { found: `others wrote to the encrypted data of ${place.device}` };
  const hasSameHeader = keys === undefined ? keySlots.length <= 1 : since.touched || keys === keysNow;
  return hasSameHeader ? undefined : { found: `others changed the header in ${place.header}` };
}

/**
 * Offset of the data on the device. A detached header contains the offset that the data would have
 * after a header on the device.
 */
function offsetIn({ device, header }: Place, dataOffset: Bytes): Bytes {
  return device === header ? dataOffset : 0;
}
