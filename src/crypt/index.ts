import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { mappingNamed, statusNow } from './reads.ts';
import type { Mapping, MappingStatus } from './schema.ts';

export { patternName } from './names.ts';
export {
  headerOf,
  type LuksDevice,
  luksDevices,
  type LuksScan,
  mappingNamed,
  mappingOn,
  mappings,
  scanForLuks,
} from './reads.ts';
export type { LuksHeader, Mapping, MappingStatus, Reencryption } from './schema.ts';

/** An open device, as the kernel and cryptsetup describe it. */
export interface OpenDevice extends Mapping {
  readonly status: MappingStatus;
}

/**
 * Returns the mapping with a name, or a path below /dev/mapper. RefusedError if cryptsetup has
 * none.
 */
export async function openDevice(host: ReadHost, name: string): Promise<OpenDevice> {
  const mapping = await mappingNamed(host, name);
  const status = mapping === undefined ? undefined : await statusNow(host, mapping);
  if (mapping !== undefined && status !== undefined) return { ...mapping, status };
  throw new RefusedError(`no encrypted device is open as ${name}`, {
    code: 'not-found',
    remedy: 'see what is open: bofh crypt list',
  });
}
