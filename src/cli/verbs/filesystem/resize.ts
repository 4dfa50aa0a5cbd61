import * as filesystem from '../../../api/filesystem.ts';
import { withBofh } from '../../../bofh.ts';
import type { Bytes } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemResize } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change, plan } from '../../runtime/change.ts';
import { sizeOrMax } from '../../runtime/sizes.ts';
import { verb } from '../../runtime/verb.ts';
import { sizeInWords } from './size-in-words.ts';

export default verb({
  changes: true,
  answers: 'filesystem resize',
  args: {
    device: ['<device>', 'block device, for example /dev/vg0/web1'],
    size: ['<size|max>', 'new size, for example 20g, or max: the size of the device'],
  },
  examples: ['filesystem resize /dev/vg0/web1 max'],
  run: (runtime, typed) => {
    const { device } = typed;
    const size = sizeOrMax(typed.size);
    const act = () => filesystem.resize({ device, size });
    return change<{ readonly size: Bytes }, FilesystemResize>(runtime, async (bofh) => {
      if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act);
      const { type, uuid, size: was } = await withBofh(bofh, () => filesystem.show(device));
      return {
        act,
        answer: (made): Answer<FilesystemResize> => {
          const data = { device, type, uuid, was, size: made.size };
          return { data, lines: [resizedInWords(data)] };
        },
      };
    });
  },
});

function resizedInWords({ device, type, was, size }: FilesystemResize): string {
  const of = `the ${type} on ${printable(device)}`;
  if (was === size) return `${of} has that size already: ${sizeInWords(size)}`;
  return `${of} has ${sizeInWords(size)} now; it had ${sizeInWords(was)}`;
}
