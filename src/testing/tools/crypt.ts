import { type Device, deviceByNumber, devices, dmName, freeMinor, openers } from '../devices.ts';
import { one, readOptions, unmodelled } from '../options.ts';
import type { CryptMapping } from '../parts.ts';
import { resolve } from '../resolve.ts';
import type { World } from '../world.ts';
import { secondKeyPath } from '../../command/index.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';
import { deviceAt } from './block.ts';
import { luksHeaderBackup, luksHeaderRestore, newHeaderFile } from './crypt-header.ts';
import { luks1Text, luks2Json } from './crypt-text.ts';
import { isKdf, type Luks, luksAt, luksOffset, newSlot, noLuks, only, putHeader, slotFor } from './luks.ts';

const known: Readonly<Record<string, ToolModel>> = {
  isLuks,
  luksAddKey,
  luksDump,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksKillSlot,
  open,
  close,
  resize,
  status,
};

/** cryptsetup 2.6 and dmsetup 1.02, as far as bofh asks them. */
export const cryptTools: Readonly<Record<string, ToolModel>> = {
  cryptsetup: (call) => {
    const [verb = '', ...argv] = call.argv;
    const model = known[verb];
    if (model === undefined) throw unmodelled(call, 'the verb is new to it');
    return model({ ...call, argv });
  },
  dmsetup: (call) => {
    const [verb = '', from = '', to = '', ...more] = call.argv;
    if (verb === 'table' && to === '') return dmsetupTable(call.world, from);
    if (verb !== 'rename' || to === '' || more.length > 0) throw unmodelled(call, 'it renames');
    return dmsetupRename(call.world, from, to);
  },
};

function isLuks(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--type'] });
  const found = luksAt(call.world, only(call, options));
  if (found === 'missing') return noLuks(only(call, options), found);
  const same = found !== 'none' && one(options, '--type') === `luks${found.version}`;
  return { exitCode: same ? 0 : 1, stdout: '', stderr: '' };
}

function luksDump(call: ToolCall): ReturnType<ToolModel> {
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
  if (!slotFor(found, stdin)) return failed(2, 'No key available with this passphrase.');
  const memory = Number(one(options, '--pbkdf-memory') ?? 0);
  const added = newSlot(world, { slot: number, kdf, memory, key: secondKey });
  putHeader(world, found, { ...found, slots: [...found.slots, added] });
  return ok();
}

/** Without a key on stdin it asks nothing, and takes the last one too. */
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

function luksErase(call: ToolCall): ReturnType<ToolModel> {
  const path = only(call, readOptions(call, { flags: ['--batch-mode'] }));
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  putHeader(call.world, found, { ...found, slots: [] });
  return ok();
}

function open(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--test-passphrase', '--readonly', '--allow-discards'],
    values: ['--type', '--key-file', '--key-slot', '--header'],
  });
  const { world, stdin } = call;
  const [path = '', name = '', ...more] = options.words;
  const test = options.flags.has('--test-passphrase');
  if (stdin === undefined || one(options, '--key-file') !== '-' || more.length > 0 || (name === '') !== test)
    throw unmodelled(call, 'it needs its key on stdin, a device, and a name unless it only tests');
  if (!test && dmNames(world).includes(name)) return failed(5, `Device ${name} already exists.`);
  const header = one(options, '--header');
  const found = luksAt(world, header ?? path);
  if (typeof found === 'string') return noLuks(path, found);
  if (!slotFor(found, stdin, one(options, '--key-slot')))
    return failed(2, 'No key available with this passphrase.');
  if (test) return ok();
  const device = deviceAt(world, path);
  const { uuid, version } = found;
  const offset = header === undefined ? luksOffset[version] : 0;
  if (device === undefined) throw unmodelled(call, 'a file is no device to open');
  if (openers(world, device.number).length > 0)
    return failed(5, `Cannot use device ${path} which is in use (already mapped or mounted).`);
  openMapping(
    world,
    { device, uuid, version, offset },
    { name, mode: options.flags.has('--readonly') ? 'ro' : 'rw' },
  );
  return ok();
}

