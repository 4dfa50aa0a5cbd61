import { describe, expect, it } from 'vitest';
import { headerOf } from '../../../src/crypt/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { recoverAll } from '../../../src/simulator/matrix/trial.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import {
  blankVolume,
  contentOf,
  device,
  encrypted,
  key,
  on,
  otherKey,
  programsOf,
  refusalOf,
  undone,
  uuid,
} from './support.ts';

type Asked = Parameters<Tx['crypt']['reencrypt']>[0];

const luks = (host: SimulatedHost) => contentOf(host)?.luks;
const start = (host: SimulatedHost, more: Partial<Asked> = {}) =>
  on(host, (tx) => tx.crypt.reencrypt({ device, key, ...more }));
const options = '--progress-json --progress-frequency 1';

const refused = async (host: SimulatedHost, more: Partial<Asked> = {}): Promise<string> =>
  String(await refusalOf(host, () => start(host, more)));

/** bofh is killed at the program, others do that meanwhile, and recovery ends it: the programs of recovery. */
async function recovered(host: SimulatedHost, meanwhile: () => void): Promise<readonly string[]> {
  host.fault({ tool: 'cryptsetup', argvIncludes: '--resilience', mode: 'crash here' });
  await rejectionOf(start(host));
  meanwhile();
  const after = host.restart();
  expect(await recoverAll(after)).toEqual({ how: 'done' });
  return programsOf(after).slice(1);
}

/** One that was begun, by hand, and left. */
function begun(state: { done?: number | 'nothing'; torn?: boolean; mode?: 'encrypt' | 'decrypt' } = {}) {
  const host = encrypted();
  host.admin.luksReencrypt({ device, key: 'geheim', done: 1024 ** 2, ...state });
  return host;
}

