import * as crypt from '../../../api/crypt.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptReencrypt } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { flag, oneOf, value, verb } from '../../runtime/verb.ts';
import { askForKey, key } from './options.ts';

export default verb({
  changes: true,
  answers: 'crypt reencrypt',
  args: { device: ['<device>', 'encrypted device, for example /dev/vg0/web1'] },
  options: {
    key,
    cipher: value('<CIPHER>', 'cipher, for example aes-xts-plain64; needs --key-size (default: unchanged)'),
    keySize: value('<BITS>', 'size of the volume key in bits (default: unchanged)', { read: bits }),
    resilience: value(
      '<HOW>',
      'protection of the current part against a crash: checksum or journal (default: checksum)',
      { read: oneOf('checksum', 'journal') },
    ),
    resume: flag('resume an interrupted reencryption; do not start a new one'),
  },
  examples: ['crypt reencrypt /dev/vg0/data', 'crypt reencrypt /dev/vg0/data --resume'],
  run: (runtime, { device, resume, ...typed }) => {
    const { key: source = askForKey, ...how } = typed;
    const asked = present({ device, key: source, ...how, resume: resume ? true : undefined });
    const act = () => crypt.reencrypt(asked);
    return change<Awaited<ReturnType<typeof act>>, CryptReencrypt>(
      runtime,
      {
        destroys: [
          `the volume key of ${device} will be replaced: backups of its header will be useless, and this cannot be undone`,
        ],
        act,
        answer: ({ uuid, cipher, keySlots }): Answer<CryptReencrypt> => {
          const slot = keySlots.find(({ opens }) => opens === 'data')?.slot ?? 0;
          return {
            data: { device, uuid, cipher, slot },
            lines: [
              `${device} (LUKS ${uuid}) is reencrypted with ${cipher}; its key is in slot ${slot}`,
              `backups of its header are useless now; save a new one: bofh crypt header backup ${device} FILE`,
            ],
          };
        },
      },
      { site: 'used' },
    );
  },
});

function bits(text: string, name: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new UsageError(`${name} ${text}: must be a number of bits`);
}
