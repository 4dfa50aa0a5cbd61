import type { Answer } from '../../../command/index.ts';
import { areaOf } from '../../../drbd/metadata.ts';
import { openers } from '../../world/devices.ts';
import { unmodelled } from '../../options.ts';
import { settle, type World } from '../../world/world.ts';
import { failed, ok, type ToolCall } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { withMetadata, withoutMetadata } from './bytes.ts';
import { blocksOf, magicsOf } from '../blockdevice/magics.ts';
import { withoutSectors } from '../blockdevice/sectors.ts';

/** drbdmeta 9.22, for internal metadata of module 8.4. */
export function drbdmeta(call: ToolCall): Answer {
  const force = call.argv[0] === '--force';
  const [minor = '', format, disk = '', where, verb, uuid, ...more] = force ? call.argv.slice(1) : call.argv;
  if (format !== 'v08' || where !== 'internal' || more.length > 0)
    throw unmodelled(call, 'it knows internal metadata of module 8.4');
  const { world } = call;
  // A resource without a disk does not prevent this (is_attached of drbdmeta.c, 9.22).
  const there = world.drbd.resources.flatMap(({ volumes }) => volumes);
  if (there.some((each) => String(each.minor) === minor && each.disk !== 'Diskless'))
    return failed(20, `Device '${minor}' is configured!`);
  if (verb === 'create-md' && uuid === undefined) return createMd(world, { disk, force });
  if (verb === 'set-gi' && force && uuid !== undefined) return setGeneration(world, disk, uuid);
  if (verb !== 'write-dev-uuid' || uuid === undefined)
    throw unmodelled(call, 'it knows create-md, set-gi with --force, and write-dev-uuid');
  return nameMetadata(world, disk, uuid);
}

/** Creates metadata. drbdmeta asks about existing content, and without a terminal assumes no. */
export function createMd(
  world: World,
  { disk, force }: { readonly disk: string; readonly force: boolean },
): Answer {
  const device = deviceAt(world, disk);
  if (device === undefined) return failed(20, `open(${disk}) failed: No such file or directory`);
  if (openers(world, device.number).length > 0)
    return failed(
      20,
      `open(${disk}) failed: Device or resource busy\n\nExclusive open failed. Do it anyways?`,
    );
  const content = world.live.get(device.storage) ?? {};
  const area = areaOf(device.size, {});
  if (reachesInto(world, device.storage, area.from))
    return failed(
      40,
      '',
      'Device size would be truncated, which\nwould corrupt data\nOperation refused.\n\n',
    );
  const isBlank = blocksOf(content, 0, 68 * 1024).every((byte) => byte === 0);
  if (!force && (!isBlank || magicsOf(content, device.size).length > 0))
    return failed(
      1,
      '',
      ' ==> This might destroy existing data! <==\n\nDo you want to proceed?\n*** confirmation required but not a terminal\nOperation canceled.\n',
    );
  const bare = withoutSectors(withoutMetadata(content), area.from, area.length);
  const made = withMetadata(device, bare, { uuid: '0000000000000000', replica: 'Inconsistent' });
  world.live.set(device.storage, made);
  settle(world, device.storage);
  return ok(
    'initializing activity log\nWriting meta data...\nNew drbd meta data block successfully created.\n',
  );
}

/** Whether a filesystem, alone or below metadata, reaches beyond this offset. */
function reachesInto(world: World, storage: string, from: number): boolean {
  const content = world.live.get(storage);
  const superblock = content?.metadata?.beneath.superblock ?? content?.superblock;
  if (superblock?.usage !== 'filesystem' || superblock.blocks === undefined) return false;
  return superblock.blocks * (superblock.blockSize ?? 4096) > from;
}

/** `write-dev-uuid` */
export function nameMetadata(world: World, disk: string, uuid: string): Answer {
  const device = deviceAt(world, disk);
  const content = device === undefined ? undefined : world.live.get(device.storage);
  if (device === undefined || content?.superblock === undefined || content.metadata === undefined)
    return failed(255, 'No valid meta data found');
  world.live.set(device.storage, { ...content, superblock: { ...content.superblock, uuid } });
  settle(world, device.storage);
  return ok();
}

/** `set-gi UUID:0:0:0:1:1`: marks the data as complete and up to date. */
function setGeneration(world: World, disk: string, said: string): Answer {
  const generation = /^(?<uuid>[0-9a-f]{16}):0:0:0:1:1$/.exec(said)?.groups?.['uuid'];
  const device = deviceAt(world, disk);
  const content = device === undefined ? undefined : world.live.get(device.storage);
  if (generation === undefined) return failed(10, `Parse error at '${said}'`);
  if (device === undefined || content?.metadata === undefined) return failed(255, 'No valid meta data found');
  world.live.set(device.storage, { ...content, generation, replica: 'UpToDate' });
  settle(world, device.storage);
  return ok('\nWrite new GI to disk?\n*** confirmation forced via --force option ***\n');
}
