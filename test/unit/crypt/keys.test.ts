import { describe, expect, it } from 'vitest';
import { IdentityTaken } from '../../../src/core/errors.ts';
import { addKey } from '../../../src/crypt/operations/keys.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { recoverAll } from '../../../src/simulator/matrix/trial.ts';
import {
  blankVolume,
  contentOf,
  device,
  encrypted,
  key,
  on,
  otherKey,
  programsOf,
  undone,
  uuid,
} from './support.ts';

const slots = (host: SimulatedHost): readonly number[] =>
  contentOf(host)?.luks?.slots.map(({ slot }) => slot) ?? [];

/** Two keys, in slots 0 and 3. */
function twoKeys(): SimulatedHost {
  const host = blankVolume();
  host.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 3: 'anders' } });
  return host;
}

async function refused(host: SimulatedHost, work: () => Promise<unknown>): Promise<string> {
  const before = host.snapshot();
  const error = await rejectionOf(work());
  expect(host.snapshot()).toBe(before);
  const { cause } = error as Error;
  return `${String(error)} ${cause instanceof Error ? cause.message : ''}`;
}

describe('crypt.addKey', () => {
  it.each([1, 2] as const)(
    'adds one to LUKS%d in the lowest free slot, or in the given one',
    async (version) => {
      const host = encrypted(version);

      expect(await on(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey }))).toEqual({ slot: 1 });
      expect(
        await on(host, (tx) => tx.crypt.addKey({ device, key: otherKey, newKey: key, slot: 7 })),
      ).toEqual({ slot: 7 });

      expect(slots(host)).toEqual([0, 1, 7]);
      const cost = version === 1 ? '--pbkdf pbkdf2' : '--pbkdf argon2id --pbkdf-memory 262144';
      expect(programsOf(host)[0]).toBe(
        `cryptsetup luksAddKey --batch-mode --key-slot 1 ${cost} --key-file=- ${device} /proc/self/fd/4`,
      );
    },
  );

  it.each([
    [{ pbkdf: 'argon2id', pbkdfMemory: '64m' }, '--pbkdf argon2id --pbkdf-memory 65536'],
    [{ pbkdf: 'pbkdf2', pbkdfTimeMs: 100 }, '--pbkdf pbkdf2 --iter-time 100'],
  ] as const)('uses the given key derivation: %j', async (cost, words) => {
    const host = encrypted();

    await on(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey, ...cost }));
    await on(host, (tx) => tx.crypt.changeKey({ device, key: otherKey, newKey: key, ...cost }));

    expect(programsOf(host).filter((line) => line.includes(`${words} --key-file=-`))).toHaveLength(2);
  });

  it.each([
    [1, { pbkdf: 'argon2id' }, /LUKS1 supports only pbkdf2/],
    [1, { pbkdfMemory: '64m' }, /pbkdf2 uses no memory/],
    [2, { pbkdf: 'pbkdf2', pbkdfMemory: '64m' }, /pbkdf2 uses no memory/],
    [2, { pbkdfMemory: '900g' }, /is available/],
  ] as const)('of LUKS%d refuses %j before anything changes', async (version, cost, why) => {
    const host = encrypted(version);
    const before = host.snapshot();

    await expect(
      on(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey, ...cost })),
    ).rejects.toThrow(why);

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host)).toEqual([]);
  });

  it('is undone by destroying its slot, and no other', async () => {
    const host = twoKeys();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey }));

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host).at(-1)).toBe(`cryptsetup luksKillSlot --batch-mode ${device} 1`);
  });

  it('killed before its slot was recorded is found by its key', async () => {
    const host = encrypted();
    const before = host.snapshot();
    host.fault({ tool: 'cryptsetup', argvIncludes: 'luksAddKey', mode: 'acts then crash' });
    await rejectionOf(on(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey })));
    expect(slots(host)).toEqual([0, 1]);
    host.clearFaults();
    const after = host.restart();

    expect(await recoverAll(after)).toEqual({ how: 'done' });

    expect(after.snapshot()).toBe(before);
  });

  it('leaves alone a slot with another key now', async () => {
    const host = encrypted();

    await undone(host, async (tx) => {
      await tx.crypt.addKey({ device, key, newKey: otherKey });
      host.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 1: 'of others' } });
    });

    expect(slots(host)).toEqual([0, 1]);
  });

  it('keeps the only remaining key, although it added it', async () => {
    const host = encrypted();

    const error = await rejectionOf(
      undone(host, async (tx) => {
        await tx.crypt.addKey({ device, key, newKey: otherKey });
        const [storage, content] = [...host.world.live].find(([, { luks }]) => luks !== undefined) ?? [];
        const left = content?.luks?.slots.filter(({ slot }) => slot === 1) ?? [];
        if (storage !== undefined) host.world.live.set(storage, { ...content, luks: { slots: left } });
      }),
    );

    expect(String(error)).toContain('StuckError');
    expect(slots(host)).toEqual([1]);
  });

  it('is undone with the device of the same sequence', async () => {
    const host = blankVolume();
    const before = host.snapshot();

    await undone(host, async (tx) => {
      await tx.crypt.format({ device, key });
      await tx.crypt.addKey({ device, key, newKey: otherKey });
    });

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host).filter((line) => line.includes('luksKillSlot'))).toEqual([]);
  });

  it('refuses a used slot, an invalid one, a full header, and a wrong key', async () => {
    const add = (host: SimulatedHost, more: object) => () =>
      on(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey, ...more }));
    const host = twoKeys();
    const full = blankVolume();
    const seven = Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 'x']));
    full.admin.luksFormat({ device, uuid, key: 'geheim', version: 1, moreKeys: seven });

    expect(await refused(host, add(host, { slot: 3 }))).toContain('key slot 3 of the LUKS device');
    expect(await refused(host, add(host, { slot: 32 }))).toContain('has no key slot 32');
    expect(await refused(full, add(full, {}))).toContain('all 8 key slots');
    expect(await refused(host, add(host, { key: { from: 'file', path: '/etc/hostname' } }))).toContain(
      'No key available',
    );
  });

  it('refuses an erased device before anything changes', async () => {
    const host = encrypted();
    await on(host, (tx) => tx.crypt.erase({ device, uuid }));

    for (const change of ['addKey', 'changeKey'] as const)
      expect(
        await refused(host, () => on(host, (tx) => tx.crypt[change]({ device, key, newKey: otherKey }))),
      ).toContain('has no key: it has been erased');
  });

  it('takes another slot when its own is used at the last moment', async () => {
    const host = encrypted();
    let dumps = 0;
    host.faults.watch(({ tool, argv }) => {
      // Twice it is prepared; the third look is the one right before the act.
      if (tool === 'dd' && argv.some((word) => word.startsWith('if=')) && (dumps += 1) === 3)
        host.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 1: 'of others' } });
    });

    expect(await on(host, (tx) => tx.crypt.addKey({ device, key, newKey: otherKey }))).toEqual({ slot: 2 });
    expect(slots(host)).toEqual([0, 1, 2]);
  });
});

