import { recognise, type Signature } from '../../blockdevice/index.ts';
import { blkidProbe } from '../../blockdevice/commands.ts';
import type { Command } from '../../command/index.ts';
import { type Device, deviceByNumber, loopOf } from '../world/devices.ts';
import { isModelled } from '../world/header-file.ts';
import { unmodelled } from '../options.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';
import { UnknownInPlan } from './unknown.ts';

/**
 * Returns a function that asks the real host itself. The parser of the command gets the answer;
 * only the argv may differ.
 */
export function ask<T>({ real }: Overlay, command: Command<T>, argv = command.argv): () => Promise<T> {
  if (command.access !== 'read') throw unmodelled(command, 'a plan changes nothing');
  return () => real.run({ ...command, argv, access: 'read' });
}

/**
 * Returns the path at which the real host has the content of a device: by its number there, or the
 * file that the plan attaches. Undefined: the device exists only in the plan, or the plan has
 * written to it, so the model answers. Throws UnknownInPlan for content that the plan cannot know.
 */
export function realNode(overlay: Overlay, world: World, device: Device): string | undefined {
  const { name, number, storage, size } = device;
  if (size === 0) return undefined;
  const known = world.live.get(storage);
  if (known?.unread === true && known.superblock === undefined)
    throw new UnknownInPlan(`cannot tell what is on /dev/${name}: ${whyUnread(device)}`, {
      remedy: 'plan the part before it, run that, then plan the rest',
    });
  if (known !== undefined) return undefined;
  const there = storage.startsWith('real:')
    ? storage.slice('real:'.length)
    : overlay.volumes.get(storage.slice('lv:'.length))?.number;
  if (there === number) return `/dev/${name}`;
  if (there !== undefined) {
    const [major = '', minor = ''] = there.split(':');
    return `/dev/${Number(major) === world.dmMajor ? 'dm-' : 'loop'}${minor}`;
  }
  const loop = loopOf(world, number);
  if (loop === undefined || !loop.storage.startsWith('file:overlay@')) return undefined;
  const file = resolve(world, loop.path, 'follow');
  if (!file.found || file.inode.real === undefined) return undefined;
  if (loop.offset > 0 || loop.limit > 0)
    throw new UnknownInPlan(`cannot tell what is on /dev/${name}: it is a part of ${loop.path}`, {
      remedy: 'attach it first, then plan the rest',
    });
  return file.inode.realPath ?? file.path;
}

/** Returns the content of a path; blkid reads a device and an image in the same way. */
export async function realContent({ real }: Overlay, node: string): Promise<Signature | undefined> {
  return (await real.stat(node))?.kind === 'file' ? real.run(blkidProbe(node)) : recognise(real, node);
}

function whyUnread({ mapping, lv }: Device): string {
  if (mapping !== undefined) return 'a plan does not open a LUKS device';
  return lv === undefined ? 'a plan does not read it' : 'the volume is not active';
}

/**
 * Returns a function that asks the real host about a device, by its number there if the plan
 * renamed it; undefined: the plan has written to it, so the model answers.
 */
export function askDevice<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): (() => Promise<T>) | undefined {
  const [, option = '', path = ''] = /^(?<option>if=)?(?<path>.*)$/s.exec(command.argv.at(-1) ?? '') ?? [];
  const there = resolve(world, path, 'follow');
  if (!there.found) return undefined;
  if (isModelled(there.inode)) return undefined;
  const device = deviceByNumber(world, there.inode.node);
  const node = device === undefined ? there.path : realNode(overlay, world, device);
  if (node === undefined) return undefined;
  const words = [...command.argv.slice(0, -1), `${option}${node}`];
  if (device === undefined) return ask(overlay, command, words);
  if (command.tool === 'dumpe2fs') refuseMounted(overlay, world, device);
  return ask(overlay, grownBy(command, device.size), words);
}

/**
 * Throws UnknownInPlan for a device that is unmounted only in the plan: on the real host it is still mounted, and the
 * superblock of a mounted ext4 is not up to date.
 */
function refuseMounted({ mounted }: Overlay, world: World, { name, number }: Device): void {
  if (!mounted.has(number) || world.mounts.some(({ device }) => device === number)) return;
  throw new UnknownInPlan(
    `cannot tell what is on /dev/${name}: it is still mounted, and only the plan unmounts it`,
    {
      remedy: 'plan the part before it, run that, then plan the rest',
    },
  );
}

/**
 * Pads the answer of dd with zeros: the plan may have enlarged a device that is smaller on the real
 * host, and nothing has been written after its real end yet.
 */
function grownBy<T>(command: Command<T>, size: number): Command<T> {
  if (command.tool !== 'dd') return command;
  const number = (word: string): number =>
    Number(command.argv.find((each) => each.startsWith(`${word}=`))?.slice(word.length + 1));
  const [skip, count] = [number('skip'), number('count')];
  const isInside = skip + count <= Math.ceil(size / 4096) * 4096;
  return {
    ...command,
    parse: (answer) =>
      command.parse(isInside ? { ...answer, stdout: answer.stdout.padEnd(count, '\0') } : answer),
  };
}

/** Returns a read whose answer is the unchanged text. */
export function textOf(tool: Command<string>['tool'], argv: readonly string[]) {
  return { tool, argv, access: 'read', parse: ({ stdout }: { readonly stdout: string }) => stdout } as const;
}
