import { posix } from 'node:path';
import { type ChangeHost, type Command, inShell, nothing, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { headerOf } from './reads.ts';
import { luksHeaderBackup } from './header-commands.ts';
import { findKnown, type KnownDevice } from './slots.ts';

/** Readable and writable only by its owner. */
const mode = 0o600;

/**
 * Writes the header of exactly this device into a new file, and makes it durable. The file contains
 * key material: together with a key from that time it opens the device, even after that key was
 * removed.
 */
export async function saveHeader(host: ChangeHost, known: KnownDevice, file: string): Promise<void> {
  const { device, luksUuid: uuid } = known;
  const found = await findKnown(host, known);
  if (found === undefined)
    throw new RefusedError(`${device} is no longer the LUKS device ${uuid}; nothing was saved`, {
      remedy: 'see what it is: bofh crypt list',
    });
  await host.run(luksHeaderBackup(found.path, file));
  await host.run(setMode(file));
  await host.sync(file);
  await host.sync(posix.dirname(file));
  await checkSaved(host, known, file);
}

async function checkSaved(
  host: ReadHost,
  { device, luksUuid: uuid }: KnownDevice,
  file: string,
): Promise<void> {
  const stat = await host.stat(file);
  const failed = (tool: string, why: string): RefusedError =>
    new RefusedError(`${tool} reported success, but ${why}`, {
      remedy: `see the header: cryptsetup luksDump ${inShell(device)}; and the file: ls -l ${inShell(file)}`,
    });
  if (stat?.kind !== 'file') throw failed('cryptsetup', `${file} is not there`);
  if ((await headerOf(host, file)).uuid !== uuid)
    throw failed('cryptsetup', `the header of ${device} is not in ${file}`);
  if (stat.mode !== mode) throw failed('chmod', `the mode of ${file} is 0${stat.mode.toString(8)}`);
}

function setMode(file: string): Command<void, 'change'> {
  return { tool: 'chmod', argv: [`0${mode.toString(8)}`, file], access: 'change', parse: nothing };
}

/**
 * The directory of headers that a sequence saved for its undo. It is on disk, and survives a power
 * cut.
 */
export const savedHeaders = '/var/lib/bofh/headers';

/** Creates the directory of saved headers, for its owner only, and makes it durable. */
export async function makeSavedHeaders(host: ChangeHost): Promise<void> {
  await host.makeDir(savedHeaders, { mode: 0o700, parents: true });
  for (let path: string = savedHeaders; path !== '/'; path = posix.dirname(path)) await host.sync(path);
}
