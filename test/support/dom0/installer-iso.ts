const sectorSize = 2048;

/** Code for a BIOS (at 0x7c00): writes one sector of the first disk (INT 13h, AH=3) from a buffer in memory, and halts. */
function boot(sector: number, buffer: number): Buffer {
  const code = Buffer.alloc(512);
  Buffer.from([
    ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c], // segments 0, stack below the code
    ...[0xb8, 0x01, 0x03, 0xbb, buffer & 0xff, buffer >> 8, 0xb9, sector, 0x00, 0xba, 0x80, 0x00, 0xcd, 0x13],
    ...[0xf4, 0xeb, 0xfd], // hlt, again after each interrupt
  ]).copy(code);
  code.writeUInt16LE(0xaa55, 510);
  return code;
}

/**
 * An ISO image with the smallest installer (El Torito, without emulation): it writes a boot sector to the first disk.
 * That boot sector copies itself to the second sector, so that a test sees that the disk was booted.
 */
export function installerIso(): Buffer {
  const [blank, primary, record, end, catalog] = [0, 1, 2, 3, 4].map(() => Buffer.alloc(sectorSize));
  for (const [type, descriptor] of [
    [1, primary],
    [0, record],
    [255, end],
  ] as const)
    descriptor?.write(`${String.fromCharCode(type)}CD001\u0001`, 'latin1');
  record?.write('EL TORITO SPECIFICATION', 7, 'latin1');
  record?.writeUInt32LE(19, 0x47);
  // The validation entry: its words add up to 0.
  catalog?.writeUInt8(1, 0);
  catalog?.writeUInt16LE(0xaa55, 30);
  catalog?.writeUInt16LE(0x10000 - 0xaa55 - 1, 28);
  // The default entry: bootable, four sectors of 512 bytes from sector 20.
  catalog?.writeUInt8(0x88, 32);
  catalog?.writeUInt16LE(4, 38);
  catalog?.writeUInt32LE(20, 40);
  const program = Buffer.alloc(sectorSize);
  Buffer.concat([boot(1, 0x7e00), boot(2, 0x7c00)]).copy(program);
  const parts = [...Array.from({ length: 16 }, () => blank), primary, record, end, catalog, program];
  return Buffer.concat(parts.flatMap((part) => part ?? []));
}
