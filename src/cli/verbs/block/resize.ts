import * as block from '../../../api/block.ts';
import { size as deviceSize } from '../../../blockdevice/index.ts';
import { type Bofh, withBofh } from '../../../bofh.ts';
import { parseKeyRef, type ReadHost } from '../../../command/index.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { type Bytes, formatSize } from '../../../core/units.ts';
import { membersOfStack } from '../../../replica/stack.ts';
import type { Answer } from '../../output/answer.ts';
import type { BlockResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { planned, twoHosts } from '../drbd/plan.ts';
import { sizeAmong } from '../../runtime/sizes.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { printable } from '../../output/text.ts';

export default verb({
  changes: true,
  // -1g looks like an option; an unknown option is refused as a size.
  dashes: true,
  args: { device: '<device>', size: '<size>' },
  options: {
    bare: flag('resize only the device; do not check its contents'),
    key: value(
      '<KEY>',
      'key of an encrypted device in the stack: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask',
      { read: parseKeyRef },
    ),
    on: value(
      '<HOST,HOST>',
      'the two hosts of a replicated disk in the stack, as ssh or the site file names them',
      { read: twoHosts },
    ),
  },
  examples: ['block resize /dev/vg0/web1 +5g', 'block resize /dev/vg0/web1 20g --key file:/root/web1.key'],
  run: (runtime, { device, size, bare, key, on }) => {
    const to = sizeOf(size);
    const what = bare ? ('device' as const) : ('stack' as const);
    const request = { device, to, what, ...present({ key, on }) };
    const look = async (bofh: Bofh) => {
      if (runtime.settings.mode === 'plan')
        return async () => {
          const members = await membersOfStack(bofh.engine, { host: bofh.host, ...request });
          return planned(runtime, { bofh, members }, async (simulated) => {
            await withBofh(simulated, () => block.resize(request));
          });
        };
      const isCut = bare && (await cuts(bofh.host, device, to));
      const loss = `${printable(device)} alone is cut: everything beyond its new end is lost`;
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

type Asked = { readonly size: Bytes } | { readonly by: Bytes } | 'min' | 'max';

/** UsageError for anything but `+5g`, `-1g`, `20g`, `min` or `max`. */
function sizeOf(text: string): Asked {
  if (text === 'min' || text === 'max') return text;
  const { sign, size } = /^(?<sign>[+-]?)(?<size>[^+-].*)$/.exec(text)?.groups ?? {};
  const forms = '20g, +5g, -1g, min or max';
  if (size === undefined)
    throw new UsageError(`"${text}" is not a size`, { remedy: `write for example ${forms}` });
  const bytes = sizeAmong(size, forms);
  if (sign === '') return { size: bytes };
  return { by: sign === '-' ? -bytes : bytes };
}

async function cuts(host: ReadHost, device: string, to: Asked): Promise<boolean> {
  if (typeof to === 'string') return to === 'min';
  return 'by' in to ? to.by < 0 : to.size < (await deviceSize(host, device));
}

function inWords({ layers, roundedFrom, granularity, warnings }: BlockResize): readonly string[] {
  const changed = layers.filter(({ when }) => when !== 'unchanged');
  if (changed.length === 0) return ['nothing to do: every layer keeps its size'];
  const rounded =
    roundedFrom === undefined
      ? []
      : [
          `rounded up from ${formatSize(roundedFrom)} to a multiple of ${formatSize(granularity)}, for all layers to fit`,
        ];
  return [
    ...changed.map(({ title, from, to }) => `${printable(title)}: ${formatSize(from)} → ${formatSize(to)}`),
    ...rounded,
    ...warnings.map(printable),
  ];
}
