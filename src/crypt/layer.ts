import type { Layer } from '../blockdevice/layer.ts';

/** A LUKS container; the device that it offers while it is open is the next layer. */
export const luks: Layer = {
  name: 'luks',
  of: 'content',
  recognises: ({ content }) => content?.type === 'crypto_LUKS',
  title: () => 'LUKS',
  tell: async ({ device, above }) => {
    const inner = above.find(({ kind }) => kind === 'crypt');
    if (inner === undefined) return { untold: ['it is closed: what lies in it cannot be told'] };
    return {
      size: inner.size,
      overhead: device.size - inner.size,
      facts: [['open as', inner.mapping ?? '']],
    };
  },
};

/** The open side of one. */
export const luksMapping: Layer = {
  name: 'luks-mapping',
  of: 'device',
  recognises: ({ device }) => device.kind === 'crypt' && /^CRYPT-LUKS[12]-/.test(device.uuid ?? ''),
  title: () => 'opened LUKS',
  tell: async ({ device }) => ({ size: device.size }),
};
