import * as crypt from '../../../api/crypt.ts';
import { withBofh } from '../../../bofh.ts';
import type { Reencryption } from '../../../crypt/index.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { CryptShow, CryptList, CryptStatus } from '../../output/answers/index.ts';
import { type Options, saidIn } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, pathOn } from '../../runtime/session.ts';

/** `bofh crypt list` */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { devices, unreadable, mappings } = await withBofh(bofh, async () => ({
    ...(await crypt.scan()),
    mappings: await crypt.mappings(),
  }));
  const listed = devices.map(({ device, uuid, label, mapping }) => ({
    ...{ device, uuid, label: label ?? null, open: mapping?.path ?? null },
    ...{ size: mapping?.size ?? null, mode: mapping?.mode ?? null },
    unreadable: null,
  }));
  const others = mappings
    .filter(({ number }) => !devices.some(({ mapping }) => mapping?.number === number))
    .map(({ path, luksUuid, size, mode }) => ({
      ...{ device: null, uuid: luksUuid ?? null, label: null },
      ...{ open: path, size, mode, unreadable: null },
    }));
  const untold = unreadable.map(({ device, why }) => ({
    ...{ device, uuid: null, label: null, open: null, size: null, mode: null },
    unreadable: why,
  }));
  const data: CryptList = [...listed, ...others, ...untold];
  give(runtime, {
    data,
    head: ['DEVICE', 'UUID', 'LABEL', 'OPEN', 'SIZE', 'MODE'],
    rows: data.map(({ device, uuid, label, open, size, mode, unreadable: why }) => [
      device ?? '-',
      uuid ?? '-',
      label ?? '',
      open ?? (why === null ? 'closed' : 'unreadable'),
      size === null ? '' : formatSize(size),
      mode ?? '',
    ]),
    none: 'there is no encrypted device on this host',
  });
  if (runtime.settings.answer !== 'json')
    for (const { device, why } of unreadable)
      runtime.terminal.line(`${device}: cannot tell whether it is encrypted: ${why}`);
  return 0;
}

/** `bofh crypt show DEVICE` */
export async function show(runtime: Runtime, device: string, options: Options): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const file = saidIn(options)('header');
  const header = await withBofh(bofh, () => crypt.show(file === undefined ? device : pathOn(runtime, file)));
  const { version, uuid, label, cipher, sectorSize, dataOffset, tokens, requirements, reencryption } = header;
  const data: CryptShow = {
    ...{ version, uuid, label: label ?? null, cipher, sectorSize, dataOffset },
    keySlots: header.keySlots.map(({ slot, kdf, memory, rounds, opens }) => ({
      ...{ slot, kdf, memory: memory ?? null, rounds, opens },
    })),
    tokens: tokens.map(({ type, slots }) => ({ type, slots: [...slots] })),
    requirements: [...requirements],
    reencryption: reencryption === undefined ? null : progressOf(reencryption),
    damagedCopy: header.damagedCopy ?? null,
  };
  give(runtime, { data, lines: inWords(data) });
  return 0;
}

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
  const what = { reencrypt: 'encrypted anew', encrypt: 'encrypted for the first time', decrypt: 'decrypted' };
  const to = cipher === null ? '' : ` with ${cipher}`;
  const part = torn ? '; a part is being written, or was torn by a crash' : '';
  return `it is being ${what[mode]}${to}, or that was interrupted: ${formatSize(done)} are done${part}`;
}

/** `bofh crypt status NAME` */
export async function status(runtime: Runtime, name: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { status: said, ...open } = await withBofh(bofh, () => crypt.status(name));
  const data: CryptStatus = {
    ...{ name: open.name, path: open.path, type: open.type, uuid: open.luksUuid ?? null },
    ...{ device: said.device ?? null, cipher: said.cipher ?? null, keyLocation: said.keyLocation ?? null },
    ...{ offset: said.offset ?? null, size: open.size, mode: open.mode },
    ...{ inUse: said.inUse, isReencrypted: said.isReencrypted, flags: [...said.flags] },
  };
  give(runtime, {
    data,
    lines: [
      `${data.path}: ${data.type}, ${formatSize(data.size)}, ${data.mode}${data.inUse ? ', in use' : ''}`,
      `on ${data.device ?? 'no device'}${data.uuid === null ? '' : `, uuid ${data.uuid}`}`,
      `cipher ${data.cipher ?? 'unknown'}, its key lies in ${data.keyLocation ?? 'a place that is not told'}`,
      ...(data.isReencrypted ? ['its data are being encrypted anew, or that was interrupted'] : []),
      ...(data.flags.length === 0 ? [] : [`flags: ${data.flags.join(', ')}`]),
    ],
  });
  return 0;
}
