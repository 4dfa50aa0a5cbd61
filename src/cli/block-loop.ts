import * as block from '../api/block.ts';
import { withBofh } from '../bofh.ts';
import { formatSize, parseSize } from '../units.ts';
import { give } from './answer.ts';
import type { BlockLoopAttach, BlockLoopDetach, BlockLoopList } from './answers/index.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, pathOn, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh block loop list` */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const found = await withBofh(bofh, () => block.loops());
  const data: BlockLoopList = found.map(({ device, file, inode, offset, limit, ...how }) => ({
    ...{ device, file, inode, offset, size: limit === 0 ? null : limit },
    ...{ mode: how.mode, partitions: how.partitions, autoclear: how.autoclear },
  }));
  give(runtime, {
    data,
    head: ['DEVICE', 'FILE', 'OFFSET', 'SIZE', 'MODE', 'PARTITIONS', 'STAYS'],
    rows: data.map((each) => [
      each.device,
      printable(each.file),
      String(each.offset),
      each.size === null ? 'whole' : formatSize(each.size),
      each.mode,
      each.partitions,
      each.autoclear ? 'until nobody uses it' : 'yes',
    ]),
    none: 'no loop device has a file',
  });
  return 0;
}

/** `bofh block loop attach FILE`: with `--adopt` a device that shows the very part in the same way will do. */
export async function attach(runtime: Runtime, path: string, options: Options): Promise<number> {
  const file = pathOn(runtime, path);
  const asked = {
    file,
    mode: options.readOnly === true ? 'ro' : 'rw',
    partitions: options.partitions === true ? 'scanned' : 'ignored',
    ...(typeof options.offset === 'string' && options.offset !== '0' ? { offset: options.offset } : {}),
    ...(typeof options.size === 'string' ? { size: options.size } : {}),
  } as const;
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (options.adopt === true) {
    const there = await untilInterrupted(
      runtime,
      withBofh(bofh, () => attachedAs(asked)),
    );
    if (there !== undefined) return said(runtime, { device: there.device, file, was: 'adopted' });
  }
  const act = () => block.attachLoop(asked);
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return dryRun(runtime, bofh, act);
  }
  const { device } = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  return said(runtime, { device, file, was: 'attached' });
}

/** `bofh block loop detach DEVICE` */
export async function detach(runtime: Runtime, device: string): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const act = () => block.detachLoop({ device });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return dryRun(runtime, bofh, act);
  }
  const data: BlockLoopDetach = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  give(runtime, { data, lines: [`${data.device} is detached from ${printable(data.file)}`] });
  return 0;
}

/** A device that shows this part of the file already, just as it is asked for, and is not about to go. */
async function attachedAs(asked: {
  readonly file: string;
  readonly mode: 'ro' | 'rw';
  readonly partitions: 'scanned' | 'ignored';
  readonly offset?: string;
  readonly size?: string;
}): Promise<block.LoopDevice | undefined> {
  const offset = asked.offset === undefined ? 0 : parseSize(asked.offset);
  const limit = asked.size === undefined ? 0 : parseSize(asked.size);
  const { mode, partitions } = asked;
  return block.loopOver({ file: asked.file, offset, limit, mode, partitions });
}

function said(runtime: Runtime, data: BlockLoopAttach): number {
  const how = data.was === 'adopted' ? 'is attached already, as' : 'is attached as';
  give(runtime, { data, lines: [`${printable(data.file)} ${how} ${data.device}`] });
  return 0;
}
