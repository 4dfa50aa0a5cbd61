import { describe, expect, it } from 'vitest';
import { classifyCryptsetup } from '../../../src/crypt/classify.ts';
import { luksFormat, wipeLuks } from '../../../src/crypt/format-commands.ts';
import { luksAddKey, luksKillSlot } from '../../../src/crypt/key-commands.ts';
import { luksClose, luksOpen, renameMapping } from '../../../src/crypt/open-commands.ts';
import { cryptStatus, luks2Header, luksDump1, testKey } from '../../../src/crypt/read-commands.ts';
import { luksHeaderBackup, luksHeaderRestore } from '../../../src/crypt/header-commands.ts';
import { luksReencrypt, repairTorn, resumeReencrypt } from '../../../src/crypt/reencrypt-commands.ts';
import { type KeyInput, secondKeyPath } from '../../../src/command/index.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const device = '/dev/loop1';
const uuid = '5e1f0000-0000-4000-8000-0000000000c2';
const key: KeyInput = { key: { from: 'file', path: '/etc/key' }, use: 'present', of: device };
const fixture = (situation: string) => recorded(`cryptsetup/${situation}@2.6.1`);

describe('the commands of cryptsetup', () => {
  it('are the recorded ones, for all reads', () => {
    expect(['cryptsetup', ...luksDump1(device).argv]).toEqual(fixture('luksDump-luks1').argv);
    expect(['cryptsetup', ...testKey({ device, key }).argv]).toEqual(fixture('open-test').argv);
    expect(['cryptsetup', ...testKey({ device, key, slot: 7 }).argv]).toEqual(
      fixture('open-test-blank-slot').argv,
    );
    expect(['cryptsetup', ...cryptStatus('vg0-rig--luks1-luks').argv]).toEqual(fixture('status').argv);
    expect(['cryptsetup', ...luksHeaderBackup(device, '/tmp/bofh-header').argv]).toEqual(
      fixture('luksHeaderBackup').argv,
    );
    expect(['cryptsetup', ...luksHeaderRestore(device, '/tmp/bofh-header').argv]).toEqual(
      fixture('luksHeaderRestore').argv,
    );
    expect(['wipefs', ...wipeLuks(device).argv]).toEqual(recorded('wipefs/wipefs-luks2@2.38.1').argv);
  });

  it('get the key on stdin, without a newline, and in no argument', () => {
    const commands = [
      testKey({ device, key }),
      luksFormat({ device, version: 2, uuid, key, pbkdf: { kdf: 'argon2id' } }),
      luksOpen({ device, name: 'web1', mode: 'rw', key }),
    ];
    for (const command of commands) {
      expect(command.argv).toContain('--key-file=-');
      expect(command.stdin).toEqual(key);
      expect(JSON.stringify(command.argv)).not.toContain('/etc/key');
    }
  });

  it('have every chosen parameter of a new device', () => {
    const pbkdf = { kdf: 'argon2id', memory: 64 * 1024 ** 2 + 1, timeMs: 100 } as const;

    expect(luksFormat({ device, version: 2, uuid, label: 'web root', key, pbkdf }).argv).toEqual([
      ...['luksFormat', '--batch-mode', '--type', 'luks2', '--uuid', uuid, '--label', 'web root'],
      ...['--pbkdf', 'argon2id', '--pbkdf-memory', '65536', '--iter-time', '100', '--key-file=-', device],
    ]);
    expect(luksFormat({ device, version: 1, uuid, key, pbkdf: { kdf: 'pbkdf2' } }).argv).toEqual([
      ...[
        'luksFormat',
        '--batch-mode',
        '--type',
        'luks1',
        '--uuid',
        uuid,
        '--pbkdf',
        'pbkdf2',
        '--key-file=-',
        device,
      ],
    ]);
  });

  it('have the slot of a key, and the path of the second key', () => {
    const add = luksAddKey({
      device,
      slot: 3,
      key,
      newKey: { ...key, use: 'new' },
      pbkdf: { kdf: 'pbkdf2' },
    });

    expect(add.argv).toEqual([
      ...['luksAddKey', '--batch-mode', '--key-slot', '3', '--pbkdf', 'pbkdf2', '--key-file=-', device],
      secondKeyPath,
    ]);
    expect([add.stdin, add.secondKey]).toEqual([key, { ...key, use: 'new' }]);
    expect(luksKillSlot(device, 3)).toMatchObject({
      access: 'destroy',
      argv: ['luksKillSlot', '--batch-mode', device, '3'],
    });
    expect(luksKillSlot(device, 3).stdin).toBeUndefined();
  });

  it('name an open device, and never force', () => {
    expect(luksOpen({ device, name: 'web1', mode: 'ro', key }).argv).toEqual([
      ...['open', '--type', 'luks', '--readonly', '--key-file=-', device, 'web1'],
    ]);
    expect(luksClose('web1').argv).toEqual(['close', 'web1']);
    expect(renameMapping('a', 'b')).toMatchObject({ tool: 'dmsetup', argv: ['rename', 'a', 'b'] });
  });
});

