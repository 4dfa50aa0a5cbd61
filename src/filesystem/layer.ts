import { inShell } from '../command/index.ts';
import { holders, inWords, remedyFor, visible } from '../blockdevice/index.ts';
import { type Layer, type LayerAt, type Limits, type May, fixed } from '../blockdevice/layer.ts';
import type { Bytes } from '../core/units.ts';
import { formatSize } from '../core/units.ts';
import { isSettled, leastOf, type Measured, measureFound, theirs } from './measure.ts';
import { isWritable } from './mounted.ts';
import { resizable, toSettle, unsettled } from './resizing.ts';
import { newSwap } from './new-swap.ts';
import { present } from '../core/present.ts';

/** The part of `tx` that resizes a filesystem. */
interface Resizing {
  readonly filesystem: {
    readonly resize: (args: { readonly device: string; readonly size: Bytes | 'max' }) => Promise<{
      readonly size: Bytes;
      readonly when: 'now' | 'after the commit';
    }>;
  };
}

/** A filesystem: the top layer of a stack. */
export const filesystem: Layer<Resizing> = {
  name: 'filesystem',
  of: 'content',
  recognises: ({ content }) => content?.usage === 'filesystem',
  title: ({ content }) => content?.type ?? '',
  tell: async ({ host, device, content }) => {
    const { blocks, blockSize, used } = await measureFound(host, device.path, content);
    return {
      size: blocks * blockSize,
      facts: used === undefined ? [] : [['used', formatSize(used)]],
    };
  },
  limits: async (at) => {
    const found = await measureFound(at.host, at.device.path, at.content);
    return limitsOf(at, found);
  },
  resize: async (tx, { host, device, content }, { size, fill }) => {
    const made = await tx.filesystem.resize({ device: device.path, size: fill ? 'max' : size });
    if (made.when === 'after the commit') return made;
    const { blocks, blockSize } = await measureFound(host, device.path, content);
    return { size: blocks * blockSize, when: made.when };
  },
};

/** A swap area: it has no content to keep, so it is created again instead of resized. */
export const swap: Layer = {
  name: 'swap',
  of: 'content',
  recognises: ({ content }) => content?.type === 'swap',
  tell: async ({ host, device, content }) => {
    const { blocks, blockSize } = await measureFound(host, device.path, content);
    return { size: blocks * blockSize };
  },
  limits: async ({ host, device, content }) => {
    const { path, kind } = device;
    const uuid = content?.uuid;
    const why = 'a swap area has no content to keep: create it again with the other size';
    const no: May = { may: false, why, remedy: newSwap({ device: path, uuid, label: content?.label, kind }) };
    // Without a uuid it is not measured, and has the size of its device.
    const found = uuid === undefined ? undefined : await measureFound(host, path, content);
    const size = found === undefined ? device.size : found.blocks * found.blockSize;
    const granularity = found?.blockSize ?? 512;
    return { size, granularity, overhead: 0, smallest: { size, why }, grow: no, shrink: no };
  },
};

async function limitsOf({ host, device }: LayerAt, found: Measured): Promise<Limits> {
  const { type, blocks, blockSize } = found;
  const size = blocks * blockSize;
  if (!resizable.some((each) => each === type))
    return fixed(size, `bofh cannot change the size of a ${type}`);
  const grow = await mayGrow(host, device.path, found);
  const least = await leastOf(host, device.path, found);
  return {
    ...{ size, granularity: blockSize, overhead: 0 },
    smallest: { size: least.blocks * blockSize, why: least.why },
    grow,
    shrink: grow.may ? await mayShrink(host, device.path, found) : grow,
  };
}

async function mayGrow(host: LayerAt['host'], path: string, found: Measured): Promise<May> {
  const { type, mounts, ext, btrfs } = found;
  const who = await theirs(host, path);
  const remedy = remedyFor(who);
  if (who.length > 0) return { may: false, why: `it is in use: ${inWords(who)}`, ...present({ remedy }) };
  if (btrfs !== undefined && btrfs.devices !== 1)
    return {
      may: false,
      why: `it is on ${String(btrfs.devices)} devices, and bofh resizes only a btrfs on one device`,
    };
  if (ext?.state === 'errors')
    return { may: false, why: `the ${type} has errors`, remedy: `unmount it, then: e2fsck -f ${path}` };
  if (mounts.length > 0 && (await visible(host, mounts.filter(isWritable))) === undefined)
    return {
      ...{ may: false, why: 'it is mounted read-only, or where another mount hides it' },
      remedy: `mount it for writing, or unmount it: umount ${inShell(path)}`,
    };
  return { may: true };
}

async function mayShrink(host: LayerAt['host'], path: string, { type, mounts, ext }: Measured): Promise<May> {
  if (type === 'xfs')
    return {
      ...{ may: false, why: 'an xfs cannot be shrunk' },
      remedy: 'create a new, smaller filesystem and copy the files; or keep its size',
    };
  if (ext === undefined || mounts.length === 0)
    return isSettled({ ext, mounts })
      ? { may: true }
      : { may: false, why: unsettled(type), remedy: toSettle(path) };
  const all = await holders(host, path);
  const remedy = remedyFor(all);
  return {
    ...{ may: false, why: `an ${type} cannot be shrunk while it is ${inWords(all)}` },
    ...present({ remedy }),
  };
}
