import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/core/errors.ts';
import { filledInWords, fillingOf, refuseFullPool, refuseFullSnapshot } from '../../../src/lvm/filling.ts';
import { usableVg } from '../../../src/lvm/reads.ts';
import type { LogicalVolume } from '../../../src/lvm/objects.ts';
import { FakeLvm } from './fake-lvm.ts';

async function volume(columns: Record<string, string>, role = 'public'): Promise<LogicalVolume> {
  const lvm = new FakeLvm();
  lvm.add({ name: 'one', active: true, role, columns });
  const [lv] = (await usableVg(lvm.host(), 'vg0')).volumes;
  if (lv === undefined) throw new Error('no volume');
  return lv;
}

const pool = (data_percent: string, metadata_percent: string) =>
  volume({ lv_layout: 'thin,pool', data_percent, metadata_percent }, 'private');
const snapshot = (data_percent: string) => volume({ data_percent }, 'public,snapshot,thicksnapshot');

describe('a thin pool', () => {
  test.each([
    ['10.00', '10.00', 'ok'],
    ['80.00', '10.00', 'near'],
    ['10.00', '80.00', 'near'],
    ['95.00', '10.00', 'full'],
    ['10.00', '95.00', 'full'],
    ['', '', 'unknown'],
    ['10.00', '', 'unknown'],
  ])('with %s %% of its data and %s %% of its metadata: %s', async (data, metadata, filling) => {
    expect(fillingOf(await pool(data, metadata))).toBe(filling);
  });

  test('that is full is refused, with the remedy for its data or metadata', async () => {
    for (const [data, metadata, remedy] of [
      ['95.00', '1.00', 'lvm pool resize vg0/one --size'],
      ['1.00', '99.00', 'lvm pool resize vg0/one --metadata-size'],
    ] as const) {
      const refuse = async () => refuseFullPool(await pool(data, metadata), 'it');
      await expect(refuse()).rejects.toMatchObject({
        message: expect.stringContaining(`data ${Number(data)} %, metadata ${Number(metadata)} %`) as string,
        remedy: expect.stringContaining(remedy) as string,
      });
    }
  });

  test('with unknown usage is refused, and one with space is not', async () => {
    const unknown = await pool('', '');
    expect(() => refuseFullPool(unknown, 'it')).toThrow(RefusedError);
    const roomy = await pool('94.99', '94.99');
    expect(() => refuseFullPool(roomy, 'it')).not.toThrow();
  });
});

describe('a snapshot', () => {
  test('is refused when it is full', async () => {
    const full = await snapshot('95.00');
    expect(() => refuseFullSnapshot(full, 'merging it')).toThrow(
      /vg0\/one is full \(data 95 %\): merging it is not started/,
    );
    const roomy = await snapshot('94.99');
    expect(() => refuseFullSnapshot(roomy, 'it')).not.toThrow();
  });
});

test('thin and plain volumes have no limit of their own', async () => {
  expect(
    fillingOf(await volume({ lv_layout: 'thin,sparse', pool_lv: 'p', data_percent: '100.00' })),
  ).toBeUndefined();
  const plain = await volume({});
  expect(fillingOf(plain)).toBeUndefined();
  expect(filledInWords(plain)).toBe('usage unknown');
});
