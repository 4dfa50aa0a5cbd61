import * as crypt from '../../../api/crypt.ts';
import { withBofh } from '../../../bofh.ts';
import type { Reencryption } from '../../../crypt/index.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { CryptShow } from '../../output/answers/index.ts';
import { openSession, pathOn } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { header } from './options.ts';

export default verb({
  changes: false,
  answers: 'crypt show',
  args: { device: ['<device>', 'device, or absolute path of a file with a detached header'] },
  options: { header },
  examples: ['crypt show /dev/vg0/data'],
  run: async (runtime, { device, header: file }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = await withBofh(bofh, () => crypt.show(pathOn(runtime, file) ?? device));
    const { version, uuid, label, cipher, sectorSize, dataOffset, tokens, requirements, reencryption } =
      found;
    const data: CryptShow = {
      ...{ version, uuid, label: label ?? null, cipher, sectorSize, dataOffset },
      keySlots: found.keySlots.map(({ slot, kdf, memory, rounds, opens }) => ({
        ...{ slot, kdf, memory: memory ?? null, rounds, opens },
      })),
      tokens: tokens.map(({ type, slots }) => ({ type, slots: [...slots] })),
      requirements: [...requirements],
      reencryption: reencryption === undefined ? null : progressOf(reencryption),
      damagedCopy: found.damagedCopy ?? null,
    };
    give(runtime, { data, lines: inWords(data) });
    return 0;
  },
});

function progressOf({ mode, cipher, resilience, done, torn }: Reencryption): CryptShow['reencryption'] {
  return { mode, cipher, resilience, done, torn };
}

function inWords(header: CryptShow): readonly string[] {
  const { version, uuid, label, cipher, dataOffset, keySlots, tokens, requirements, reencryption } = header;
  return [
    `LUKS${version} ${uuid}${label === null ? '' : ` "${label}"`}`,
    `cipher ${cipher}, data from ${formatSize(dataOffset)}`,
    ...(reencryption === null ? [] : [reencryptionInWords(reencryption)]),
    ...keySlots.map(({ slot, kdf, memory, rounds, opens }) => {
      const takes = memory === null ? '' : `, ${formatSize(memory)} of memory`;
      return `key slot ${slot}: ${kdf}, ${rounds} rounds${takes}${opens === 'data' ? '' : '; it opens no data'}`;
    }),
    ...(keySlots.length === 0 ? ['no key slot: nothing opens it'] : []),
    ...tokens.map(({ type, slots }) => `token ${type} for slot ${slots.join(', ')}`),
    ...requirements.map((name) => `requires ${name}`),
    ...(header.damagedCopy === null
      ? []
      : [
          `the ${header.damagedCopy} copy of the header is damaged; this is the other one. cryptsetup repair DEVICE repairs it`,
        ]),
  ];
}

function reencryptionInWords({ mode, cipher, done, torn }: NonNullable<CryptShow['reencryption']>): string {
  const what = { reencrypt: 'reencryption', encrypt: 'encryption', decrypt: 'decryption' };
  const to = cipher === null ? '' : ` with ${cipher}`;
  const part = torn ? '; a part is being written, or was torn by a crash' : '';
  return `${what[mode]}${to} is running or was interrupted: ${formatSize(done)} done${part}`;
}