describe('crypt.changeKey', () => {
  it('writes the new key to its own slot, and destroys the old one after the commit', async () => {
    const host = encrypted();

    const { slot } = await on(host, async (tx) => {
      const made = await tx.crypt.changeKey({ device, key, newKey: otherKey });
      expect(slots(host)).toEqual([0, 1]);
      return made;
    });

    expect(slot).toBe(1);
    expect(slots(host)).toEqual([1]);
  });

  it('finds the slot of the old key', async () => {
    const host = twoKeys();

    await on(host, (tx) =>
      tx.crypt.changeKey({ device, key: otherKey, newKey: { from: 'file', path: '/etc/hostname' } }),
    );

    expect(slots(host)).toEqual([0, 1]);
  });

  it('is undone with both keys unchanged', async () => {
    const host = twoKeys();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.changeKey({ device, key, newKey: otherKey }));

    expect(host.snapshot()).toBe(before);
  });

  it('reports that its key stays, if others removed the old one before the undo', async () => {
    const host = twoKeys();

    const error = await rejectionOf(
      on(host, async (tx) => {
        await tx.crypt.changeKey({ device, key, newKey: otherKey });
        const [storage, content] = [...host.world.live].find(([, { luks }]) => luks !== undefined) ?? [];
        const left = content?.luks?.slots.filter(({ slot }) => slot !== 0) ?? [];
        if (storage !== undefined) host.world.live.set(storage, { ...content, luks: { slots: left } });
        throw new Error('the script failed');
      }),
    );

    expect(slots(host)).toEqual([1, 3]);
    expect(error).toMatchObject({
      leftUntouched: [
        `crypt.changeKey (LUKS device ${uuid}): the old key, in slot 0 of ${device}, was removed by another process; the new key, in slot 1, stays`,
      ],
    });
  });

  it('replaces the key of the data, not that of a killed reencryption', async () => {
    const host = blankVolume();
    host.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 1: 'geheim' } });
    await on(host, (tx) => tx.crypt.removeKey({ device, slot: 0 }));
    host.admin.luksReencrypt({ device, key: 'geheim', done: 'nothing' });
    expect(contentOf(host)?.luks?.slots.find(({ slot }) => slot === 0)?.opens).toBe('nothing');

    await on(host, (tx) => tx.crypt.changeKey({ device, key, newKey: otherKey }));

    expect([...slots(host)].sort()).toEqual([0, 2]);
  });

  it('takes another slot when its slot is taken between the checks', async () => {
    const host = encrypted();
    const args = { device, key, newKey: otherKey };
    const chosen = await addKey.prepare({ args, mark: 'bofh.x.1', host, chosen: undefined });
    await on(host, (tx) => tx.crypt.addKey(args));

    const again = rejectionOf(Promise.resolve(addKey.prepare({ args, mark: 'bofh.x.1', host, chosen })));

    expect(await again).toBeInstanceOf(IdentityTaken);
  });

  it('is finished by recovery after a kill between the commit and the removal of the old key', async () => {
    const host = encrypted();
    host.fault({ tool: 'cryptsetup', argvIncludes: 'luksKillSlot', mode: 'crash here' });
    await rejectionOf(on(host, (tx) => tx.crypt.changeKey({ device, key, newKey: otherKey })));
    host.clearFaults();
    const after = host.restart();

    expect(await recoverAll(after)).toEqual({ how: 'done' });

    expect(slots(after)).toEqual([1]);
  });

  it('refuses a wrong old key', async () => {
    const host = encrypted();

    expect(
      await refused(host, () => on(host, (tx) => tx.crypt.changeKey({ device, key: otherKey, newKey: key }))),
    ).toContain('does not open any slot');
  });

  it('refuses one file as both keys, because the old key would still open the device', async () => {
    const host = encrypted();

    expect(
      await refused(host, () => on(host, (tx) => tx.crypt.changeKey({ device, key, newKey: key }))),
    ).toContain('is the old key and the new one: nothing would change');
  });

  it('refuses an old key in two slots, because it would still open the device', async () => {
    const host = blankVolume();
    host.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 3: 'geheim' } });

    expect(
      await refused(host, () => on(host, (tx) => tx.crypt.changeKey({ device, key, newKey: otherKey }))),
    ).toContain(`opens 2 slots of ${device} (0, 3), but only one would be replaced`);
    await on(host, (tx) => tx.crypt.removeKey({ device, slot: 3 }));
    await on(host, (tx) => tx.crypt.changeKey({ device, key, newKey: otherKey }));
  });
});

