import { inShell } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import type { LuksHeader } from './schema.ts';
import { isHeaderFile, type KnownDevice } from './slots.ts';

/** The state of the device. */
interface Found {
  readonly known: KnownDevice;
  readonly header: LuksHeader;
}

/** The request. */
interface Asked extends Found {
  readonly cipher: string | undefined;
  /** Size of the volume key, in bits. */
  readonly keySize: number | undefined;
}

/**
 * Ciphers that cryptsetup and the kernel have supported for years, with the sizes of their volume
 * keys in bits (cryptsetup benchmark).
 */
const ciphers: Readonly<Record<string, readonly number[]>> = {
  'aes-xts-plain64': [256, 512],
  'serpent-xts-plain64': [256, 512],
  'twofish-xts-plain64': [256, 512],
  'camellia-xts-plain64': [256, 512],
  'aes-cbc-essiv:sha256': [128, 256],
  'xchacha12,aes-adiantum-plain64': [256],
  'xchacha20,aes-adiantum-plain64': [256],
};

/**
 * UsageError if options contradict each other. cryptsetup would report this only after the commit.
 */
export function checkOptions(asked: {
  readonly cipher?: string;
  readonly keySize?: number;
  readonly resilience?: string;
  readonly resume?: true;
}): void {
  const { cipher, keySize, resilience, resume } = asked;
  const isNew = cipher !== undefined || keySize !== undefined || resilience !== undefined;
  if (resume === true && isNew)
    throw new UsageError('a resumed reencryption keeps its cipher, key size and resilience', {
      remedy: 'leave them out',
    });
  if (cipher !== undefined && ciphers[cipher] === undefined)
    throw new UsageError(
      `"${cipher}" is not supported; supported ciphers: ${Object.keys(ciphers).join(', ')}`,
    );
  if (cipher !== undefined && keySize === undefined)
    throw new UsageError(`${cipher} needs a key size too: ${sizesOf(cipher)}`);
}

/**
 * UsageError for a key size that the cipher does not have. Sizes of unknown ciphers are not
 * checked.
 */
function checkKeySize(cipher: string, keySize: number | undefined): void {
  if (keySize === undefined || ciphers[cipher]?.includes(keySize) !== false) return;
  throw new UsageError(`${cipher} has keys of ${sizesOf(cipher)}, not of ${keySize}`);
}

function sizesOf(cipher: string): string {
  return `${ciphers[cipher]?.join(' or ') ?? ''} bits`;
}

/** RefusedError for a device on which a new reencryption cannot be started. */
export function refuseUnready({ known: { device, identity }, header, cipher, keySize }: Asked): void {
  if (isHeaderFile({ identity }))
    throw refusal(
      `${device} is a file with a detached header: bofh reencrypts only a device whose header is on the device itself`,
      {
        remedy: `cryptsetup reencrypt --header ${inShell(device)} DEVICE; keep a copy of the file until it is done`,
      },
    );
  if (header.version === 1)
    throw refusal(
      `${device} is LUKS1: bofh reencrypts only LUKS2, because with LUKS1 an interrupted reencryption could not be resumed`,
      {
        remedy: `save its header: bofh crypt header backup ${inShell(device)} FILE; then: cryptsetup convert --type luks2 ${inShell(device)}`,
      },
    );
  if (header.reencryption !== undefined)
    throw refusal(`${device} is being reencrypted, or a reencryption was interrupted`, {
      remedy: `resume it: bofh crypt reencrypt ${inShell(device)} --resume`,
    });
  if (header.requirements.length > 0)
    throw refusal(`the LUKS2 header of ${device} has the requirement ${header.requirements.join(', ')}`, {
      remedy: `look at it: bofh crypt show ${inShell(device)}`,
    });
  if (header.integrity)
    throw refusal(`${device} has checksums of its data (dm-integrity): cryptsetup cannot reencrypt it`, {
      remedy: `create a new device and copy the data: bofh crypt format DEVICE`,
    });
  checkKeySize(cipher ?? header.cipher, keySize);
  refuseKeys(device, header);
  refuseNoRoom(device, header, keySize);
}

function refuseKeys(device: string, { keySlots }: LuksHeader): void {
  const [one, ...more] = keySlots.filter(({ opens }) => opens === 'data');
  if (one === undefined)
    throw refusal(`${device} has no key: its data cannot be read`, {
      remedy: `look at it: bofh crypt show ${inShell(device)}`,
    });
  if (more.length === 0) return;
  throw refusal(
    `${device} has ${more.length + 1} keys (slots ${[one, ...more].map(({ slot }) => slot).join(', ')}), but after a reencryption only one of them would still open it`,
    {
      remedy: `remove the others first: bofh crypt remove-key ${inShell(device)} SLOT; after the reencryption, add them again: bofh crypt add-key ${inShell(device)}`,
    },
  );
}

/**
 * RefusedError if the keyslots area has no space for a new key. A key takes 4000 times its size
 * (its stripes), rounded up to 4 KiB; the reencryption needs 8 KiB more (lib/luks2; seen with
 * 2.6.1).
 */
function refuseNoRoom(device: string, { slotRoom }: LuksHeader, keySize: number | undefined): void {
  if (slotRoom === undefined) return;
  const { all, taken } = slotRoom;
  const ofKey = keySize === undefined ? taken : Math.ceil(((keySize / 8) * 4000) / 4096) * 4096;
  const needed: Bytes = ofKey + 8192;
  if (all - taken >= needed) return;
  throw refusal(
    `the header of ${device} has ${formatSize(all - taken)} free for key slots, but ${formatSize(needed)} is needed`,
    { remedy: 'create a new device with a larger header and copy the data' },
  );
}

/** RefusedError for a device without a reencryption that can be resumed. */
export function refuseUnresumable({ known: { device, identity }, header: { reencryption } }: Found): void {
  if (reencryption === undefined)
    throw refusal(`${device} has no unfinished reencryption: there is nothing to resume`, {
      remedy: `start one: bofh crypt reencrypt ${inShell(device)}`,
    });
  if (isHeaderFile({ identity }))
    throw refusal(`${device} is a file with a detached header, not a device`, {
      remedy: `cryptsetup reencrypt --resume-only --header ${inShell(device)} DEVICE`,
    });
  if (reencryption.mode === 'reencrypt') return;
  const what = reencryption.mode === 'encrypt' ? 'encrypted for the first time' : 'decrypted';
  throw refusal(`${device} is being ${what}, which bofh does not do`, {
    remedy: `cryptsetup reencrypt --resume-only ${inShell(device)}`,
  });
}

function refusal(why: string, how: { readonly remedy: string }): RefusedError {
  return new RefusedError(`${why}; nothing was done`, how);
}
