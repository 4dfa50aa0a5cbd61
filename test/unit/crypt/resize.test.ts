import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { device, encrypted, key, on, otherKey, programsOf, undone } from './support.ts';

const mib = 1024 ** 2;
const consent = { shrink: 'lose the data beyond the new size' } as const;
const sizes = (host: SimulatedHost): readonly number[] => host.world.mappings.map(({ size }) => size);

function opened(version: 1 | 2 = 2): SimulatedHost {
  const host = encrypted(version);
  host.admin.luksOpen(device, 'mine');
  return host;
}

async function refused(host: SimulatedHost, args: object): Promise<unknown> {
  const before = host.snapshot();
  const error = await rejectionOf(on(host, (tx) => tx.crypt.resize({ name: 'mine', key, ...args })));
  expect(host.snapshot()).toBe(before);
  return error;
}

describe('crypt.resize', () => {
  it('sets the given size, or without one that of the device', async () => {
    const host = opened();

    expect(await on(host, (tx) => tx.crypt.resize({ name: 'mine', size: '16m', key, ...consent }))).toEqual({
      ...{ name: 'mine', path: '/dev/mapper/mine', was: 48 * mib, size: 16 * mib },
    });
    expect(await on(host, (tx) => tx.crypt.resize({ device, key }))).toMatchObject({
      was: 16 * mib,
      size: 48 * mib,
    });
    expect(programsOf(host)).toEqual([
      'cryptsetup resize --device-size 16777216 --key-file=- mine',
      'cryptsetup resize --device-size 50331648 --key-file=- mine',
    ]);
  });

  it('needs no key for LUKS1, and asks for one for LUKS2', async () => {
    const host = opened(1);

    await on(host, (tx) => tx.crypt.resize({ name: 'mine', size: 16 * mib, ...consent }));

    expect(programsOf(host)).toEqual(['cryptsetup resize --device-size 16777216 mine']);
    const error = await rejectionOf(
      on(opened(), (tx) => tx.crypt.resize({ name: 'mine', size: 16 * mib, ...consent })),
    );
    expect(String(error)).toContain('only with a key');
  });

  it.each([16, 48])('is undone, from 32 MiB to %d', async (to) => {
    const host = opened();
    await on(host, (tx) => tx.crypt.resize({ name: 'mine', size: 32 * mib, key, ...consent }));
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.resize({ name: 'mine', size: to * mib, key, ...consent }));

    expect(host.snapshot()).toBe(before);
  });

  it('leaves alone a third size, which others set', async () => {
    const host = opened();

    await undone(host, async (tx) => {
      await tx.crypt.resize({ name: 'mine', size: 32 * mib, key, ...consent });
      for (const mapping of host.world.mappings) mapping.size = 24 * mib;
      host.world.revision += 1;
    });

    expect(sizes(host)).toEqual([24 * mib]);
  });

  it('to the current size runs nothing, forwards and back', async () => {
    const host = opened();

    expect(await on(host, (tx) => tx.crypt.resize({ name: 'mine', key }))).toMatchObject({
      was: 48 * mib,
      size: 48 * mib,
    });
    await undone(host, (tx) => tx.crypt.resize({ name: 'mine', size: 48 * mib, key }));

    expect(programsOf(host)).toEqual([]);
    expect(sizes(host)).toEqual([48 * mib]);
  });

  it('refuses a size beyond the device, and one that is no whole sectors', async () => {
    expect(String(await refused(opened(), { size: 49 * mib }))).toContain('has space for 48 MiB');
    expect(await refused(opened(), { size: 16 * mib + 100 })).toBeInstanceOf(UsageError);
    expect(await refused(opened(), { size: 0 })).toBeInstanceOf(UsageError);
    expect(await refused(opened(), { device })).toBeInstanceOf(UsageError);
  });

  it('refuses what is closed', async () => {
    expect(String(await refused(encrypted(), {}))).toContain('is not open as a LUKS device');
  });

  it('with a wrong key leaves it unchanged', async () => {
    const error = await refused(opened(), { size: 16 * mib, key: otherKey, ...consent });

    expect(String((error as Error).cause)).toContain('No key available');
  });
});
