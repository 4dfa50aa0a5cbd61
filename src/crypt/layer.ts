import { fixed, type Layer, type LayerAt } from '../blockdevice/layer.ts';
import type { GraphDevice } from '../blockdevice/graph.ts';
import { headerOf } from './reads.ts';

/** A LUKS container; the device that it offers while it is open is the next layer. */
export const luks: Layer = {
  name: 'luks',
  of: 'content',
  recognises: ({ content }) => content?.type === 'crypto_LUKS',
  title: () => 'LUKS',
  offers: ({ above }) => innerOf(above) ?? 'closed',
  tell: async ({ host, device, above }) => {
    const inner = innerOf(above);
    const { version, cipher, dataOffset } = await headerOf(host, device.path);
    const facts = [
      ['version', String(version)],
      ['cipher', cipher],
    ] as const;
    if (inner !== undefined)
      return {
        size: inner.size,
        overhead: device.size - inner.size,
        facts: [...facts, ['open as', inner.mapping ?? '']],
      };
    return {
      ...{ size: device.size - dataOffset, overhead: dataOffset, facts },
      untold: ['it is closed: what lies in it cannot be told'],
    };
  },
  limits: async ({ device, above }) =>
    fixed(innerOf(above)?.size ?? device.size, 'bofh resizes no open container yet'),
};

function innerOf(above: LayerAt['above']): GraphDevice | undefined {
  return above.find(({ kind }) => kind === 'crypt');
}

/** The open side of one. */
export const luksMapping: Layer = {
  name: 'luks-mapping',
  of: 'device',
  recognises: ({ device }) => device.kind === 'crypt' && /^CRYPT-LUKS[12]-/.test(device.uuid ?? ''),
  title: () => 'opened LUKS',
  tell: async ({ device }) => ({ size: device.size }),
};
