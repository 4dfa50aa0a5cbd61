import * as crypt from '../../../api/crypt.ts';
import { UsageError } from '../../../core/errors.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptReencrypt } from '../../output/answers/index.ts';
import { change, keyOf } from './crypt-verb.ts';
import { oneOf, type Options, saidIn } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** `bofh crypt reencrypt DEVICE` */
export async function reencrypt(runtime: Runtime, device: string, options: Options): Promise<number> {
  const asked = askedOf(device, options);
  return change(runtime, {
    destroys: [
      `the volume key of ${device} is replaced: no backup of its header from before will open it, and there is no way back`,
    ],
    act: () => crypt.reencrypt(asked),
    answer: ({ uuid, cipher, keySlots }): Answer<CryptReencrypt> => {
      const slot = keySlots.find(({ opens }) => opens === 'data')?.slot ?? 0;
      return {
        data: { device, uuid, cipher, slot },
        lines: [
          `${device} (LUKS ${uuid}) is encrypted anew with ${cipher}; its key lies in slot ${slot} now`,
          `backups of its header are useless: make a new one (bofh crypt header backup ${device} FILE)`,
        ],
      };
    },
  });
}

function askedOf(device: string, options: Options) {
  const text = saidIn(options);
  const [cipher, keySize, resilience] = [text('cipher'), text('keySize'), text('resilience')];
  return {
    ...{ device, key: keyOf(options) },
    ...(cipher === undefined ? {} : { cipher }),
    ...(keySize === undefined ? {} : { keySize: bitsOf(keySize) }),
    ...(resilience === undefined ? {} : { resilience: oneOf(resilience, ['checksum', 'journal']) }),
    ...(options['resume'] === true ? ({ resume: true } as const) : {}),
  };
}

function bitsOf(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is no number of bits`);
}
