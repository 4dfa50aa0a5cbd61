import { currentBofh, once, single } from '../bofh.ts';
import * as driver from '../crypt/index.ts';
import type { Tx } from '../operations.ts';

export type {
  LuksDevice,
  LuksHeader,
  LuksScan,
  Mapping,
  MappingStatus,
  OpenDevice,
  Reencryption,
} from '../crypt/index.ts';

/** Every encrypted (LUKS) device, open or not. ParseError when there are devices that cannot be read: `scan` has the others. */
export async function devices(): Promise<readonly driver.LuksDevice[]> {
  return driver.luksDevices(currentBofh().host);
}

/** Every encrypted (LUKS) device, open or not, and apart from them every device that cannot be read, which may be one. */
export async function scan(): Promise<driver.LuksScan> {
  return driver.scanForLuks(currentBofh().host);
}

/** Everything that cryptsetup has open. */
export async function mappings(): Promise<readonly driver.Mapping[]> {
  return driver.mappings(currentBofh().host);
}

/** The header of an encrypted device, or of a file that holds one. RefusedError when there is none. */
export async function show(device: string): Promise<driver.LuksHeader> {
  return driver.headerOf(currentBofh().host, device);
}

/** What is open under a name, or a path below /dev/mapper. RefusedError when nothing is. */
export async function status(name: string): Promise<driver.OpenDevice> {
  return driver.openDevice(currentBofh().host, name);
}

/** Makes an encrypted device: a sequence of one. */
export const format = once('crypt', 'format');

/** Makes an encrypted device whose header lies in a new file, and writes nothing to the device: a sequence of one. */
export const formatDetached = once('crypt', 'formatDetached');

/** Opens an encrypted device, to stay: a sequence of one. Without a name it gets the one that the site file says. */
export async function open(args: Parameters<Tx['crypt']['open']>[0]): ReturnType<Tx['crypt']['open']> {
  const name = args.name ?? (await nameBySite(args.device));
  return single('crypt.open', (tx) => tx.crypt.open({ ...args, ...(name === undefined ? {} : { name }) }));
}

/**
 * The name that the site file (`luksNaming`) has for a device once it is open, to be handed to `tx.crypt.open`. Undefined:
 * it says nothing of it, and bofh chooses. What is open already keeps its name.
 */
export async function nameBySite(device: string): Promise<string | undefined> {
  const { host, site } = currentBofh();
  const { luksNaming: pattern } = site;
  if (pattern === undefined || (await driver.mappingOn(host, device)) !== undefined) return undefined;
  return driver.patternName(host, { device, pattern });
}

/**
 * Closes what is open: a sequence of one. With a key it can be undone by itself; without one it is done after everything that
 * can fail, and nobody else's failure can take it back.
 */
export async function close(args: {
  readonly name: string;
  readonly key?: Parameters<Tx['crypt']['close']>[0]['key'];
}): Promise<void> {
  const { name, key } = args;
  await single('crypt.close', async (tx) => {
    if (key === undefined) await tx.crypt.closeAfterCommit({ name });
    else await tx.crypt.close({ name, key });
  });
}

/** Makes what is open smaller or larger: a sequence of one. Bytes; without a size all of the device beneath. */
export const resize = once('crypt', 'resize');

/** Adds a key: a sequence of one. */
export const addKey = once('crypt', 'addKey');

/** Replaces a key: a sequence of one. Until its end both open the device. */
export const changeKey = once('crypt', 'changeKey');

/** Destroys a key, never the last one: a sequence of one. */
export async function removeKey(args: Parameters<Tx['crypt']['removeKey']>[0]): Promise<void> {
  await single('crypt.removeKey', (tx) => tx.crypt.removeKey(args));
}

/** Destroys every key of a device, so that nobody can ever read what is on it: a sequence of one. */
export async function erase(args: Parameters<Tx['crypt']['erase']>[0]): Promise<void> {
  await single('crypt.erase', (tx) => tx.crypt.erase(args));
}

/**
 * Encrypts all data of a closed LUKS2 device anew, by a new volume key, and tells its header of afterwards: a sequence of one. It
 * may take hours; interrupted, `bofh recover` goes on with it. A backup of its header from before is useless then.
 */
export async function reencrypt(args: Parameters<Tx['crypt']['reencrypt']>[0]): Promise<driver.LuksHeader> {
  await single('crypt.reencrypt', (tx) => tx.crypt.reencrypt(args));
  return show(args.device);
}

/**
 * Saves the header of a device in a new file: a sequence of one. The file holds key material: with it, every key of today opens
 * the device for ever, also one that is removed from it later.
 */
export const backupHeader = once('crypt', 'backupHeader');

/**
 * Replaces the header of a closed device by that of a backup: a sequence of one. Keys that were added since the backup open it
 * no more, and those that were removed do again.
 */
export const restoreHeader = once('crypt', 'restoreHeader');
