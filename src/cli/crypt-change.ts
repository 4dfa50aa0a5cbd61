import { resolve as resolvePath } from 'node:path';
import * as crypt from '../api/crypt.ts';
import { UsageError } from '../errors.ts';
import { formatSize, parseSize } from '../units.ts';
import type { Answer } from './answer.ts';
import type {
  CryptClose,
  CryptErase,
  CryptFormat,
  CryptKey,
  CryptOpen,
  CryptResize,
} from './answers/index.ts';
import { change, keyOf } from './crypt-verb.ts';
import { oneOf, type Options, saidIn, wholeIn } from './options.ts';
import type { Runtime } from './runtime.ts';

/** `bofh crypt format DEVICE` */
export async function format(runtime: Runtime, device: string, options: Options): Promise<number> {
  const { asked, overwrite } = newLuksOf(device, options);
  const header = headerOf(options);
  return change(runtime, {
    ...(overwrite === undefined
      ? {}
      : { destroys: [`${device} holds ${overwrite}: all of it will be lost`] }),
    act: async () =>
      header === undefined
        ? { ...(await crypt.format(asked)), header: null }
        : crypt.formatDetached({ ...asked, header }),
    answer: (made): Answer<CryptFormat> => {
      const takes =
        made.pbkdfMemory === undefined
          ? ''
          : `, which may take ${formatSize(made.pbkdfMemory)} of memory each time it is opened`;
      return {
        data: { device, ...made, pbkdfMemory: made.pbkdfMemory ?? null },
        lines: [
          `${device} is encrypted now: ${made.type} ${made.uuid}, by ${made.pbkdf}${takes}`,
          ...(made.header === null
            ? []
            : [`its header is ${made.header}: nothing opens the device without it`]),
        ],
      };
    },
  });
}

function newLuksOf(device: string, options: Options) {
  const text = saidIn(options);
  const [type, overwrite, label, uuid] = [text('type'), text('overwrite'), text('label'), text('uuid')];
  const asked = {
    ...{ device, key: keyOf(options) },
    ...(type === undefined ? {} : { type: oneOf(type, ['luks1', 'luks2']) }),
    ...(label === undefined ? {} : { label }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(overwrite === undefined ? {} : { overwrite: { uuid: overwrite } }),
    ...costIn(options),
  };
  return { asked, overwrite };
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

/** The file that the header lies in, when it is not on the device. */
function headerOf(options: Options): string | undefined {
  const path = saidIn(options)('header');
  return path === undefined ? undefined : resolvePath(path);
}

/** `bofh crypt open DEVICE` */
export async function open(runtime: Runtime, device: string, options: Options): Promise<number> {
  const name = saidIn(options)('name');
  const header = headerOf(options);
  const asked = {
    ...{ device, key: keyOf(options) },
    ...(header === undefined ? {} : { header }),
    ...(name === undefined ? {} : { name }),
    ...(options['readonly'] === true ? ({ mode: 'ro' } as const) : {}),
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

/** `bofh crypt resize NAME [SIZE]` */
export async function resize(
  runtime: Runtime,
  name: string,
  size: string,
  options: Options,
): Promise<number> {
  const asked = {
    ...{ name, key: keyOf(options) },
    ...(size === '' ? {} : { size: parseSize(size) }),
  };
  return change(runtime, {
    act: () => crypt.resize(asked),
    answer: (made): Answer<CryptResize> => ({
      data: made,
      lines: [
        made.was === made.size
          ? `${made.path} has ${formatSize(made.size)} already`
          : `${made.path} has ${formatSize(made.size)} now, and had ${formatSize(made.was)}`,
      ],
    }),
  });
}

/** `bofh crypt add-key DEVICE` */
export async function addKey(runtime: Runtime, device: string, options: Options): Promise<number> {
  return change(runtime, {
    act: () => crypt.addKey(keysOf(device, options)),
    answer: ({ slot }): Answer<CryptKey> => ({
      data: { device, slot },
      lines: [`${device} has another key, in slot ${slot}`],
    }),
  });
}

/** `bofh crypt change-key DEVICE` */
export async function changeKey(runtime: Runtime, device: string, options: Options): Promise<number> {
  return change(runtime, {
    act: () => crypt.changeKey(keysOf(device, options)),
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
  return change(runtime, {
    destroys: [`the key in slot ${number} of ${device} will never open it again`],
    act: () => crypt.removeKey({ device: headerOf(options) ?? device, slot: number }),
    answer: (): Answer<CryptKey> => ({
      data: { device, slot: number },
      lines: [`${device} has no key in slot ${number} any more`],
    }),
  });
}

/** `bofh crypt erase DEVICE UUID` */
export async function erase(runtime: Runtime, device: string, uuid: string): Promise<number> {
  return change(runtime, {
    destroys: [`what is on ${device} (LUKS ${uuid}) can never be read again, by no key`],
    act: () => crypt.erase({ device, uuid }),
    answer: (): Answer<CryptErase> => ({
      data: { device, uuid },
      lines: [`${device} has no key any more: what is on it is lost`],
    }),
  });
}

function keysOf(device: string, options: Options) {
  const slot = saidIn(options)('slot');
  return {
    ...{ device: headerOf(options) ?? device, key: keyOf(options), newKey: keyOf(options, 'newKey') },
    ...(slot === undefined ? {} : { slot: slotOf(slot) }),
    ...costIn(options),
  };
}

function slotOf(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is no number of a key slot`);
}
