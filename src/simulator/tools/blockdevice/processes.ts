import { processUses } from '../../../blockdevice/holders/scan.ts';
import { unmodelled } from '../../options.ts';
import { statPath } from '../../world/files.ts';
import { mountNamespace } from '../../world/virtual.ts';
import type { World } from '../../world/world.ts';
import { ok, type ToolCall, type ToolModel } from '../answer.ts';

/**
 * `find /proc …` with `stat` and `grep`, as called by `processUses`: the working directory and the
 * open files of every process.
 */
export function scanProcesses(call: ToolCall): ReturnType<ToolModel> {
  const { argv } = processUses([]);
  const same = (word: string, at: number): boolean => word === argv[at] || word.startsWith('^[0-9a-f]');
  if (call.argv.length !== argv.length || !call.argv.every(same))
    throw unmodelled(call, 'it knows one way of asking what processes use');
  const { world } = call;
  const lines = [...world.held].flatMap(([path, { pid }]) => [
    `/proc/${pid}/ns/mnt 4 ${mountNamespace} 8124 0:0`,
    ...useOf(world, path, pid),
  ]);
  const first = [`/proc/1/ns/mnt 4 ${mountNamespace} 8124 0:0`, ...useOf(world, '/', 1)];
  return ok([...first, ...lines, ''].join('\n'));
}

function useOf(world: World, path: string, pid: number): readonly string[] {
  const [major, minor] = path.split(':').map((part) => Number(part).toString(16));
  if (/^\d+:\d+$/.test(path)) return [`/proc/${pid}/fd/3 5 99 61b0 ${major ?? ''}:${minor ?? ''}`];
  const stat = statPath(world, path);
  if (stat === undefined) return [];
  const isDirectory = stat.kind === 'directory';
  const where = isDirectory ? 'cwd' : 'fd/3';
  return [`/proc/${pid}/${where} ${encoded(stat.device)} ${stat.inode} ${isDirectory ? '41ed' : '81a4'} 0:0`];
}

/** gnu_dev_makedev of glibc, for the small numbers of the model. */
function encoded(device: string): number {
  const [major = 0, minor = 0] = device.split(':').map(Number);
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}
