import { encodeHeader, partsOf } from '../world/header-file.ts';
import { openMapping } from '../tools/crypt/open.ts';
import { begun } from '../tools/crypt/reencrypt.ts';
import { luksAt, luksOffset, newSlot, putHeader } from '../tools/crypt/luks.ts';
import { settle, type World } from '../world/world.ts';
import { deviceOf, type WrapAct } from './act.ts';
import { format } from './devices.ts';
import { put, write } from './files.ts';
import { present } from '../../core/present.ts';

/** Acts of an administrator on LUKS. */
export interface CryptAdmin {
  /** Formats a device as LUKS, with a passphrase. */
  luksFormat(make: {
    /** The device to format. */
    readonly device: string;
    /** UUID of the LUKS header. */
    readonly uuid: string;
    /** The passphrase in slot 0. */
    readonly key: string;
    /** More passphrases, by their slots. */
    readonly moreKeys?: Readonly<Record<number, string>>;
    /** Version of LUKS (default: 2). */
    readonly version?: 1 | 2;
    /** Label of the header (default: none). */
    readonly label?: string;
    /** Name of the volume key: a header with another volume key does not open the data. */
    readonly volumeKey?: string;
    /** Whether the data has integrity tags. */
    readonly integrity?: true;
    /** Bytes of the header for key slots. */
    readonly slotRoom?: number;
  }): void;
  /** Starts a reencryption, and stops it after this amount, or before the header records it. */
  luksReencrypt(begin: {
    /** The encrypted device. */
    readonly device: string;
    /** A passphrase of the device. */
    readonly key: string;
    /** How many bytes are reencrypted; `nothing`: the header does not record the start. */
    readonly done: number | 'nothing';
    /** True: `cryptsetup repair` is needed first (default: false). */
    readonly torn?: boolean;
    /** `encrypt` or `decrypt` instead of a reencryption: adds or removes encryption. */
    readonly mode?: 'encrypt' | 'decrypt';
  }): void;
  /** Saves the LUKS header of a device to a file. */
  luksHeaderBackup(device: string, file: string): void;
  /** Opens a LUKS device under a name in /dev/mapper, without a passphrase. */
  luksOpen(device: string, name: string): void;
  /** Closes a mapping by its name. */
  luksClose(name: string): void;
}

/** Returns these methods for a simulated host. */
export function cryptActs(world: World, does: WrapAct): CryptAdmin {
  return {
    luksFormat: does(({ device, key, moreKeys = {}, version = 2, ...make }) => {
      const { volumeKey, integrity, slotRoom, ...rest } = make;
      const superblock = { type: 'crypto_LUKS', usage: 'crypto', version: String(version), ...rest } as const;
      format(world, device, superblock);
      const { storage } = deviceOf(world, device);
      const slots = Object.entries({ 0: key, ...moreKeys }).map(([slot, each]) =>
        newSlot(world, { slot: Number(slot), kdf: 'pbkdf2', memory: 0, key: each }),
      );
      const luks = partsOf({ slots, volumeKey, integrity, slotRoom });
      world.live.set(storage, { superblock, luks });
      settle(world, storage);
    }),
    luksReencrypt: does(({ device, key, done, torn = false, mode }) => {
      const found = luksAt(world, device);
      if (typeof found === 'string') throw new TypeError(`${device} has no header`);
      const [header, state] = begun({ world }, found, { key });
      const reencryption = { ...state, torn, ...present({ mode }) };
      putHeader(
        world,
        found,
        done === 'nothing' ? header : { ...header, reencryption: { ...reencryption, done } },
      );
      settle(world, deviceOf(world, device).storage);
    }),
    luksHeaderBackup: does((device, path) => {
      const found = luksAt(world, device);
      if (typeof found === 'string') throw new TypeError(`${device} has no header`);
      put(world, path, () => write(world, path, encodeHeader(found), 0o600));
    }),
    luksOpen: does((device, name) => {
      const lower = deviceOf(world, device);
      const { uuid = '', version } = world.live.get(lower.storage)?.superblock ?? {};
      const mapping = { name, mode: 'rw' } as const;
      const luks = version === '1' ? 1 : 2;
      const at = { device: lower, uuid, version: luks, offset: luksOffset[luks] } as const;
      const made = openMapping(world, at, mapping);
      settle(world, made.storage);
    }),
    luksClose: does((name) => {
      world.mappings = world.mappings.filter((each) => each.name !== name);
    }),
  };
}
