import { size as sizeOfDevice } from '../blockdevice/index.ts';
import { inShell, type ReadHost, refuseExposed } from '../command/index.ts';
import { ParseError, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { type Bytes, formatSize, parseSize } from '../core/units.ts';
import {
  contentOf,
  headerOf,
  isLuksSignature,
  mappingNamed,
  mappingOn,
  refuseDamaged,
  statusNow,
} from './reads.ts';
import type { LuksHeader, Mapping, MappingStatus } from './schema.ts';

/**
 * Returns an open device, by its name or its backing device. RefusedError if there is no LUKS
 * mapping, UsageError for both or none.
 */
export async function openLuks(
  host: ReadHost,
  { name, device }: { readonly name?: string; readonly device?: string },
): Promise<Mapping & { readonly luksUuid: string }> {
  if ((name === undefined) === (device === undefined))
    throw new UsageError('name the device to resize: by its name, or by its backing device, not by both');
  const mapping = name === undefined ? await mappingOn(host, device ?? '') : await mappingNamed(host, name);
  const { luksUuid: uuid } = mapping ?? {};
  if (mapping !== undefined && uuid !== undefined) return { ...mapping, luksUuid: uuid };
  throw new RefusedError(`${name ?? device ?? ''} is not open as a LUKS device: only that can be resized`, {
    remedy:
      'see the open devices: bofh crypt list; a closed device gets the size of its backing device when you open it',
  });
}

/**
 * Returns the header with which the device was opened. RefusedError for any other header: it may
 * have another volume key.
 */
export async function headerFor(
  host: ReadHost,
  {
    file,
    mapping: { path, luksUuid: uuid },
    device,
  }: { readonly file: string | undefined; readonly mapping: Mapping; readonly device: string },
): Promise<LuksHeader> {
  const { found } = await contentOf(host, device);
  const isOnDevice = isLuksSignature(found) && found.uuid === uuid;
  if (file === undefined && !isOnDevice)
    throw new RefusedError(
      `${path} cannot be resized: the header that it was opened with is not on ${device}`,
      {
        remedy: `name its file: ${option('--header FILE', 'header')}`,
      },
    );
  if (file !== undefined && isOnDevice)
    throw new RefusedError(`the header of ${path} is on ${device}, not in ${file}`, {
      remedy: `leave ${option('--header', 'header')} out`,
    });
  if (file !== undefined) await refuseExposed(host, file, 'there');
  // `cryptsetup resize` reads it too.
  await refuseDamaged(host, file ?? device);
  const header = await headerOf(host, file ?? device);
  if (header.uuid === uuid) return header;
  throw new RefusedError(
    `${file ?? device} has the header ${header.uuid}, but ${path} was opened with another header`,
    {
      remedy: `name the file of the header that it was opened with: ${option('--header FILE', 'header')}`,
    },
  );
}

/**
 * Returns the requested size, or that of all the space. RefusedError if it is too large, UsageError
 * if it is not in whole sectors.
 */
export async function roomFor(
  host: ReadHost,
  {
    asked: { size, header: file },
    mapping,
    device,
    header: { sectorSize, requirements },
    status: { offset },
  }: {
    readonly asked: { readonly size?: Bytes | string; readonly header?: string };
    readonly mapping: Mapping;
    readonly device: string;
    readonly header: LuksHeader;
    readonly status: MappingStatus;
  },
): Promise<Bytes> {
  if (requirements.length > 0)
    throw new RefusedError(
      `${mapping.path} cannot be resized: the LUKS2 header of ${file ?? device} has the requirement ${requirements.join(', ')}`,
      { remedy: `look at it: bofh crypt show ${inShell(file ?? device)}` },
    );
  if (offset === undefined) throw new ParseError(`cryptsetup does not say where ${mapping.path} begins`);
  const room = Math.floor(((await sizeOfDevice(host, device)) - offset) / sectorSize) * sectorSize;
  const to = size === undefined ? room : parseSize(size);
  if (to % sectorSize !== 0 || to % 512 !== 0)
    throw new UsageError(
      `${to} bytes are not a whole number of sectors of ${mapping.path}: use a multiple of ${sectorSize}`,
    );
  if (to <= room && to > 0) return to;
  throw new RefusedError(
    `${mapping.path} cannot be resized to ${formatSize(to)}: its device ${device} has space for ${formatSize(room)}`,
    {
      remedy: 'grow the backing device first, or name a smaller size',
    },
  );
}

/** Returns the status of an open device from cryptsetup. */
export async function statusOf(host: ReadHost, mapping: Mapping): Promise<MappingStatus> {
  const status = await statusNow(host, mapping);
  if (status !== undefined) return status;
  throw new RefusedError(`${mapping.path} was closed meanwhile`, {
    remedy: 'see what is open: bofh crypt list',
  });
}
