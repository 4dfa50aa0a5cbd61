import * as block from '../../../api/block.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize, parseSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { BlockLoopAttach, BlockLoopDetach, BlockLoopList } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, pathOn } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

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
  return change<{ readonly device: string }>(runtime, async (bofh) => {
    const there = options.adopt === true ? await withBofh(bofh, () => attachedAs(asked)) : undefined;
    if (there !== undefined)
      return () => {
        give(runtime, said({ device: there.device, file, was: 'adopted' }));
        return 0;
      };
    return {
      act: () => block.attachLoop(asked),
      answer: ({ device }) => said({ device, file, was: 'attached' }),
    };
  });
}

/** `bofh block loop detach DEVICE` */
export async function detach(runtime: Runtime, device: string): Promise<number> {
  return change(runtime, {
    act: () => block.detachLoop({ device }),
    answer: (data): Answer<BlockLoopDetach> => ({
      data,
      lines: [`${data.device} is detached from ${printable(data.file)}`],
    }),
  });
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

function said(data: BlockLoopAttach): Answer<BlockLoopAttach> {
  const how = data.was === 'adopted' ? 'is attached already, as' : 'is attached as';
  return { data, lines: [`${printable(data.file)} ${how} ${data.device}`] };
}
