import { openers } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { newHeaderFile } from './header.ts';
import { luks1Text } from './text.ts';
import { isKdf, luksAt, newSlot, noLuks, only, putHeader } from './luks.ts';

/** `cryptsetup luksDump` of LUKS1. */
export function luksDump(call: ToolCall): ReturnType<ToolModel> {
  const path = only(call, readOptions(call, {}));
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (found.version === 2)
    throw unmodelled(call, 'bofh reads LUKS2 itself, because cryptsetup may repair it');
  return ok(luks1Text(path, found));
}

/** `cryptsetup luksFormat`, with the header on the device or in a file. */
export function luksFormat(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--batch-mode'],
    values: [
      ...['--type', '--uuid', '--label', '--pbkdf', '--pbkdf-memory', '--iter-time', '--key-file'],
      '--header',
    ],
  });
  const path = only(call, options);
  const { world, stdin } = call;
  const [uuid, kdf, label] = [one(options, '--uuid'), one(options, '--pbkdf'), one(options, '--label')];
  if (stdin === undefined || one(options, '--key-file') !== '-' || uuid === undefined || !isKdf(kdf))
    throw unmodelled(call, 'it needs its key on stdin, --uuid and --pbkdf');
  const device = deviceAt(world, path);
  const header = one(options, '--header');
  if (device === undefined) return noLuks(path, 'missing');
  // With its header in a file, cryptsetup formats even a device in use, with exit code 0.
  if (header === undefined && openers(world, device.number).length > 0)
    return failed(5, `Cannot exclusively open ${path}, device in use.`);
  const version = one(options, '--type') === 'luks1' ? '1' : '2';
  const memory = Number(one(options, '--pbkdf-memory') ?? 0);
  const superblock = { type: 'crypto_LUKS', usage: 'crypto', uuid, version } as const;
  const labelled = label === undefined ? superblock : { ...superblock, label };
  const made = { superblock: labelled, slots: [newSlot(world, { slot: 0, kdf, memory, key: stdin })] };
  if (header !== undefined && !resolve(world, header, 'follow').found)
    newHeaderFile(world, header, made, 0o600);
  else putHeader(world, header === undefined ? { device, path } : { device: undefined, path: header }, made);
  return ok();
}
