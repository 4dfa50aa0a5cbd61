import * as filesystem from '../../../api/filesystem.ts';
import { withBofh } from '../../../bofh.ts';
import { give } from '../../output/answer.ts';
import type { FilesystemDetails } from '../../output/answers/index.ts';
import { fullness, percentOf } from '../../output/fullness.ts';
import type { Look } from '../../output/style.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { sizeInWords } from './size-in-words.ts';

export default verb({
  changes: false,
  answers: 'filesystem show',
  args: { device: ['<device>', 'block device, for example /dev/vg0/web1'] },
  examples: ['filesystem show /dev/vg0/web1'],
  run: async (runtime, { device }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const data: FilesystemDetails = await withBofh(bofh, () => filesystem.show(device));
    give(runtime, { data, lines: detailsInWords(data, device, runtime.terminal.look) });
    return 0;
  },
});

function detailsInWords(of: FilesystemDetails, typed: string, { paint }: Look): readonly string[] {
  // The node of a volume, such as /dev/dm-3, tells people nothing.
  const device = typed === of.device ? typed : `${typed} (${of.device})`;
  const percent = of.used === null ? undefined : percentOf(of.used, of.size);
  const rows: readonly (readonly [string, string])[] = [
    ['device', printable(device)],
    ['type', of.type],
    ['uuid', of.uuid],
    ['label', of.label === null ? '-' : printable(of.label)],
    ['size', sizeInWords(of.size)],
    ['used', paint(fullness(percent), sizeInWords(of.used))],
    ['free', sizeInWords(of.free)],
    ['minimum', of.minimumSize === of.size ? 'its size: it cannot be shrunk' : sizeInWords(of.minimumSize)],
    ['block', `${String(of.blockSize)} B`],
    ['mounted', of.mountedOn.length === 0 ? 'no' : of.mountedOn.map(printable).join(', ')],
  ];
  return rows.map(([name, value]) => `${name.padEnd(8)} ${value}`);
}