/** What the kernel does when it opens one; also an administrator's. */
export function openMapping(
  world: World,
  {
    device,
    uuid,
    version,
    offset,
  }: Pick<Luks, 'uuid' | 'version'> & { readonly device: Device; readonly offset: number },
  { name, mode }: Pick<CryptMapping, 'name' | 'mode'>,
): CryptMapping {
  const storage = `crypt:${uuid}:${device.storage}`;
  if (!world.live.has(storage)) world.live.set(storage, {});
  const made: CryptMapping = {
    ...{ number: `${world.dmMajor}:${freeMinor(world)}`, name, lower: device.number, offset, mode, storage },
    dmUuid: `CRYPT-LUKS${version}-${uuid.replaceAll('-', '')}-${name}`,
    size: device.size - offset,
  };
  world.mappings = [...world.mappings, made];
  return made;
}

function close(call: ToolCall): ReturnType<ToolModel> {
  const name = only(call, readOptions(call, {}));
  const { world } = call;
  const mapping = world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return failed(4, `Device ${name} is not active.`);
  if (openers(world, mapping.number).length > 0) return failed(5, `Device ${name} is still in use.`);
  world.mappings = world.mappings.filter((each) => each !== mapping);
  return ok();
}

function resize(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--device-size', '--key-file'] });
  const name = only(call, options);
  const { world, stdin } = call;
  const mapping = world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return failed(4, `Device ${name} is not active.`);
  const lower = deviceByNumber(world, mapping.lower);
  const size = Number(one(options, '--device-size'));
  if (!Number.isSafeInteger(size)) throw unmodelled(call, 'it needs --device-size');
  const version = mapping.dmUuid.startsWith('CRYPT-LUKS1-') ? 1 : 2;
  if (version === 2 && stdin === undefined) return failed(1, 'Nothing to read on input.');
  const luks = lower === undefined ? 'missing' : luksAt(world, `/dev/${lower.name}`);
  // A plan knows no real header: there every key opens it.
  if (typeof luks === 'object' && version === 2 && !slotFor(luks, stdin ?? ''))
    return failed(2, 'No key available with this passphrase.');
  if (lower !== undefined && size > lower.size - mapping.offset)
    return failed(4, `Device ${name} is too small.`);
  mapping.size = size;
  return ok();
}

function status(call: ToolCall): ReturnType<ToolModel> {
  const name = only(call, readOptions(call, {}));
  const mapping = call.world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return { exitCode: 4, stdout: `/dev/mapper/${name} is inactive.\n`, stderr: '' };
  const { dmUuid, lower, size, mode, offset } = mapping;
  const [, type = ''] = dmUuid.split('-');
  const device = deviceByNumber(call.world, lower);
  const isUsed = openers(call.world, mapping.number).length > 0;
  const path =
    device?.lv === undefined
      ? `/dev/${device?.name ?? ''}`
      : `/dev/mapper/${dmName(device.lv.vg.name, device.lv.lv.name)}`;
  return ok(
    [
      `/dev/mapper/${name} is active${isUsed ? ' and is in use' : ''}.`,
      `  type:    ${type}`,
      '  cipher:  aes-xts-plain64',
      '  keysize: 512 bits',
      `  key location: ${type === 'LUKS2' ? 'keyring' : 'dm-crypt'}`,
      `  device:  ${path}`,
      '  sector size:  512',
      `  offset:  ${offset / 512} sectors`,
      `  size:    ${size / 512} sectors`,
      `  mode:    ${mode === 'ro' ? 'readonly' : 'read/write'}`,
      '',
    ].join('\n'),
  );
}

/** Every name of device-mapper. */
function dmNames(world: World): readonly string[] {
  return devices(world).flatMap(({ lv, mapping }) =>
    lv === undefined ? (mapping?.name ?? []) : dmName(lv.vg.name, lv.lv.name),
  );
}

/** Where an open device lies; its key is in the kernel's keyring (cryptsetup 2.6 with LUKS2). */
function dmsetupTable(world: World, name: string): ReturnType<ToolModel> {
  const mapping = world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return failed(1, `Device ${name} not found\nCommand failed.`);
  const place = `${mapping.lower} ${mapping.offset / 512}`;
  return ok(`0 ${mapping.size / 512} crypt aes-xts-plain64 :64:logon:cryptsetup:key 0 ${place}\n`);
}

/** The kernel refuses a name that another mapping or volume has. */
function dmsetupRename(world: World, from: string, to: string): ReturnType<ToolModel> {
  const mapping = world.mappings.find(({ name }) => name === from);
  const refused = `device-mapper: rename ioctl on ${from}  failed: `;
  if (mapping === undefined) return failed(1, `${refused}No such device or address\nCommand failed.`);
  if (dmNames(world).includes(to)) return failed(1, `${refused}Device or resource busy\nCommand failed.`);
  mapping.name = to;
  return ok();
}
