import { RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { formatSize } from '../core/units.ts';
import type { LuksHeader } from './schema.ts';

/** RefusedError if the header of a backup must not, or cannot, replace that of a device. */
export function refuseUnfit(of: {
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
  const look = `look at both: bofh crypt show ${device}; bofh crypt show ${file}`;
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
