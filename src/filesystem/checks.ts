import { checkOverwrite, replaceable, type Signature, sizeOfMedium } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import type { CreateArgs } from './schema.ts';
import { checkLabel, checkOptions, checkUuid, room } from './types.ts';

/** Makes the checks that do not need the host. */
export function checkArgs(args: Omit<CreateArgs, 'device'>): void {
  if (args.label !== undefined) checkLabel(args.type, args.label);
  if (args.uuid !== undefined) checkUuid(args.type, args.uuid);
  checkOptions(args.type, args.options ?? {});
  const { overwrite } = args;
  checkOverwrite(overwrite);
  if (args.uuid !== undefined && args.uuid === overwrite?.uuid) {
    throw new UsageError('the new filesystem must not have the uuid of the one that it overwrites');
  }
}

/**
 * RefusedError for a device that is in use, too small, or has content that may not be overwritten.
 * Returns its content.
 */
export async function checkDevice(
  host: ReadHost,
  {
    args: { device, type, overwrite, options },
    when,
  }: {
    readonly args: Pick<CreateArgs, 'device' | 'type' | 'overwrite' | 'options'>;
    readonly when: 'before the locks' | 'under the locks';
  },
): Promise<Signature | undefined> {
  const unfit = async (): Promise<void> =>
    checkRoom(device, type, await sizeOfMedium(host, device), { options });
  return replaceable(host, { device, overwrite, when, unfit });
}

interface RoomOptions {
  readonly options?: CreateArgs['options'] | undefined;
  readonly remedy?: string;
}

/** RefusedError for a size that is too small for the type. */
export function checkRoom(
  device: string,
  type: CreateArgs['type'],
  bytes: Bytes,
  { options = {}, remedy = 'use a larger device, or another filesystem type' }: RoomOptions = {},
): void {
  const { smallest, why } = room(type, options);
  if (bytes >= smallest) return;
  throw new RefusedError(
    `${device} has ${formatSize(bytes)}; ${type} needs ${formatSize(smallest)}: ${why}`,
    { code: 'invalid', remedy },
  );
}
