import { ensurable, incomparable } from '../atomic/ensure.ts';
import { keysOf, probe } from '../blockdevice/index.ts';
import { checkKey } from './check-key.ts';
import { checkArgs } from './new-luks.ts';
import * as operations from './operations.ts';
import { headerOf, isLuksSignature, keyOpens } from './reads.ts';
import { present } from '../core/present.ts';

/**
 * Encrypts a device, or does nothing if it is encrypted as requested. Compares type, label, uuid
 * and pbkdf, and whether the key opens the device.
 */
export const format = ensurable(operations.format, async (host, args) => {
  checkArgs(args);
  const { device, key, type, label, uuid, pbkdf, ...others } = args;
  for (const option of Object.keys(others))
    throw incomparable(option, 'it depends on the speed and the memory of the host that made the header');
  await checkKey(host, key);
  const signature = await probe(host, device);
  if (signature === undefined) return undefined;
  const { key: name, beneath } = await keysOf(host, device);
  const found = {
    what: `${signature.type} on ${device}`,
    keys: [name, ...beneath],
    show: `bofh crypt show ${device}`,
  };
  if (!isLuksSignature(signature))
    return {
      ...found,
      compared: { type: [type ?? 'luks2', signature.type] },
      value: undefined,
    };
  const header = await headerOf(host, device);
  const version = header.version === 1 ? ('luks1' as const) : ('luks2' as const);
  const slots = header.keySlots.filter((slot) => slot.opens === 'data');
  // Of an erased device cryptsetup does not test any key: it fails with another exit code.
  const opens =
    slots.length > 0 && (await keyOpens(host, { device, key: { key, use: 'present', of: device } }));
  const [slot] = slots;
  return {
    ...found,
    compared: {
      type: [type, version],
      label: [label, header.label],
      uuid: [uuid, header.uuid],
      pbkdf: [pbkdf, slots.every(({ kdf }) => kdf === slot?.kdf) ? slot?.kdf : 'several'],
      key: ['a key of the device', opens ? 'a key of the device' : 'another key'],
    },
    value:
      slot === undefined || slot.kdf === 'argon2i'
        ? undefined
        : { uuid: header.uuid, type: version, pbkdf: slot.kdf, ...present({ pbkdfMemory: slot.memory }) },
  };
});
