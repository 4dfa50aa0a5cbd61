import * as z from 'zod/mini';
import { posix } from 'node:path';
import { type Look, operation } from '../../atomic/operation.ts';
import { contentInWords, holders, locate, recognise, refuseHeld } from '../../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost, refuseExposed } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { absolutePath, sha256, sha256Hex } from '../../file/path.ts';
import { restoredRecovery } from '../manual-recovery.ts';
import { luksHeaderRestore } from '../header-commands.ts';
import { backupIn, sumOn } from '../header-sum.ts';
import { makeSavedHeaders, savedHeaders, saveHeader } from '../saved-header.ts';
import { luksUuid, type LuksHeader } from '../schema.ts';
import { isHeaderFile, knownDevice, luksDevice } from '../slots.ts';
import { option } from '../../core/option.ts';
import { formatSize } from '../../core/units.ts';

const args = z.strictObject({
  /** The device whose header is replaced. */
  device: z.string().check(z.minLength(1)),
  /** File with the backup of a header. */
  file: absolutePath,
  /** The uuid of the existing header to overwrite, if it has another uuid or another volume key. */
  overwrite: z.exactOptional(luksUuid),
});

const undo = z.extend(knownDevice, {
  /** Checksum of the previous header. */
  before: sha256Hex,
  /** The uuid of the backup, and the checksum of its header. */
  uuid: luksUuid,
  after: sha256Hex,
  file: absolutePath,
  /** Checksum of the whole file. */
  sha256: sha256Hex,
  /** The backup of the previous header until the commit: the tag. */
  saved: absolutePath,
  /** The path of that backup while it is being written. */
  part: absolutePath,
});

type Undo = z.infer<typeof undo>;

/**
 * Replaces the header of a closed encrypted device, with all its key slots, by that of a backup.
 * The existing header is first saved in a file that only its owner can read and that is deleted
 * after the commit; the undo writes it back.
 *
 * cryptsetup itself would replace any header by any other, and ignores holders of the device, so
 * this operation makes these checks.
 */
export const restoreHeader = operation({
  kind: 'crypt.header.restore',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device, file, overwrite }, mark, host }): Promise<Undo> => {
    const { known, header } = await luksDevice(host, device);
    if (isHeaderFile(known))
      throw new RefusedError(
        `${device} is a file with a detached header: bofh restores a backup only to a device`,
        {
          remedy: `close the LUKS device that uses this header file; then overwrite the header file with the backup: cp ${inShell(file)} ${inShell(device)}`,
        },
      );
    await refuseExposed(host, file, 'there');
    const backup = await backupIn(host, file);
    refuseUnfit({ device, header, file, backup, overwrite });
    await refuseHeld(host, device, await holders(host, device));
    return {
      ...known,
      before: await sumOn(host, device),
      ...{ uuid: backup.uuid, after: await sumOn(host, file) },
      ...{ file, sha256: sha256(await host.readFile(file)) },
      ...{ saved: posix.join(savedHeaders, mark), part: posix.join(savedHeaders, `${mark}.part`) },
    };
  },
  claims: async ({ undo: { device, luksUuid: before, uuid, file }, on }) => {
    const { key, beneath } = await on(device);
    return {
      ...(uuid === before ? {} : { makes: [`luks:${uuid}`] }),
      changes: [`luks:${before}`, key],
      needs: [`file:${file}`, ...beneath],
    };
  },
  run: async ({ undo: wanted, host }) => {
    const path = await recheck(host, wanted);
    await makeSavedHeaders(host);
    await saveHeader(host, wanted, wanted.part);
    await host.rename(wanted.part, wanted.saved);
    await host.sync(savedHeaders);
    await replace(host, { path, file: wanted.file, expected: wanted.after });
    return null;
  },
  value: ({ undo: { file, uuid, luksUuid: was } }) => ({ file, uuid, was }),
  look: ({ undo: made, host }) => look(host, made),
  revert: async ({ undo: made, host }) => {
    if ((await host.stat(made.saved)) !== undefined) await putBack(host, made);
    await removeSaved(host, made);
  },
  sync: async ({ undo: made, host }) => {
    const path = await locate(host, { path: made.device, identity: made.identity });
    if (path !== undefined) await host.sync(path);
    if ((await host.stat(savedHeaders)) !== undefined) await host.sync(savedHeaders);
  },
  afterCommit: ({ undo: made, host }) => removeSaved(host, made),
  describe: restoredRecovery,
});

