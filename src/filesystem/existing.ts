import { ensurable, incomparable } from '../atomic/ensure.ts';
import { keysOf, probe, probeFile } from '../blockdevice/index.ts';
import { parseSize } from '../core/units.ts';
import { checkArgs } from './checks.ts';
import { info } from './info.ts';
import * as operations from './operations.ts';

/**
 * Creates a filesystem or swap, or does nothing if the device has it. Compares type, label, uuid
 * and blockSize. A blank device gets the filesystem, even a volume that another program has created
 * and not written to yet.
 */
export const create = ensurable(operations.create, async (host, args) => {
  checkArgs(args);
  const { device, type, label, uuid, options = {} } = args;
  const { blockSize, ...others } = options;
  for (const option of Object.keys(others))
    throw incomparable(option, 'bofh does not read it of an existing filesystem');
  const found = await probe(host, device);
  if (found === undefined) return undefined;
  const { key, beneath } = await keysOf(host, device);
  const isSame = found.type === type && found.uuid !== undefined;
  const size = isSame && blockSize !== undefined ? (await info(host, device)).blockSize : undefined;
  return {
    what: `${found.type} on ${device}`,
    keys: [key, ...beneath],
    compared: {
      type: [type, found.type],
      label: [label, found.label],
      uuid: [uuid, found.uuid],
      blockSize: [blockSize, size],
    },
    value: found.uuid === undefined ? undefined : { uuid: found.uuid },
    show: `bofh filesystem show ${device}`,
  };
});

/**
 * Creates an image file with a filesystem in it, or does nothing if a file with these properties
 * exists.
 */
export const createImage = ensurable(operations.createImage, async (host, args) => {
  const { file, size, type, label, uuid, mode, room, options = {}, ...unread } = args;
  const [more] = [...Object.keys(options), ...Object.keys(unread), ...(room === undefined ? [] : ['room'])];
  if (more !== undefined) throw incomparable(more, 'bofh does not read it of an existing image');
  const stat = await host.stat(file);
  if (stat === undefined) return undefined;
  const bytes = parseSize(size);
  const found = stat.kind === 'file' ? await probeFile(host, file) : undefined;
  return {
    what: `the ${stat.kind} ${file}`,
    keys: [`file:${file}`],
    compared: {
      kind: ['file', stat.kind],
      size: [bytes, stat.size],
      mode: [mode, stat.mode],
      type: [type, found?.type],
      label: [label, found?.label],
      uuid: [uuid, found?.uuid],
    },
    value: found?.uuid === undefined ? undefined : { file, size: bytes, uuid: found.uuid },
    show: `blkid --probe ${file}`,
  };
});
