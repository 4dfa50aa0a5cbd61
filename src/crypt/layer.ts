import type { GraphDevice } from '../blockdevice/graph.ts';
import { size as deviceSize } from '../blockdevice/index.ts';
import { fixed, type Layer, type LayerAt, type Limits, type May } from '../blockdevice/layer.ts';
import type { KeyRef } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Bytes } from '../core/units.ts';
import { headerOf, openDevice } from './index.ts';
import { present } from '../core/present.ts';

/** The part of `tx` that resizes an open container. */
interface Resizing {
  readonly crypt: {
    readonly resize: (args: {
      readonly name: string;
      readonly size: Bytes;
      readonly key?: KeyRef;
      readonly shrink?: 'lose the data beyond the new size';
    }) => Promise<unknown>;
  };
}

/** A LUKS container; the layer above it is the open device. */
export const luks: Layer<Resizing> = {
  name: 'luks',
  of: 'content',
  recognises: ({ content }) => content?.type === 'crypto_LUKS',
  title: () => 'LUKS',
  offers: ({ above }) => innerOf(above) ?? 'closed',
  toOpen: () => `open it first (bofh crypt open DEVICE), or name its key: ${option('--key', 'key')}`,
  tell: async ({ host, device, above }) => {
    const inner = innerOf(above);
    const { version, cipher, dataOffset } = await headerOf(host, device.path);
    const facts = [
      ['version', String(version)],
      ['cipher', cipher],
    ] as const;
    if (inner === undefined)
      return {
        ...{ size: device.size - dataOffset, overhead: dataOffset, facts },
        unknown: ['it is closed: its content is unknown'],
      };
    const { size, mapping = '' } = inner;
    return { size, overhead: device.size - size, facts: [...facts, ['open as', mapping]] };
  },
  limits: async (at) => {
    const inner = innerOf(at.above);
    return inner === undefined ? fixed(at.device.size, 'it is closed') : limitsOf(at, inner);
  },
  resize: async (tx, { host, above }, { size, key, direction }) => {
    const inner = innerOf(above);
    if (inner?.mapping === undefined) throw new ParseError('a closed LUKS device cannot be resized');
    // An earlier step has shrunk the content; an LVM physical volume does not report where it ends.
    const consent = direction === 'shrink' ? ({ shrink: 'lose the data beyond the new size' } as const) : {};
    const shown = present({ key });
    await tx.crypt.resize({ name: inner.mapping, size, ...shown, ...consent });
    return { size: await deviceSize(host, inner.path), when: 'now' };
  },
};

async function limitsOf({ host, device }: LayerAt, inner: GraphDevice): Promise<Limits> {
  const { dataOffset, sectorSize, requirements } = await headerOf(host, device.path);
  const { status } = await openDevice(host, inner.path);
  const may: May =
    requirements.length > 0
      ? { may: false, why: `its LUKS2 header has the requirement ${requirements.join(', ')}` }
      : inner.readOnly
        ? { may: false, why: 'it is open read-only' }
        : { may: true };
  return {
    ...{ size: inner.size, granularity: Math.max(512, sectorSize), overhead: dataOffset },
    smallest: { size: Math.max(512, sectorSize), why: 'which is one sector' },
    ...{ grow: may, shrink: may },
    // LUKS2 keeps the volume key in the kernel keyring, where nothing can read it, not even
    // cryptsetup.
    needsKey: status.type === 'LUKS2' && status.keyLocation === 'keyring',
  };
}

function innerOf(above: LayerAt['above']): GraphDevice | undefined {
  return above.find(({ kind }) => kind === 'crypt');
}

/** The mapping of an open LUKS container. */
export const luksMapping: Layer = {
  name: 'luks-mapping',
  of: 'device',
  recognises: ({ device }) => device.kind === 'crypt' && /^CRYPT-LUKS[12]-/.test(device.uuid ?? ''),
  title: () => 'opened LUKS',
  tell: async ({ device }) => ({ size: device.size }),
};
