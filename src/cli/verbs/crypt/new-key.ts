import { parseKeyRef } from '../../../command/index.ts';
import { present } from '../../../core/present.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';
import { type Typed, value } from '../../runtime/verb.ts';
import { askForKey, cost, header, keyFor, keySlot } from './options.ts';

/** Arguments and options of a verb that writes a new key. */
export const args = { device: ['<device>', 'encrypted device, for example /dev/vg0/web1'] } as const;
export const options = {
  key: keyFor('a key that opens the device now'),
  newKey: value('<KEY>', 'source of the new key, in the same form as --key', { read: parseKeyRef }),
  header,
  slot: value('<NUMBER>', 'free key slot for the new key (default: the lowest free one)', { read: keySlot }),
  ...cost,
};

/** The request for a new key. */
export function newKeyRequest(runtime: Runtime, typed: Typed<typeof args, typeof options>) {
  const { slot, pbkdf, pbkdfMemory, pbkdfTime: pbkdfTimeMs } = typed;
  return present({
    device: pathOn(runtime, typed.header) ?? typed.device,
    key: typed.key ?? askForKey,
    newKey: typed.newKey ?? askForKey,
    ...{ slot, pbkdf, pbkdfMemory, pbkdfTimeMs },
  });
}
