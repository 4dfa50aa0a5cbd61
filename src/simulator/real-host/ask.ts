import type { Command } from '../../command/index.ts';
import { deviceByNumber } from '../world/devices.ts';
import { isModelled } from '../world/header-file.ts';
import { unmodelled } from '../options.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';

/** A way to ask the real host itself. Its own reader takes the answer; only how the question is put may differ. */
export function ask<T>({ real }: Overlay, command: Command<T>, argv = command.argv): () => Promise<T> {
  if (command.access !== 'read') throw unmodelled(command, 'a plan changes nothing');
  return () => real.run({ ...command, argv, access: 'read' });
}

/** A device whose content the model has written is the model's; a renamed one is asked for by its number. */
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
  if (device !== undefined && world.live.has(device.storage)) return undefined;
  const node = device === undefined ? there.path : `/dev/${device.name}`;
  const words = [...command.argv.slice(0, -1), `${option}${node}`];
  return ask(overlay, device === undefined ? command : grownBy(command, device.size), words);
}

/** What the plan has enlarged the real host has not: behind the end of its device nothing has been written yet. */
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

/** A read whose answer is the text as it stands. */
export function textOf(tool: Command<string>['tool'], argv: readonly string[]) {
  return { tool, argv, access: 'read', parse: ({ stdout }: { readonly stdout: string }) => stdout } as const;
}
