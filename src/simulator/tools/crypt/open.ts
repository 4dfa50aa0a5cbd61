import { type Device, deviceByNumber, dmName, freeMinor, openers } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { anyKey } from '../../world/keys.ts';
import type { CryptMapping } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { dmNames } from '../lvm/dmsetup.ts';
import { type Luks, luksAt, luksOffset, noLuks, only, opensSlot } from './luks.ts';

/** `cryptsetup open`, and its test of a key. */
export function open(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--test-passphrase', '--readonly', '--allow-discards'],
    values: ['--type', '--token-type', '--key-file', '--key-slot', '--header'],
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
  const wanted = one(options, '--key-slot');
  // As recorded (open-test-blank-slot).
  if (!found.slots.some(({ slot }) => wanted === undefined || String(slot) === wanted))
    return failed(1, 'No usable keyslot is available.');
  if (!opensSlot(found, stdin, wanted)) return failed(2, 'No key available with this passphrase.');
  if (test) return ok();
  const device = deviceAt(world, path);
  const { uuid, version } = found;
  const offset = header === undefined ? luksOffset[version] : 0;
  if (device === undefined) throw unmodelled(call, 'it opens a device, not a file');
  if (openers(world, device.number).length > 0)
    return failed(5, `Cannot use device ${path} which is in use (already mapped or mounted).`);
  openMapping(
    world,
    { device, uuid, version, offset },
    {
      ...{ name, mode: options.flags.has('--readonly') ? 'ro' : 'rw' },
      ...(options.flags.has('--allow-discards') ? { discards: true } : {}),
    },
  );
  return ok();
}

/** Adds the mapping of an opened LUKS device. Also used when an administrator of the simulated host opens it. */
export function openMapping(
  world: World,
  {
    device,
    uuid,
    version,
    offset,
  }: Pick<Luks, 'uuid' | 'version'> & { readonly device: Device; readonly offset: number },
  { name, mode, ...more }: Pick<CryptMapping, 'name' | 'mode' | 'discards'>,
): CryptMapping {
  const storage = openBefore(world, device) ?? `crypt:${uuid}:${device.storage}`;
  if (!storage.startsWith('real:') && !world.live.has(storage))
    world.live.set(storage, isOfRealHost(world, device) ? { unread: true } : {});
  const made: CryptMapping = {
    ...{
      number: `${world.dmMajor}:${freeMinor(world)}`,
      name,
      lower: device.number,
      offset,
      mode,
      storage,
      ...more,
    },
    dmUuid: `CRYPT-LUKS${version}-${uuid.replaceAll('-', '')}-${name}`,
    size: device.size - offset,
  };
  world.mappings = [...world.mappings, made];
  return made;
}

/**
 * Returns the storage of the open mapping on the real host, if the real host has opened this
 * device.
 */
function openBefore({ overlay }: World, { number, storage }: Device): string | undefined {
  if (!storage.startsWith('real:') && overlay?.volumes.has(storage.slice('lv:'.length)) !== true)
    return undefined;
  const found = [...(overlay?.mappings ?? [])].find(([, { lower }]) => lower === number);
  return found === undefined ? undefined : `real:${found[0]}`;
}

/** Whether the header is from a real host: then a plan has no key, and cannot know the data. */
function isOfRealHost({ live }: World, { storage }: Device): boolean {
  return live.get(storage)?.luks?.slots.some(({ key }) => key === anyKey) === true;
}

/** `cryptsetup close` */
export function close(call: ToolCall): ReturnType<ToolModel> {
  const name = only(call, readOptions(call, {}));
  const { world } = call;
  const mapping = world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return failed(4, `Device ${name} is not active.`);
  if (openers(world, mapping.number).length > 0) return failed(5, `Device ${name} is still in use.`);
  world.mappings = world.mappings.filter((each) => each !== mapping);
  return ok();
}

/** `cryptsetup resize` */
export function resize(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['--device-size', '--key-file', '--header'] });
  const name = only(call, options);
  const { world, stdin } = call;
  const mapping = world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return failed(4, `Device ${name} is not active.`);
  const lower = deviceByNumber(world, mapping.lower);
  const size = Number(one(options, '--device-size'));
  if (!Number.isSafeInteger(size)) throw unmodelled(call, 'it needs --device-size');
  const version = mapping.dmUuid.startsWith('CRYPT-LUKS1-') ? 1 : 2;
  if (version === 2 && stdin === undefined) return failed(1, 'Nothing to read on input.');
  const header = one(options, '--header');
  const luks = lower === undefined ? 'missing' : luksAt(world, header ?? `/dev/${lower.name}`);
  if (luks === 'none' && world.overlay === undefined)
    throw unmodelled(call, 'its header is not on the device, and --header does not name its file');
  // A plan does not know the real header, so every key opens the device.
  if (typeof luks === 'object' && version === 2 && !opensSlot(luks, stdin ?? ''))
    return failed(2, 'No key available with this passphrase.');
  if (lower !== undefined && size > lower.size - mapping.offset)
    return failed(4, `Device ${name} is too small.`);
  mapping.size = size;
  return ok();
}

/** `cryptsetup status` */
export function status(call: ToolCall): ReturnType<ToolModel> {
  const name = only(call, readOptions(call, {}));
  const mapping = call.world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return { exitCode: 4, stdout: `/dev/mapper/${name} is inactive.\n`, stderr: '' };
  const { dmUuid, lower, size, mode, offset } = mapping;
  const [, type = ''] = dmUuid.split('-');
  const device = deviceByNumber(call.world, lower);
  const isUsed = openers(call.world, mapping.number).length > 0;
  const isReencrypted =
    device !== undefined && call.world.live.get(device.storage)?.luks?.reencryption !== undefined;
  const path =
    device?.lv === undefined
      ? `/dev/${device?.name ?? ''}`
      : `/dev/mapper/${dmName(device.lv.vg.name, device.lv.lv.name)}`;
  return ok(
    [
      `/dev/mapper/${name} is active${isUsed ? ' and is in use' : ''}.`,
      `  type:    ${type}`,
      ...(isReencrypted ? ['  reencryption:  in-progress'] : []),
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