// cryptsetup makes no checks: this is the last one before the header is lost.
async function recheck(host: ChangeHost, wanted: Undo): Promise<string> {
  const { device, file } = wanted;
  const again = {
    remedy: `look at both: bofh crypt show ${inShell(device)}; bofh crypt show ${inShell(file)}; then run the command again`,
  };
  const path = await locate(host, { path: device, identity: wanted.identity });
  if (path === undefined || (await sumOn(host, path)) !== wanted.before)
    throw new RefusedError(`${device} now has another header; nothing was written`, again);
  if (sha256(await host.readFile(file)) !== wanted.sha256)
    throw new RefusedError(`${file} has changed meanwhile; nothing was written`, again);
  await refuseHeld(host, path, await holders(host, path));
  return path;
}

async function replace(
  host: ChangeHost,
  { path, file, expected }: { readonly path: string; readonly file: string; readonly expected: string },
): Promise<void> {
  await host.run(luksHeaderRestore(path, file));
  if ((await sumOn(host, path)) === expected) return;
  throw new RefusedError(`cryptsetup reported success, but ${path} does not have the header of ${file}`, {
    remedy: `look at it: cryptsetup luksDump ${inShell(path)}`,
  });
}

async function look(host: ReadHost, made: Undo): Promise<Look> {
  if ((await host.stat(made.saved)) === undefined)
    return { state: (await host.stat(made.part)) === undefined ? 'gone' : 'ours' };
  const path = await locate(host, { path: made.device, identity: made.identity });
  return { state: 'ours', ...(path === undefined ? {} : { holders: await holders(host, path) }) };
}

/**
 * Writes the previous header back, even if the device seems to have it: a kill while it is written
 * back leaves the first part of it. A header that was changed concurrently, or other content, stays
 * as it is.
 */
async function putBack(host: ChangeHost, made: Undo): Promise<void> {
  const path = await locate(host, { path: made.device, identity: made.identity });
  // A removed volume has no header to restore.
  if (path === undefined) return;
  const now = await sumOn(host, path);
  if (![made.before, made.after, 'none', 'unreadable'].includes(now)) {
    const found = await recognise(host, path);
    const holds = now === 'other' ? `holds ${contentInWords(found)}` : 'has another header';
    throw new RefusedError(
      `${path} ${holds} now, written by another process; the previous header is saved in ${made.saved}`,
      { code: 'has-data', remedy: `if it is not needed: rm ${inShell(made.saved)}; then: bofh recover` },
    );
  }
  await refuseHeld(host, path, await holders(host, path));
  await replace(host, { path, file: made.saved, expected: made.before });
  // The file with the backup is deleted next.
  await host.sync(path);
}

async function removeSaved(host: ChangeHost, { saved, part }: Undo): Promise<void> {
  for (const file of [part, saved]) if ((await host.stat(file)) !== undefined) await host.removeFile(file);
}

/** RefusedError if the header of a backup must not, or cannot, replace that of a device. */
function refuseUnfit(of: {
  readonly device: string;
  readonly header: LuksHeader;
  readonly file: string;
  readonly backup: LuksHeader;
  /** The uuid of the header to overwrite. */
  readonly overwrite: string | undefined;
}): void {
  const { device, header, file, backup, overwrite } = of;
  const refuse = (why: string, remedy: string): RefusedError =>
    new RefusedError(`${why}; nothing was written`, { remedy });
  const look = `look at both: bofh crypt show ${inShell(device)}; bofh crypt show ${inShell(file)}`;
  if (backup.requirements.length > 0)
    throw refuse(`the LUKS2 header in ${file} has the requirement ${backup.requirements.join(', ')}`, look);
  if (backup.version !== header.version)
    throw refuse(
      `${file} is a backup of LUKS${backup.version}, and ${device} is LUKS${header.version}`,
      look,
    );
  if (backup.dataOffset !== header.dataOffset)
    throw refuse(
      `the data begins at ${formatSize(backup.dataOffset)} for ${file}, but at ${formatSize(header.dataOffset)} on ${device}`,
      look,
    );
  if (overwrite !== undefined && overwrite !== header.uuid)
    throw refuse(`${device} is the LUKS device ${header.uuid}, not ${overwrite}`, look);
  if (overwrite !== undefined) return;
  const name = `to replace the present header of ${device}: ${option(`--overwrite ${header.uuid}`, `overwrite: '${header.uuid}'`)}`;
  if (backup.uuid !== header.uuid)
    throw refuse(
      `${file} is a backup of the LUKS device ${backup.uuid}, and ${device} is ${header.uuid}`,
      name,
    );
  if (backup.volumeKeyDigest !== header.volumeKeyDigest)
    throw refuse(
      `${file} is a backup of the same device with another volume key: with this header the data on ${device} could not be read`,
      name,
    );
}
