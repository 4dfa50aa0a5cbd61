import * as block from '../api/block.ts';
import { formatSize } from '../units.ts';
import type { Answer } from './answer.ts';
import type { BlockImageCreate } from './answers/index.ts';
import { change } from './change.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { pathOn } from './session.ts';
import { printable } from './text.ts';

/** `bofh block image create FILE SIZE` */
export async function create(
  runtime: Runtime,
  { file, size }: { readonly file: string; readonly size: string },
  options: Options,
): Promise<number> {
  const room = options.allocate === true ? 'allocated' : 'sparse';
  return change(runtime, {
    act: () => block.createImage({ file: pathOn(runtime, file), size, room }),
    answer: (made): Answer<BlockImageCreate> => ({
      data: { ...made, room },
      lines: [`${printable(made.file)} is made: ${formatSize(made.size)}, ${room}`],
    }),
  });
}
