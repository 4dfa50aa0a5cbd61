import { openers } from '../devices.ts';
import { one, readOptions, unmodelled } from '../options.ts';
import { resolve } from '../resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';
import { deviceAt } from './device-at.ts';
import { newHeaderFile } from './crypt-header.ts';
import { luks1Text, luks2Json } from './crypt-text.ts';
import { isKdf, luksAt, newSlot, noLuks, only, putHeader } from './luks.ts';

/** `cryptsetup isLuks` */
export function isLuks(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--type'] });
  const found = luksAt(call.world, only(call, options));
  if (found === 'missing') return noLuks(only(call, options), found);
  const same = found !== 'none' && one(options, '--type') === `luks${found.version}`;
  return { exitCode: same ? 0 : 1, stdout: '', stderr: '' };
}

/** `cryptsetup luksDump`: of LUKS2 the metadata, of LUKS1 the text. */
export function luksDump(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['--dump-json-metadata'] });
  const path = only(call, options);
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  const asJson = options.flags.size > 0;
  if (asJson && found.version === 1)
    return failed(1, 'Dump operation is not supported for this device type.');
  if (!asJson && found.version === 2) throw unmodelled(call, 'of LUKS2 it knows the metadata alone');
  return ok(asJson ? luks2Json(found) : luks1Text(path, found));
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
  // With its header elsewhere a device that is in use is formatted, exit 0.
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
