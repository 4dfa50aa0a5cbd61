import type { ManualRecovery } from '../core/errors.ts';
import { writeBytesWords } from '../blockdevice/wipe/write-bytes.ts';
import type { Way } from '../atomic/contract.ts';
import type { Destroyed } from './state.ts';

/** Manual recovery: complete the erase, or remove the marker again. */
export function destroyedRecovery(
  { device, blank }: Destroyed,
  { how, way }: { readonly how: 'discard' | 'zero'; readonly way: Way },
): ManualRecovery {
  const destroying = ['blkdiscard', ...(how === 'zero' ? ['--zeroout'] : []), device];
  const done = how === 'zero' ? 'filled with zeros' : 'discarded';
  const look = [
    ['wipefs', device],
    ['lsblk', device],
  ];
  if (blank === undefined)
    return { what: `all that is on ${device}, which will be ${done}`, look, clear: [destroying] };
  const mark = `the tag ${blank.mark} at the start of ${device}`;
  return {
    what: way === 'back' ? mark : `all that is on ${device}, which will be ${done}, with ${mark}`,
    look: [...look, ['od', '--format=c', '--read-bytes=512', device]],
    clear: [way === 'back' ? writeBytesWords(device, 0, Buffer.from(blank.bytes, 'hex')) : destroying],
  };
}
