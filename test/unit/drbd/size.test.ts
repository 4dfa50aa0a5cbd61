import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import sizes from '../../fixtures/drbdmeta/sizes@9.22.0.json' with { type: 'json' };
import { dataSize, deviceSizeFor, externalMetadata, internalMetadata } from '../../../src/drbd/index.ts';

const mib = 1024 ** 2;

describe("the size of DRBD's metadata", () => {
  it.each(sizes.internal)('is the one of drbdmeta for $format, $device bytes and $peers peers', (made) => {
    const { device, peers } = made;
    expect(internalMetadata(device, { peers })).toBe(made.md_size_sect * 512);
    // The bitmap is what comes first.
    expect(dataSize(device, { peers })).toBe(made.bm_offset);
  });

  it('leaves the size of the kernel: 204756 KiB of 200 MiB', () => {
    expect(dataSize(200 * mib)).toBe(204_756 * 1024);
  });

  it('is never too small: the computed device holds all data, and no extra block', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 45 }), fc.constantFrom(1, 2, 3, 7, 31), (data, peers) => {
        const device = deviceSizeFor(data, { peers });
        expect(dataSize(device, { peers })).toBeGreaterThanOrEqual(data);
        if (device > internalMetadata(device, { peers }) + 4096)
          expect(dataSize(device - 4096, { peers })).toBeLessThan(data);
      }),
    );
  });

  it('is refused on a device that is too small', () => {
    expect(() => dataSize(40_960)).toThrow('has no room');
  });

  it('on an external device is the size of the bitmaps, the superblock and the activity log', () => {
    expect(externalMetadata(64 * mib)).toBe(4096 + 32 * 1024 + 4096);
    expect(externalMetadata(128 * 1024 * mib)).toBe(4096 + 32 * 1024 + 4 * mib);
  });
});
