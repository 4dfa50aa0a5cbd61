import { checkArgs, currentBofh, inOwnSequence, single } from '../bofh.ts';
import { keyRef } from '../command/index.ts';
import * as driver from '../crypt/index.ts';
import type { Tx } from '../operations.ts';
import { parsed } from '../core/request.ts';
import * as z from 'zod/mini';
import { naming } from '../core/checks.ts';
import { present } from '../core/present.ts';

export type {
  LuksDevice,
  LuksHeader,
  LuksScan,
  Mapping,
  MappingStatus,
  OpenDevice,
  Reencryption,
} from '../crypt/index.ts';

/**
 * Returns every LUKS device, open or closed. Throws ParseError if a device cannot be read; `scan`
 * returns the others even then.
 */
export async function devices(): Promise<readonly driver.LuksDevice[]> {
  return driver.luksDevices(currentBofh().host);
}

/**
 * Returns every LUKS device, open or closed, and separately every device that cannot be read and
 * may be one.
 */
export async function scan(): Promise<driver.LuksScan> {
  return driver.scanForLuks(currentBofh().host);
}

/** Returns every mapping that cryptsetup has open. */
export async function mappings(): Promise<readonly driver.Mapping[]> {
  return driver.mappings(currentBofh().host);
}

/** Returns the LUKS header of a device or header file. Throws RefusedError if there is none. */
export async function show(device: string): Promise<driver.LuksHeader> {
  return naming('crypt.show', { device }, () => driver.headerOf(currentBofh().host, device));
}

/**
 * Returns the open mapping of a name, or of a path below /dev/mapper. Throws RefusedError if the mapping is
 * not open.
 */
export async function status(name: string): Promise<driver.OpenDevice> {
  return naming('crypt.status', { name }, () => driver.openDevice(currentBofh().host, name));
}

/** Formats a device with LUKS in a sequence of its own. */
export const format = inOwnSequence('crypt', 'format');

/**
 * Formats a device with a detached LUKS header in a new file in a sequence of its own. Writes
 * nothing to the device.
 */
export const formatDetached = inOwnSequence('crypt', 'formatDetached');

/**
 * Opens a LUKS device in a sequence of its own. It stays open until it is closed or the host reboots. Without
 * `name`, the name comes from the site file (`luksNaming`). Returns the path of the mapping.
 */
export async function open(args: Parameters<Tx['crypt']['open']>[0]): ReturnType<Tx['crypt']['open']> {
  await checkArgs('crypt', 'open', args);
  const name = args.name ?? (await nameBySite(args.device));
  return single('crypt.open', (tx) => tx.crypt.open({ ...args, ...present({ name }) }), ['crypt']);
}

/**
 * Returns the mapping name that the site file (`luksNaming`) gives a device, to be passed to `tx.crypt.open`.
 * Undefined if the site file has no `luksNaming` (then bofh chooses the name), or if the device is open
 * already and keeps its name.
 */
export async function nameBySite(device: string): Promise<string | undefined> {
  return naming('crypt.nameBySite', { device }, async () => {
    const { host, site } = currentBofh();
    const { luksNaming: pattern } = site;
    if (pattern === undefined || (await driver.mappingOn(host, device)) !== undefined) return undefined;
    return driver.patternName(host, { device, pattern });
  });
}

// The step checks the name itself.
const closeOptions = z.strictObject({ name: z.string(), key: z.exactOptional(keyRef) });

/**
 * Closes a mapping in a sequence of its own. With `key`, the close can be undone. Without a key, the close
 * runs after the commit and cannot be undone.
 */
export async function close(args: {
  /** Name of the mapping, or its path: `/dev/mapper/NAME`. */
  readonly name: string;
  /** A key that opens the device again, for the undo (default: none, so the close runs after the commit). */
  readonly key?: Parameters<Tx['crypt']['close']>[0]['key'];
}): Promise<void> {
  const { name, key } = parsed('crypt.close', closeOptions, args);
  await single('crypt.close', async (tx) => {
    if (key === undefined) await tx.crypt.closeAfterCommit({ name });
    else await tx.crypt.close({ name, key });
  });
}

/**
 * Resizes an open mapping in a sequence of its own. The size is in bytes (default: the whole
 * underlying device).
 */
export const resize = inOwnSequence('crypt', 'resize');

/** Adds a key in a sequence of its own. */
export const addKey = inOwnSequence('crypt', 'addKey');

/** Replaces a key in a sequence of its own. Until the commit both keys open the device. */
export const changeKey = inOwnSequence('crypt', 'changeKey');

/** Removes a key, never the last one, in a sequence of its own. Irreversible. */
export async function removeKey(args: Parameters<Tx['crypt']['removeKey']>[0]): Promise<void> {
  await single('crypt.removeKey', (tx) => tx.crypt.removeKey(args), ['crypt']);
}

/**
 * Erases every key of a device in a sequence of its own. Irreversible: its data can never be read
 * again.
 */
export async function erase(args: Parameters<Tx['crypt']['erase']>[0]): Promise<void> {
  await single('crypt.erase', (tx) => tx.crypt.erase(args), ['crypt']);
}

/**
 * Reencrypts all data of a closed LUKS2 device with a new volume key in a sequence of its own. May
 * take hours; `bofh recover` continues an interrupted reencryption. Earlier header backups become
 * useless. Returns the new header.
 */
export async function reencrypt(args: Parameters<Tx['crypt']['reencrypt']>[0]): Promise<driver.LuksHeader> {
  await single('crypt.reencrypt', (tx) => tx.crypt.reencrypt(args), ['crypt']);
  return show(args.device);
}

/**
 * Saves the LUKS header of a device to a new file in a sequence of its own. The file contains key
 * material: with it, every current key opens the device for ever, even after the key is removed.
 */
export const backupHeader = inOwnSequence('crypt', 'backupHeader');

/**
 * Restores the LUKS header of a closed device from a backup in a sequence of its own. Keys that were added
 * after the backup no longer open the device. Keys that were removed after it open the device again.
 */
export const restoreHeader = inOwnSequence('crypt', 'restoreHeader');
