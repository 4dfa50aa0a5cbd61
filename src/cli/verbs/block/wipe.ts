import * as block from '../../../api/block.ts';
import type { Answer } from '../../output/answer.ts';
import type { BlockDestroy, BlockWipe } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh block wipe DEVICE --overwrite UUID|TYPE` */
export async function wipe(runtime: Runtime, device: string, options: Options): Promise<number> {
  const overwrite = typeof options.overwrite === 'string' ? options.overwrite.split(',') : [];
  const loss = `${printable(device)} is blank afterwards, and what is on it now is not found any more: ${overwrite.map(printable).join(', ')}`;
  return change(runtime, {
    destroys: overwrite.length === 0 ? [] : [loss],
    act: () => block.wipe({ device, overwrite }),
    answer: ({ erased }): Answer<BlockWipe> => {
      const types = [...new Set(erased.map(({ type }) => type))];
      return {
        data: { device, erased: [...erased] },
        lines: [`${printable(device)} is blank now; erased: ${types.join(', ')}`],
      };
    },
  });
}

/** `bofh block discard DEVICE` and `bofh block zero DEVICE` */
export async function destroy(
  runtime: Runtime,
  { device, how }: { readonly device: string; readonly how: 'discard' | 'zero' },
  options: Options,
): Promise<number> {
  const overwrite = typeof options.overwrite === 'string' ? options.overwrite.split(',') : [];
  const what = overwrite.map((each) =>
    each === 'blank' ? 'whatever it is, for it has no signature' : printable(each),
  );
  const loss = `all that is on ${printable(device)} is lost for ever: ${what.join(', ')}`;
  const done = how === 'zero' ? 'is filled with zeros' : 'is discarded';
  return change(runtime, {
    destroys: what.length === 0 ? [] : [loss],
    act: () => block[how]({ device, overwrite }),
    answer: (): Answer<BlockDestroy> => ({
      data: { device, lost: overwrite },
      lines: [`${printable(device)} ${done}: nothing of what was on it is left`],
    }),
  });
}