describe('crypt.reencrypt', () => {
  it('gives the data another volume key after the commit; the UUID and the key stay, in another slot', async () => {
    const host = encrypted();
    const before = await headerOf(host, device);

    await on(host, async (tx) => {
      await tx.crypt.reencrypt({ device, key });
      expect(await headerOf(host, device)).toEqual(before);
    });

    const after = await headerOf(host, device);
    expect(after).toMatchObject({ uuid, cipher: before.cipher, requirements: [], keySlots: [{ slot: 1 }] });
    expect(after.volumeKeyDigest).not.toBe(before.volumeKeyDigest);
    expect(programsOf(host)).toEqual([
      `cryptsetup reencrypt --batch-mode ${options} --resilience checksum --key-file=- ${device}`,
    ]);
    await on(host, (tx) => tx.crypt.open({ device, key, name: 'web1' }));
  });

  it('accepts another cipher, with the size of its key, and another resilience', async () => {
    const host = encrypted();

    await start(host, { cipher: 'serpent-xts-plain64', keySize: 256, resilience: 'journal' });

    expect((await headerOf(host, device)).cipher).toBe('serpent-xts-plain64');
    expect(programsOf(host)[0]).toContain(
      '--resilience journal --cipher serpent-xts-plain64 --key-size 256 --key-file=-',
    );
  });

  it('does not run when a later step fails', async () => {
    const host = encrypted();
    const before = luks(host);

    await undone(host, (tx) => tx.crypt.reencrypt({ device, key }));

    expect(luks(host)).toEqual(before);
  });

  it('that was killed half-way is continued by recovery, with a torn segment first', async () => {
    for (const torn of [true, false]) {
      const host = encrypted();
      const programs = await recovered(host, () =>
        host.admin.luksReencrypt({ device, key: 'geheim', done: 4096, torn }),
      );

      expect(programs).toEqual([
        ...(torn ? [`cryptsetup repair --batch-mode --key-file=- ${device}`] : []),
        `cryptsetup reencrypt --batch-mode --resume-only ${options} --key-file=- ${device}`,
      ]);
      expect(luks(host)?.reencryption).toBeUndefined();
      expect(luks(host)?.slots.map(({ slot }) => slot)).toEqual([1]);
    }
  });

  it('that was killed before the header records it leaves no unused key slot', async () => {
    const host = encrypted();

    const programs = await recovered(host, () => {
      host.admin.luksReencrypt({ device, key: 'geheim', done: 'nothing' });
      // A foreign one is left untouched.
      host.admin.luksReencrypt({ device, key: 'fremd', done: 'nothing' });
    });

    expect(programs[0]).toBe(`cryptsetup luksKillSlot --batch-mode ${device} 1`);
    expect(luks(host)?.slots.map(({ slot, opens }) => [slot, opens])).toEqual([
      [1, undefined],
      [2, 'nothing'],
    ]);
  });

  it('continues a reencryption of others with `resume`, and refuses it without', async () => {
    const host = begun();
    const mid = await headerOf(host, device);

    expect(mid.reencryption).toMatchObject({ mode: 'reencrypt', done: 1024 ** 2, torn: false });
    expect(await refused(host)).toContain('is being reencrypted');
    await start(host, { resume: true });

    expect((await headerOf(host, device)).reencryption).toBeUndefined();
    expect(await refused(encrypted(), { resume: true })).toContain('nothing to resume');
  });

  it('refuses a device that is encrypted for the first time, or decrypted', async () => {
    expect(await refused(begun({ mode: 'encrypt' }), { resume: true })).toContain('for the first time');
    expect(await refused(begun({ mode: 'decrypt' }), { resume: true })).toContain('being decrypted');
  });

  it('refuses what could only fail after the commit', async () => {
    const two = encrypted();
    two.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 3: 'anders' } });
    const small = encrypted();
    small.admin.luksFormat({ device, uuid, key: 'geheim', slotRoom: 520_192 });
    const checked = encrypted();
    checked.admin.luksFormat({ device, uuid, key: 'geheim', integrity: true });
    const erased = encrypted();
    await on(erased, (tx) => tx.crypt.erase({ device, uuid }));

    expect(await refused(encrypted(1))).toContain('is LUKS1: bofh reencrypts only LUKS2');
    expect(await refused(two)).toContain('has 2 keys (slots 0, 3)');
    expect(await refused(small)).toContain('free for key slots, but 260 KiB is needed');
    expect(await refused(checked)).toContain('dm-integrity');
    expect(String(await rejectionOf(start(erased)))).toContain('has no key');
    expect(await refused(blankVolume())).toContain('is not a LUKS device');
    expect(await refused(encrypted(), { key: otherKey })).toContain('the key does not open');
  });

  it('refuses a file with a detached header, and an open device', async () => {
    const open = encrypted();
    open.admin.luksOpen(device, 'mine');
    const detached = encrypted();
    detached.admin.luksHeaderBackup(device, '/srv/header');

    expect(await refused(open)).toContain('is in use: beneath /dev/mapper/mine');
    expect(await refused(detached, { device: '/srv/header' })).toContain('is a file with a detached header');
  });

  it.each([
    [{ cipher: 'nosuch-xts-plain64', keySize: 256 }, 'is not supported; supported ciphers'],
    [{ cipher: 'aes-xts-plain64' }, 'needs a key size too: 256 or 512 bits'],
    [{ cipher: 'aes-xts-plain64', keySize: 192 }, 'has keys of 256 or 512 bits, not of 192'],
    [{ keySize: 192 }, 'aes-xts-plain64 has keys of 256 or 512 bits, not of 192'],
    [{ resume: true, keySize: 256 }, 'keeps its cipher'],
  ] as const)('refuses options that contradict each other: %j', async (asked, why) => {
    expect(await refused(encrypted(), asked)).toContain(why);
  });

  it('is stuck when it was opened since, and does nothing', async () => {
    const host = encrypted();
    const before = luks(host);

    const error = await rejectionOf(
      on(host, async (tx) => {
        await tx.crypt.reencrypt({ device, key });
        host.admin.luksOpen(device, 'theirs');
      }),
    );

    expect(String(error)).toContain('StuckError');
    // cryptsetup itself would do it under them.
    expect(programsOf(host)).toEqual([]);
    expect(luks(host)).toEqual(before);
  });

  it('has nothing left to do once others did it', async () => {
    const host = encrypted();

    await on(host, async (tx) => {
      await tx.crypt.reencrypt({ device, key });
      host.admin.luksFormat({ device, uuid, key: 'geheim', volumeKey: 'another' });
    });

    expect(programsOf(host)).toEqual([]);
  });

  it('blocks changes of keys while it runs, and says how to continue', async () => {
    const error = await rejectionOf(on(begun(), (tx) => tx.crypt.addKey({ device, key, newKey: otherKey })));

    expect(String(error)).toContain('online-reencrypt-v2');
    expect(error).toMatchObject({ remedy: expect.stringContaining('bofh crypt reencrypt') as string });
  });
});
