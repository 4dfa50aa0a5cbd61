import * as filesystem from '../../../api/filesystem.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemRepair } from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh filesystem check DEVICE --repair` */
export async function repair(
  runtime: Runtime,
  device: string,
  { repair: isAsked, mayLoseFiles }: Options,
): Promise<number> {
  if (isAsked !== true)
    throw new UsageError('--may-lose-files says how to repair', { remedy: 'with it goes --repair' });
  const asked = { device, ...(mayLoseFiles === true ? { files: 'may be lost' as const } : {}) };
  const act = () => filesystem.repair(asked);
  return change<unknown>(runtime, async (bofh) => {
    if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act);
    const { type = '', uuid = null } = (await withBofh(bofh, () => filesystem.probe(device))) ?? {};
    const loss = `What is wrong in the ${type} on ${printable(device)} is mended without a question: files in it may be lost.`;
    return {
      destroys: mayLoseFiles === true ? [loss] : [],
      act,
      answer: (): Answer<FilesystemRepair> => ({
        data: { device, type, uuid },
        lines: [`the ${type} on ${printable(device)} is repaired: it is clean now`],
      }),
    };
  });
}
