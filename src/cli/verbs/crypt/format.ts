import * as crypt from '../../../api/crypt.ts';
import { ensure } from '../../../api/ensure.ts';
import { withBofh } from '../../../bofh.ts';
import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptFormat } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { ensureFlag, unchanged } from '../../runtime/ensure.ts';
import { overwriteOf, sayingLoss } from '../../runtime/overwrite.ts';
import { pathOn } from '../../runtime/session.ts';
import { oneOf, value, verb } from '../../runtime/verb.ts';
import { askForKey, cost, key } from './options.ts';

export default verb({
  changes: true,
  answers: 'crypt format',
  args: { device: ['<device>', 'block device, for example /dev/vg0/web1'] },
  options: {
    key,
    type: value('<TYPE>', 'luks2 or luks1 (default: luks2)', { read: oneOf('luks2', 'luks1') }),
    label: value('<LABEL>', 'label; luks2 only'),
    uuid: value('<UUID>', 'UUID (default: random)'),
    header: value('<FILE>', 'write the header to this new file and nothing to the device'),
    overwrite: value('<UUID|TYPE>', 'UUID, or type, of the content to overwrite'),
    ensure: ensureFlag('overwrite', 'header', 'pbkdfTime', 'pbkdfMemory'),
    ...cost,
  },
  examples: ['crypt format /dev/vg0/data', 'crypt format /dev/vg0/data --key file:/root/data.key'],
  run: (runtime, { device, overwrite: named, pbkdfTime: pbkdfTimeMs, ...typed }) => {
    const { type, label, uuid, pbkdf, pbkdfMemory } = typed;
    const header = pathOn(runtime, typed.header);
    return change<Formatted, CryptFormat>(
      runtime,
      async (bofh) => {
        const asked = present({
          ...{ device, key: typed.key ?? askForKey, type, label, uuid, pbkdf, pbkdfMemory, pbkdfTimeMs },
          overwrite: named === undefined ? undefined : await withBofh(bofh, () => overwriteOf(device, named)),
        });
        return {
          destroys: named === undefined ? [] : [lossOf(device, named, header)],
          act: async () => {
            if (header !== undefined) return crypt.formatDetached({ ...asked, header });
            const format = () => crypt.format(asked);
            if (!typed.ensure)
              return {
                ...(await (named === undefined ? format() : sayingLoss(device, format))),
                header: null,
              };
            const { value: there, changed } = await ensure.crypt.format(asked);
            return { ...there, header: null, changed };
          },
          answer: (formatted): Answer<CryptFormat> => ({
            data: { device, ...formatted, pbkdfMemory: formatted.pbkdfMemory ?? null },
            lines: [...(formatted.changed === false ? [unchanged] : []), ...inWords(device, formatted)],
          }),
        };
      },
      { site: 'used' },
    );
  },
});

/** The question about the content that `--overwrite` names: the step refuses any other content. */
function lossOf(device: string, named: string, header: string | undefined): string {
  return header === undefined
    ? `${printable(device)} will be overwritten, and its current content will be lost: ${printable(named)}`
    : `${printable(device)} will be overwritten when it is open and something writes to it, and its current content will be lost: ${printable(named)}`;
}

type Formatted = Awaited<ReturnType<typeof crypt.format>> & {
  readonly header: string | null;
  readonly changed?: boolean;
};

function inWords(device: string, { type, uuid, pbkdf, pbkdfMemory, header }: Formatted): readonly string[] {
  const memory =
    pbkdfMemory === undefined ? '' : `; opening it may need ${formatSize(pbkdfMemory)} of memory`;
  return [
    `${device} is encrypted: ${type} ${uuid}, ${pbkdf}${memory}`,
    ...(header === null ? [] : [`its header is ${header}: without this file nothing opens the device`]),
  ];
}
