import * as z from 'zod/mini';
import type { Claims, DeviceKeys } from '../../atomic/operation.ts';
import { locate, recognise, wipeSignatures } from '../../blockdevice/index.ts';
import type { ChangeHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { btrfsSuperblock } from '../../filesystem/index.ts';
import { deviceRemove } from '../device-commands.ts';
import { isMember, refuseExclusive, refuseNeededDevice } from '../devices.ts';
import { anyRoot } from '../place.ts';
import { uuid } from '../schema.ts';
import { syncFilesystem } from './new-subvolume.ts';

/** A device that is added to a filesystem or removed from it. */
export const knownDevice = z.strictObject({
  fs: uuid,
  /** A mounted device of the filesystem. */
  source: z.string(),
  /** Mount point of the filesystem. Only shown. */
  mounted: z.string(),
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  /** Name of the device at that time. */
  key: z.string(),
});

type KnownDevice = z.infer<typeof knownDevice>;

/**
 * Claims: changes the device and the device list; the filesystem and everything around it must
 * stay.
 */
export async function deviceClaims(
  of: KnownDevice,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Claims> {
  const own = await on(of.device);
  const source = await on(of.source);
  const changes = [own.key, `btrfs-devices:${of.fs}`];
  const needs = new Set([`fs:${of.fs}`, ...own.beneath, source.key, ...source.beneath]);
  return { changes, needs: [...needs].filter((key) => !changes.includes(key)) };
}

/** Makes changes of the device and of the filesystem durable. */
export async function syncDevice(host: ChangeHost, of: KnownDevice): Promise<void> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path !== undefined) await host.sync(path);
  await syncFilesystem(host, of);
}

/**
 * Removes a device from its filesystem, if it is in it, and leaves it blank. Also removes what a
 * power cut left.
 */
export async function removeMember(
  host: ChangeHost,
  of: KnownDevice,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  if (await isMember(host, { fs: of.fs, device: path })) {
    const { deviceUuid } = await host.run(btrfsSuperblock(path));
    await refuseExclusive(host, of);
    await refuseNeededDevice(host, { ...of, device: path, uuid: deviceUuid });
    const root = await anyRoot(host, of.fs);
    await host.run({ ...deviceRemove({ device: path, path: root }), signal });
  }
  const left = await recognise(host, path);
  if (left?.type === 'btrfs' && left.uuid === of.fs) await host.run(wipeSignatures(path));
  if (await isMember(host, { fs: of.fs, device: path }))
    throw new RefusedError(`btrfs did not remove ${path} from the btrfs on ${of.mounted}`, {
      remedy: `look at it: btrfs filesystem show ${of.mounted}`,
    });
}
