import type * as block from '../../../api/block.ts';
import type { Answer } from '../../output/answer.ts';
import type { BlockDestroy } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { commaList, value } from '../../runtime/verb.ts';

/** For verbs that erase a whole device. */
export const overwriteAll = value(
  '<UUID|TYPE,…>',
  'the UUID of each filesystem, table or header on the device, or its type if nothing else there has that type; "blank" for a device without a known signature, even if it contains data',
  { read: commaList },
);

/** Erases a whole device, after a confirmation; `done` is the word for it in the answer. */
export async function eraseDevice(
  runtime: Runtime<BlockDestroy>,
  asked: { readonly device: string; readonly overwrite: string[] },
  { act, done }: { readonly act: typeof block.zero | typeof block.discard; readonly done: string },
): Promise<number> {
  const { device, overwrite } = asked;
  const lost = overwrite.map((each) => (each === 'blank' ? 'data without a signature' : printable(each)));
  const loss = `all data on ${printable(device)} will be lost: ${lost.join(', ')}`;
  return change(runtime, {
    destroys: lost.length === 0 ? [] : [loss],
    checksFirst: true,
    act: () => act(asked),
    answer: (): Answer<BlockDestroy> => ({
      data: { device, lost: overwrite },
      lines: [`${printable(device)} ${done}: its content is lost`],
    }),
  });
}
