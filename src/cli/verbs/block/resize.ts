import * as block from '../../../api/block.ts';
import { size as deviceSize } from '../../../blockdevice/index.ts';
import type { Bofh } from '../../../connect.ts';
import type { ReadHost } from '../../../command/index.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { BlockResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { flag, verb } from '../../runtime/verb.ts';
import { printable } from '../../output/text.ts';
import { type Asked, inWords, plannedStack, sizeOf, stackOptions } from './resizing.ts';

export default verb({
  changes: true,
  answers: 'block resize',
  // -1g looks like an option; an unknown option is refused as a size.
  dashes: true,
  args: {
    device: ['<device>', 'block device, for example /dev/vg0/web1'],
    size: [
      '<size>',
      'new size (20g), change (+5g, -1g), min: as small as possible, or max: as large as possible',
    ],
  },
  options: {
    bare: flag('resize only the device, not its content; refused if it would shrink a device with content'),
    ...stackOptions,
  },
  examples: ['block resize /dev/vg0/web1 +5g', 'block resize /dev/vg0/web1 20g --key file:/root/web1.key'],
  run: (runtime, { device, size, bare, key, on }) => {
    const to = sizeOf(size);
    const what = bare ? ('device' as const) : ('stack' as const);
    const request = { device, to, what, ...present({ key, on }) };
    const look = async (bofh: Bofh) => {
      if (runtime.settings.mode === 'plan')
        return () => plannedStack(runtime, bofh, request, () => block.resize(request));
      const isCut = bare && (await cuts(bofh.host, device, to));
      const loss = `only ${printable(device)} will be shrunk, not its content: all data after the new end will be lost`;
      return {
        destroys: isCut ? [loss] : [],
        act: () => block.resize(request),
        answer: (made: Resized): Answer<BlockResize> => {
          const data = { device, ...made, warnings: [...made.warnings], layers: [...made.layers] };
          return { data, lines: inWords(data) };
        },
      };
    };
    return change(runtime, look, { site: 'used' });
  },
});

type Resized = Awaited<ReturnType<typeof block.resize>>;

async function cuts(host: ReadHost, device: string, to: Asked): Promise<boolean> {
  if (typeof to === 'string') return to === 'min';
  return 'by' in to ? to.by < 0 : to.size < (await deviceSize(host, device));
}
