import { luksFormat, wipeLuks } from '../../../../src/crypt/format-commands.ts';
import { luksHeaderBackup, luksHeaderRestore } from '../../../../src/crypt/header-commands.ts';
import { luksAddKey, luksErase, luksKillSlot } from '../../../../src/crypt/key-commands.ts';
import { luks2Header, luksDump1, testKey } from '../../../../src/crypt/read-commands.ts';
import type { KeyInput, ReadCommand } from '../../../../src/command/index.ts';
import { classifyCryptsetup } from '../../../../src/crypt/classify.ts';
import type { Group } from '../situation.ts';

const device = '/dev/loop1';
const missing = '/dev/nosuch';
const backup = '/tmp/bofh-header';
const key: KeyInput = { key: { from: 'file', path: '/etc/key' }, use: 'present', of: device };
const newKey: KeyInput = { ...key, use: 'new' };
const cheap = { kdf: 'pbkdf2', timeMs: 10 } as const;
const fast = '--batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file=-';
const luks2 = '5e1f0000-0000-4000-8000-0000000000c2';
const luks1 = '5e1f0000-0000-4000-8000-0000000000c1';
const token = '{"type":"clevis","keyslots":["3"]}';

/** The metadata that bofh reads by itself, because cryptsetup may repair a header that it is asked to print. */
function luksDump2(path: string): ReadCommand<unknown> {
  return {
    tool: 'cryptsetup',
    argv: ['luksDump', '--dump-json-metadata', path],
    access: 'read',
    parse: ({ stdout }) => luks2Header(stdout),
    classify: classifyCryptsetup,
  };
}

/** Headers of LUKS1 and LUKS2, and their keys, which are "one" and "two". It needs no device-mapper. */
export const luks: Group = {
  name: 'luks',
  situations: [
    {
      name: 'cryptsetup/luksDump-blank',
      given: `cd /var/tmp; truncate --size 32M a; losetup ${device} a; rm -f ${backup}; mkdir -p /srv/x`,
      command: luksDump2(device),
      answers: 'unknown',
    },
    { name: 'cryptsetup/luksDump-missing', command: luksDump2(missing), answers: 'not-found' },
    {
      name: 'cryptsetup/luksFormat-missing',
      command: luksFormat({ device: missing, version: 2, uuid: luks2, key, pbkdf: cheap }),
      key: 'one',
      answers: 'not-found',
    },
    {
      name: 'cryptsetup/luksFormat-empty-key',
      command: luksFormat({ device, version: 2, uuid: luks2, key, pbkdf: cheap }),
      key: '',
      answers: 'unknown',
    },
    {
      name: 'cryptsetup/luksFormat-no-memory',
      command: luksFormat({ device, version: 2, uuid: luks2, key, pbkdf: { kdf: 'argon2id', memory: 8192 } }),
      key: 'one',
      answers: 'unknown',
    },
    {
      name: 'cryptsetup/luksFormat-mounted',
      given: `mkfs.ext4 -q ${device}; mount ${device} /srv/x`,
      command: luksFormat({ device, version: 2, uuid: luks2, key, pbkdf: cheap }),
      key: 'one',
      answers: 'busy',
    },
    {
      name: 'cryptsetup/luksDump-luks1',
      given: `
        umount /srv/x; wipefs --quiet --all ${device}
        printf one | cryptsetup luksFormat --type luks1 --uuid ${luks1} ${fast} ${device}
        printf two > /run/two; printf one | cryptsetup luksAddKey --key-slot 3 ${fast} ${device} /run/two`,
      command: luksDump1(device),
      answers: 'parsed',
    },
    { name: 'cryptsetup/luksDump-json-of-luks1', command: luksDump2(device), answers: 'unknown' },
    { name: 'wipefs/wipefs-luks1', command: wipeLuks(device), answers: 'parsed' },
    {
      name: 'cryptsetup/luksFormat',
      command: luksFormat({
        ...{ device, version: 2, uuid: luks2, label: 'web root', key },
        pbkdf: { kdf: 'argon2id', memory: 64 * 1024 ** 2, timeMs: 100 },
      }),
      key: 'one',
      answers: 'parsed',
    },
    {
      name: 'cryptsetup/luksAddKey-wrong-key',
      command: luksAddKey({ device, slot: 5, key, newKey, pbkdf: cheap }),
      ...{ key: 'none', secondKey: 'two' },
      answers: 'denied',
    },
    {
      name: 'cryptsetup/luksDump-luks2',
      given: `
        printf one | cryptsetup luksAddKey --key-slot 3 ${fast} ${device} /run/two
        echo '${token}' | cryptsetup token import ${device}`,
      command: luksDump2(device),
      answers: 'parsed',
    },
    {
      name: 'cryptsetup/luksAddKey-slot-taken',
      command: luksAddKey({ device, slot: 3, key, newKey, pbkdf: cheap }),
      ...{ key: 'one', secondKey: 'two' },
      answers: 'exists',
    },
    { name: 'cryptsetup/luksKillSlot-inactive', command: luksKillSlot(device, 5), answers: 'not-found' },
    { name: 'cryptsetup/open-test', command: testKey({ device, key }), key: 'one', answers: 'parsed' },
    {
      name: 'cryptsetup/open-test-wrong-key',
      command: testKey({ device, key }),
      key: 'no',
      answers: 'parsed',
    },
    {
      name: 'cryptsetup/open-test-blank-slot',
      command: testKey({ device, key, slot: 7 }),
      key: 'one',
      answers: 'unknown',
    },
    { name: 'cryptsetup/luksHeaderBackup', command: luksHeaderBackup(device, backup), answers: 'parsed' },
    {
      name: 'cryptsetup/luksHeaderBackup-exists',
      command: luksHeaderBackup(device, backup),
      answers: 'unknown',
    },
    { name: 'cryptsetup/luksHeaderRestore', command: luksHeaderRestore(device, backup), answers: 'parsed' },
    {
      name: 'cryptsetup/luksHeaderRestore-no-file',
      command: luksHeaderRestore(device, '/tmp/bofh-none'),
      answers: 'not-found',
    },
    {
      name: 'cryptsetup/luksHeaderRestore-short',
      given: `truncate --size 1M ${backup}`,
      command: luksHeaderRestore(device, backup),
      answers: 'unknown',
    },
    { name: 'cryptsetup/luksErase', command: luksErase(device), answers: 'parsed' },
    { name: 'cryptsetup/luksDump-erased', command: luksDump2(device), answers: 'parsed' },
    { name: 'wipefs/wipefs-luks2', command: wipeLuks(device), answers: 'parsed' },
  ],
};