// A luksFormat that is killed half-way, and a host without device-mapper, were recorded once.
describe.each(['2.6.1', '2.7.5'])('the output of cryptsetup %s', (version) => {
  const fixture = (situation: string) => {
    const name = `cryptsetup/${situation}`;
    return recorded(`${name}@${versionsOf(name).includes(version) ? version : '2.6.1'}`);
  };

  it('the metadata of LUKS2: slots with their parameters, and tokens', () => {
    expect(luks2Header(fixture('luksDump-luks2').stdout)).toMatchObject({
      version: 2,
      cipher: 'aes-xts-plain64',
      sectorSize: 512,
      dataOffset: 16 * 1024 ** 2,
      keySlots: [
        { slot: 0, kdf: 'argon2id', memory: 64 * 1024 ** 2, rounds: 4 },
        { slot: 3, kdf: 'pbkdf2', rounds: 1000 },
      ],
      tokens: [{ type: 'clevis', slots: [3] }],
      requirements: [],
    });
  });

  it('a killed luksFormat, and an erased device, have no key slot', () => {
    for (const situation of ['luksDump-killed-luks2', 'luksDump-erased'])
      expect(luks2Header(fixture(situation).stdout).keySlots).toEqual([]);
    expect(luksDump1(device).parse(fixture('luksDump-killed-luks1')).keySlots).toEqual([]);
  });

  it.each(['keyslots', 'segments', 'tokens', 'config'])('the metadata without its %s is an error', (part) => {
    const whole = JSON.parse(fixture('luksDump-luks2').stdout) as Record<string, unknown>;
    const { [part]: dropped, ...rest } = whole;

    expect(dropped).toBeDefined();
    expect(() => luks2Header(JSON.stringify(rest))).toThrow();
  });

  it.each([
    ['"kdf":', '"kdfs":'],
    ['"argon2id"', '"argon3"'],
    ['"time":4', '"time":"4"'],
    ['"type":"luks2"', '"type":"luks9"'],
    ['"offset":"16777216"', '"offset":"16M"'],
    ['"offset":"16777216"', '"offset":"9007199254740993"'],
    ['"encryption":"aes-xts-plain64",\n      "sector_size"', '"encrypt":"","sector_size"'],
  ])('the metadata with %s changed to %s is an error', (from, to) => {
    const { stdout } = fixture('luksDump-luks2');
    expect(stdout).toContain(from);

    expect(() => luks2Header(stdout.replace(from, to))).toThrow();
  });

  it.each([
    ['begun', { done: 0, torn: false }, [0, 1]],
    ['halfway', { done: 259_653_632, torn: false }, [0, 1]],
    ['torn', { done: 259_653_632, torn: true }, [0, 1]],
  ])('the metadata of a reencryption that is %s: its progress', (situation, state, slots) => {
    const whole = luks2Header(fixture(`luksDump-reencrypt-${situation}`).stdout);

    expect(whole).toMatchObject({
      requirements: ['online-reencrypt-v2'],
      reencryption: { mode: 'reencrypt', cipher: 'aes-xts-plain64', resilience: 'checksum', ...state },
      cipher: 'aes-xts-plain64',
      dataOffset: 16 * 1024 ** 2,
    });
    expect(whole.keySlots.map(({ slot }) => slot)).toEqual(slots);
  });

  it('the old volume key is known during a reencryption', () => {
    const { stdout } = fixture('luksDump-reencrypt-killed-before');
    const before = luks2Header(stdout);

    expect(before.reencryption).toBeUndefined();
    expect(before.keySlots.map(({ opens }) => opens)).toEqual(['data', 'nothing']);
    for (const situation of ['halfway', 'torn']) {
      const { reencryption, volumeKeyDigest } = luks2Header(
        fixture(`luksDump-reencrypt-${situation}`).stdout,
      );
      expect(volumeKeyDigest.split(' ')).toHaveLength(4);
      expect(volumeKeyDigest).toContain(reencryption?.oldKeyDigest);
    }
  });

  it.each([
    ['"backup-previous"', '"backup-earlier"'],
    ['"backup-final"', '"backup-last"'],
    ['"type":"reencrypt"', '"type":"luks2"'],
    ['"mode":"reencrypt"', '"mode":"turn"'],
  ])('the metadata of a reencryption with %s changed to %s is an error', (from, to) => {
    const { stdout } = fixture('luksDump-reencrypt-halfway');
    expect(stdout).toContain(from);

    expect(() => luks2Header(stdout.replace(from, to))).toThrow();
  });

  it('a reencryption: its command, and its progress', () => {
    const whole = luksReencrypt({ device, key, resilience: 'checksum' });
    const words = fixture('reencrypt').argv;

    expect(['cryptsetup', ...whole.argv]).toEqual(words);
    expect(['cryptsetup', ...resumeReencrypt({ device, key }).argv]).toEqual(
      fixture('reencrypt-resume').argv,
    );
    expect(['cryptsetup', ...repairTorn({ device, key }).argv]).toEqual(fixture('repair').argv);
    expect(whole).toMatchObject({ access: 'destroy', stdin: key });
    expect(whole.progress?.('')).toBeUndefined();
    expect(whole.progress?.(fixture('reencrypt-interrupted').stdout)).toBe(0);
    expect(whole.progress?.(fixture('reencrypt').stdout.split('\n').slice(0, 1).join())).toBeCloseTo(0.2, 0);
    expect(whole.progress?.(fixture('reencrypt').stdout)).toBe(1);
  });

  it.each([
    ['reencrypt-wrong-key', 'denied'],
    ['reencrypt-resume-wrong-key', 'denied'],
    ['repair-wrong-key', 'denied'],
    ['reencrypt-running', 'busy'],
    ['repair-running', 'busy'],
    ['reencrypt-two-keys', 'unknown'],
    ['reencrypt-not-begun', 'unknown'],
    ['reencrypt-unknown-cipher', 'unknown'],
    ['reencrypt-torn', 'unknown'],
    ['reencrypt-interrupted', 'unknown'],
  ])('%s failed because: %s', (situation, reason) => {
    expect(resumeReencrypt({ device, key }).classify?.(fixture(situation))).toBe(reason);
  });

  it('the text of LUKS1: its UUID, the offset of the data, and the slots in use', () => {
    expect(luksDump1(device).parse(fixture('luksDump-luks1'))).toMatchObject({
      version: 1,
      uuid: '5e1f0000-0000-4000-8000-0000000000c1',
      cipher: 'aes-xts-plain64',
      dataOffset: 2 * 1024 ** 2,
      keySlots: [
        { slot: 0, kdf: 'pbkdf2', rounds: 1000, salt: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
        { slot: 3, kdf: 'pbkdf2' },
      ],
    });
  });

  it('the text of LUKS1 with any line missing, doubled or damaged is an error', () => {
    const { stdout } = fixture('luksDump-luks1');
    const lines = stdout.split('\n').slice(0, -1);
    for (const [index, line] of lines.entries())
      for (const instead of [[], [line, line], [`x${line}`]]) {
        const text = `${lines.toSpliced(index, 1, ...instead).join('\n')}\n`;
        expect(
          () => luksDump1(device).parse({ exitCode: 0, stdout: text, stderr: '' }),
          `${index}: ${line}`,
        ).toThrow();
      }
  });

  it('the status of an open device, and of a closed one', () => {
    const { parse } = cryptStatus('x');

    expect(parse(fixture('status'))).toEqual({
      ...{ inUse: false, type: 'LUKS2', cipher: 'aes-xts-plain64', keyLocation: 'keyring' },
      ...{ device: '/dev/mapper/vg0-rig--luks1', offset: 16 * 1024 ** 2, size: 48 * 1024 ** 2 },
      ...{ mode: 'rw', isReencrypted: false, flags: [] },
    });
    expect(parse(fixture('status-inactive'))).toBeUndefined();
  });

  it('the status of one that is being reencrypted', () => {
    const { parse } = cryptStatus('x');
    const { stdout } = fixture('status');
    // src/cryptsetup.c of 2.6.1, action_status.
    const said = (word: string) =>
      parse({
        exitCode: 0,
        stdout: stdout.replace(/  cipher/, `  reencryption:  ${word}\n  cipher`),
        stderr: '',
      });

    expect(said('in-progress')).toMatchObject({ isReencrypted: true });
    expect(() => said('done')).toThrow('its reencryption is "done"');
  });

  it('the status with a line damaged, doubled or, if required, missing is an error', () => {
    const { parse } = cryptStatus('x');
    const { stdout } = fixture('status');
    const lines = stdout.split('\n').slice(0, -1);
    const may = /^ {2}(?:cipher|keysize|key location|sector size):/;
    for (const [index, line] of lines.entries()) {
      const variants = [
        [line, line],
        [line.replace(': ', '? ').replace(/\.$/, '')],
        ...(may.test(line) ? [] : [[]]),
      ];
      for (const instead of variants) {
        const text = `${lines.toSpliced(index, 1, ...instead).join('\n')}\n`;
        expect(() => parse({ exitCode: 0, stdout: text, stderr: '' }), `${index}: ${line}`).toThrow();
      }
    }
    expect(() => parse({ exitCode: 4, stdout, stderr: '' })).toThrow();
    expect(() => parse({ exitCode: 0, stdout: fixture('status-inactive').stdout, stderr: '' })).toThrow();
  });

  it('a correct key, and a wrong one', () => {
    const { parse, accepts } = testKey({ device, key });

    expect(accepts).toEqual([0, 2]);
    expect(parse(fixture('open-test'))).toBe(true);
    expect(parse(fixture('open-test-wrong-key'))).toBe(false);
  });

  it.each([
    ['luksDump-missing', 'not-found'],
    ['luksFormat-missing', 'not-found'],
    ['luksFormat-mounted', 'busy'],
    ['luksAddKey-wrong-key', 'denied'],
    ['luksKillSlot-inactive', 'not-found'],
    ['luksAddKey-slot-taken', 'exists'],
    ['luksDump-blank', 'unknown'],
    ['luksFormat-no-memory', 'unknown'],
    ['open-no-device-mapper', 'unknown'],
  ])('%s failed because: %s', (situation, reason) => {
    expect(classifyCryptsetup(fixture(situation))).toBe(reason);
  });
});
