import * as filesystem from '../../../api/filesystem.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemLabel } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';

/** Without a label, or with an empty one, it removes the label. */
export default verb({
  changes: true,
  answers: 'filesystem label',
  args: {
    device: ['<device>', 'block device, for example /dev/vg0/web1'],
    label: ['[label]', 'new label (default: remove the label)'],
  },
  examples: ['filesystem label /dev/vg0/web1 web1'],
  run: (runtime, { device, label = '' }) => {
    const asked = { device, label: label === '' ? null : label };
    return change(runtime, {
      act: () => filesystem.label(asked),
      answer: (made): Answer<FilesystemLabel> => {
        const named = made.label === null ? 'no label' : `the label ${JSON.stringify(printable(made.label))}`;
        return { data: { device, ...made }, lines: [`${printable(device)} has ${named} now`] };
      },
    });
  },
});
