import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { luks2MetadataAt } from '../../../src/crypt/luks2.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';

const size = 16_384;

/** One copy of a header as cryptsetup writes it (LUKS2 On-Disk Format Specification, 2.1). */
function copy(which: 'first' | 'second', sequence: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.write(which === 'first' ? 'LUKS\u00ba\u00be' : 'SKUL\u00ba\u00be', 0, 'latin1');
  bytes.writeUInt16BE(2, 6);
  bytes.writeBigUInt64BE(BigInt(size), 8);
  bytes.writeBigUInt64BE(BigInt(sequence), 16);
  bytes.write('sha256', 72);
  bytes.writeBigUInt64BE(which === 'first' ? 0n : BigInt(size), 256);
  bytes.write(JSON.stringify({ written: sequence }), 4096);
  createHash('sha256').update(bytes).digest().copy(bytes, 448);
  return bytes;
}

async function read(first: Buffer, second: Buffer): Promise<unknown> {
  const host = simulatedHost();
  host.admin.writeFile('/srv/header', Buffer.concat([first, second]));
  return luks2MetadataAt(host, '/srv/header');
}

function damaged(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

describe('the two copies of a LUKS2 header', () => {
  it('are equal: either is read', async () => {
    expect(await read(copy('first', 3), copy('second', 3))).toEqual({ text: '{"written":3}' });
  });

  it.each(['first', 'second'] as const)(
    '%s is damaged: the other one is used, and reported',
    async (which) => {
      const copies = { first: copy('first', 3), second: copy('second', 3) };
      // A digit of the number: it is JSON still, and only the checksum tells.
      damaged(copies[which], 4096 + '{"written":'.length);

      expect(await read(copies.first, copies.second)).toEqual({ text: '{"written":3}', damagedCopy: which });
    },
  );

  it('one is older after a crash between both writes: the newer one is used', async () => {
    expect(await read(copy('first', 4), copy('second', 3))).toEqual({
      ...{ text: '{"written":4}', damagedCopy: 'second' },
    });
    expect(await read(copy('first', 3), copy('second', 4))).toEqual({
      ...{ text: '{"written":4}', damagedCopy: 'first' },
    });
  });

  it('are both damaged: an error', async () => {
    const [first, second] = [copy('first', 3), copy('second', 3)];

    expect(await read(damaged(first, 4096), damaged(second, 4096))).toBe('damaged');
  });
});
