import { unmodelled, one, readOptions } from '../../options.ts';
import { type ToolModel, failed, ok, type ToolCall } from '../answer.ts';
import { luksHeaderBackup, luksHeaderRestore, newHeaderFile } from './header.ts';
import { close, open, resize, status } from './open.ts';
import { reencrypt, repair } from './reencrypt.ts';
import { dmsetupRename, dmsetupTable } from '../lvm/dmsetup.ts';
import { openers } from '../../world/devices.ts';
import { resolve } from '../../world/resolve.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { luks1Text } from './text.ts';
import { isKdf, luksAt, newSlot, noLuks, only, putHeader, opensSlot } from './luks.ts';
import { secondKeyPath } from '../../../command/index.ts';

const known: Readonly<Record<string, ToolModel>> = {
  luksAddKey,
  luksDump,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksKillSlot,
  open,
  close,
  reencrypt,
  repair,
  resize,
  status,
};

/** cryptsetup 2.6 and dmsetup 1.02, as far as bofh uses them. */
export const cryptTools: Readonly<Record<string, ToolModel>> = {
  cryptsetup: (call) => {
    const [verb = '', ...argv] = call.argv;
    const model = known[verb];
    if (model === undefined) throw unmodelled(call, 'the model does not know the verb');
    return model({ ...call, argv });
  },
  dmsetup: (call) => {
    const [verb = '', from = '', to = '', ...more] = call.argv;
    if (verb === 'table' && to === '') return dmsetupTable(call.world, from);
    if (verb !== 'rename' || to === '' || more.length > 0) throw unmodelled(call, 'it renames');
    return dmsetupRename(call.world, from, to);
  },
};

/** `cryptsetup luksDump` of LUKS1. */
function luksDump(call: ToolCall): ReturnType<ToolModel> {
  const path = only(call, readOptions(call, {}));
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (found.version === 2)
    throw unmodelled(call, 'bofh reads LUKS2 itself, because cryptsetup may repair it');
  return ok(luks1Text(path, found));
}

/** `cryptsetup luksFormat`, with the header on the device or in a file. */
function luksFormat(call: ToolCall): ReturnType<ToolModel> {
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

/** `cryptsetup luksAddKey`, into a free slot. */
function luksAddKey(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--batch-mode'],
    values: ['--key-slot', '--pbkdf', '--pbkdf-memory', '--iter-time', '--key-file'],
  });
  const { world, stdin, secondKey } = call;
  const [path = '', from, ...more] = options.words;
  const [kdf, number] = [one(options, '--pbkdf'), Number(one(options, '--key-slot'))];
  if (
    stdin === undefined ||
    secondKey === undefined ||
    from !== secondKeyPath ||
    more.length > 0 ||
    !isKdf(kdf)
  )
    throw unmodelled(call, 'it needs one key on stdin, and another one beside');
  const found = luksAt(world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (found.slots.some(({ slot }) => slot === number))
    return failed(1, `Key slot ${number} is full, please select another one.`);
  if (!opensSlot(found, stdin)) return failed(2, 'No key available with this passphrase.');
  const memory = Number(one(options, '--pbkdf-memory') ?? 0);
  const added = newSlot(world, { slot: number, kdf, memory, key: secondKey });
  putHeader(world, found, { ...found, slots: [...found.slots, added] });
  return ok();
}

/**
 * `cryptsetup luksKillSlot`: without a key on stdin it asks no question, and also removes the last
 * slot.
 */
function luksKillSlot(call: ToolCall): ReturnType<ToolModel> {
  const { words } = readOptions(call, { flags: ['--batch-mode'] });
  const [path = '', slot, ...more] = words;
  if (slot === undefined || more.length > 0 || call.stdin !== undefined)
    throw unmodelled(call, 'it takes a device and a slot, and no key');
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (!found.slots.some((each) => String(each.slot) === slot))
    return failed(1, `Keyslot ${slot} is not active.`);
  const slots = found.slots.filter((each) => String(each.slot) !== slot);
  putHeader(call.world, found, { ...found, slots });
  return ok('', 'Nothing to read on input.\n');
}

/** `cryptsetup luksErase`: removes every slot. */
function luksErase(call: ToolCall): ReturnType<ToolModel> {
  const path = only(call, readOptions(call, { flags: ['--batch-mode'] }));
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  putHeader(call.world, found, { ...found, slots: [] });
  return ok();
}