describe('crypt.removeKey', () => {
  it('destroys the slot after the commit', async () => {
    const host = twoKeys();

    await on(host, async (tx) => {
      await tx.crypt.removeKey({ device, slot: 0 });
      expect(slots(host)).toEqual([0, 3]);
    });

    expect(slots(host)).toEqual([3]);
  });

  it('refuses the last key, and a slot without one', async () => {
    const one = encrypted();
    const two = twoKeys();

    expect(await refused(one, () => on(one, (tx) => tx.crypt.removeKey({ device, slot: 0 })))).toContain(
      'the last key',
    );
    expect(await refused(two, () => on(two, (tx) => tx.crypt.removeKey({ device, slot: 1 })))).toContain(
      'no key in slot 1',
    );
  });

  it('keeps the last key, when others were removed meanwhile', async () => {
    const host = twoKeys();

    const error = await rejectionOf(
      on(host, async (tx) => {
        await tx.crypt.removeKey({ device, slot: 0 });
        await tx.crypt.removeKey({ device, slot: 3 });
      }),
    );

    expect(String(error)).toContain('StuckError');
    expect(slots(host)).toEqual([3]);
  });

  it('keeps a key that others wrote to that slot since', async () => {
    const host = twoKeys();

    await on(host, async (tx) => {
      await tx.crypt.removeKey({ device, slot: 3 });
      host.admin.luksFormat({ device, uuid, key: 'geheim', moreKeys: { 3: 'of others' } });
    });

    expect(slots(host)).toEqual([0, 3]);
  });
});
