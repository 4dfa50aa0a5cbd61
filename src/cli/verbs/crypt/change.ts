import * as crypt from '../../../api/crypt.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptClose, CryptErase, CryptFormat, CryptKey, CryptOpen } from '../../output/answers/index.ts';
import { change, headerFileOf, keyOf } from './crypt-verb.ts';
import { oneOf, type Options, saidIn, wholeIn } from '../../runtime/options.ts';
import { overwriteOf } from '../../runtime/overwrite.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** `bofh crypt format DEVICE` */
export async function format(runtime: Runtime, device: string, options: Options): Promise<number> {
  const fresh = newLuksOf(device, options);
  const named = saidIn(options)('overwrite');
  const header = headerFileOf(runtime, options);
  return change<Formatted>(runtime, async (bofh) => {
    const overwrite =
      named === undefined ? {} : { overwrite: await withBofh(bofh, () => overwriteOf(device, named)) };
    const asked = { ...fresh, ...overwrite };
    return {
      ...(named === undefined ? {} : { destroys: [`${device} holds ${named}: all of it will be lost`] }),
      act: async () =>
        header === undefined
          ? { ...(await crypt.format(asked)), header: null }
          : crypt.formatDetached({ ...asked, header }),
      answer: (made): Answer<CryptFormat> => formatted(device, made),
    };
  });
}

type Formatted = Awaited<ReturnType<typeof crypt.format>> & { readonly header: string | null };

function formatted(device: string, made: Formatted): Answer<CryptFormat> {
  const takes =
    made.pbkdfMemory === undefined
      ? ''
      : `, which may take ${formatSize(made.pbkdfMemory)} of memory each time it is opened`;
  return {
    data: { device, ...made, pbkdfMemory: made.pbkdfMemory ?? null },
    lines: [
      `${device} is encrypted now: ${made.type} ${made.uuid}, by ${made.pbkdf}${takes}`,
      ...(made.header === null ? [] : [`its header is ${made.header}: nothing opens the device without it`]),
    ],
  };
}

function newLuksOf(device: string, options: Options) {
  const text = saidIn(options);
  const [type, label, uuid] = [text('type'), text('label'), text('uuid')];
  return {
    ...{ device, key: keyOf(options) },
    ...(type === undefined ? {} : { type: oneOf(type, ['luks1', 'luks2']) }),
    ...(label === undefined ? {} : { label }),
    ...(uuid === undefined ? {} : { uuid }),
    ...costIn(options),
  };
}

/** How hard it is made to guess a key. */
function costIn(options: Options) {
  const text = saidIn(options);
  const [pbkdf, memory] = [text('pbkdf'), text('pbkdfMemory')];
  const pbkdfTimeMs = wholeIn(text)('pbkdfTime');
  return {
    ...(pbkdf === undefined ? {} : { pbkdf: oneOf(pbkdf, ['pbkdf2', 'argon2id']) }),
    ...(memory === undefined ? {} : { pbkdfMemory: memory }),
    ...(pbkdfTimeMs === undefined ? {} : { pbkdfTimeMs }),
  };
}

/** `bofh crypt open DEVICE` */
export async function open(runtime: Runtime, device: string, options: Options): Promise<number> {
  const name = saidIn(options)('name');
  const header = headerFileOf(runtime, options);
  const asked = {
    ...{ device, key: keyOf(options) },
    ...(header === undefined ? {} : { header }),
    ...(name === undefined ? {} : { name }),
    ...(options['readOnly'] === true || options['readonly'] === true ? ({ mode: 'ro' } as const) : {}),
  };
  return change(runtime, {
    act: () => crypt.open(asked),
    answer: (made): Answer<CryptOpen> => ({
      data: { device, ...made },
      lines: [`${device} ${made.adopted ? 'was open already' : 'is open'}: ${made.path}`],
    }),
  });
}

/** `bofh crypt close NAME` */
export async function close(runtime: Runtime, name: string): Promise<number> {
  return change(runtime, {
    act: () => crypt.close({ name }),
    answer: (): Answer<CryptClose> => ({ data: { name }, lines: [`${name} is closed`] }),
  });
}

/** `bofh crypt add-key DEVICE` */
export async function addKey(runtime: Runtime, device: string, options: Options): Promise<number> {
  const keys = keysOf(runtime, device, options);
  return change(runtime, {
    act: () => crypt.addKey(keys),
    answer: ({ slot }): Answer<CryptKey> => ({
      data: { device, slot },
      lines: [`${device} has another key, in slot ${slot}`],
    }),
  });
}

/** `bofh crypt change-key DEVICE` */
export async function changeKey(runtime: Runtime, device: string, options: Options): Promise<number> {
  const keys = keysOf(runtime, device, options);
  return change(runtime, {
    act: () => crypt.changeKey(keys),
    answer: ({ slot }): Answer<CryptKey> => ({
      data: { device, slot },
      lines: [`${device} has the new key, in slot ${slot}; the old one opens it no more`],
    }),
  });
}

/** `bofh crypt remove-key DEVICE SLOT` */
export async function removeKey(
  runtime: Runtime,
  device: string,
  slot: string,
  options: Options,
): Promise<number> {
  const number = slotOf(slot);
  const at = headerFileOf(runtime, options) ?? device;
  return change(runtime, {
    destroys: [`the key in slot ${number} of ${device} will never open it again`],
    act: () => crypt.removeKey({ device: at, slot: number }),
    answer: (): Answer<CryptKey> => ({
      data: { device, slot: number },
      lines: [`${device} has no key in slot ${number} any more`],
    }),
  });
}

/** `bofh crypt erase DEVICE UUID` */
export async function erase(
  runtime: Runtime,
  device: string,
  uuid: string,
  options: Options,
): Promise<number> {
  const at = headerFileOf(runtime, options) ?? device;
  return change(runtime, {
    destroys: [`what is on ${device} (LUKS ${uuid}) can never be read again, by no key`],
    act: () => crypt.erase({ device: at, uuid }),
    answer: (): Answer<CryptErase> => ({
      data: { device, uuid },
      lines: [`${device} has no key any more: what is on it is lost`],
    }),
  });
}

function keysOf(runtime: Runtime, device: string, options: Options) {
  const slot = saidIn(options)('slot');
  return {
    ...{
      device: headerFileOf(runtime, options) ?? device,
      key: keyOf(options),
      newKey: keyOf(options, 'newKey'),
    },
    ...(slot === undefined ? {} : { slot: slotOf(slot) }),
    ...costIn(options),
  };
}

function slotOf(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is no number of a key slot`);
}
