import { encodeHeader, partsOf } from '../world/header-file.ts';
import { openMapping } from '../tools/crypt/open.ts';
import { begun } from '../tools/crypt/reencrypt.ts';
import { luksAt, luksOffset, newSlot, putHeader } from '../tools/crypt/luks.ts';
import { settle, type World } from '../world/world.ts';
import { deviceOf, type Does } from './act.ts';
import { format } from './devices.ts';
import { put, write } from './files.ts';

/** Acts of an administrator on LUKS. */
export interface CryptAdmin {
  /** A LUKS device with one key, which is text. */
  luksFormat(make: {
    readonly device: string;
    readonly uuid: string;
    readonly key: string;
    /** By slot; the first one is in slot 0. */
    readonly moreKeys?: Readonly<Record<number, string>>;
    readonly version?: 1 | 2;
    readonly label?: string;
    /** Another one than usual: a header of the same uuid from before does not open the data. */
    readonly volumeKey?: string;
    readonly integrity?: true;
    readonly slotRoom?: number;
  }): void;
  /** Starts a re-encryption, and stops after this amount, or before the header records it. */
  luksReencrypt(begin: {
    readonly device: string;
    readonly key: string;
    readonly done: number | 'nothing';
    readonly torn?: boolean;
    readonly mode?: 'encrypt' | 'decrypt';
  }): void;
  /** Saves the header of one in a file. */
  luksHeaderBackup(device: string, file: string): void;
  /** Opens one: cryptsetup's own uuid of the mapping has its name in it, or the one that it was opened under at first. */
  luksOpen(device: string, name: string): void;
  luksClose(name: string): void;
}

/** These acts, on a host in memory. */
export function cryptActs(world: World, does: Does): CryptAdmin {
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
      const reencryption = { ...state, torn, ...(mode === undefined ? {} : { mode }) };
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
