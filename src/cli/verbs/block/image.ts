import * as block from '../../../api/block.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { BlockImageCreate } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

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
