import type { Content } from '../../world/parts.ts';

/** A partition table in the form of the model, in sectors of 512 bytes. */
export interface Table {
  /** Kind of the table. */
  readonly type: 'gpt' | 'dos';
  /** Its id: a UUID, or for dos `0x` and eight hexadecimal digits. */
  readonly id: string;
  /** Its partitions. */
  readonly partitions: readonly TableEntry[];
}

export interface TableEntry {
  /** Its number, from 1. */
  readonly number: number;
  /** Its first sector. */
  readonly start: number;
  /** Its length in sectors. */
  readonly size: number;
  /** Its type: a GUID, or for dos hexadecimal digits. */
  readonly type: string;
  /** Its UUID (gpt). */
  readonly uuid?: string;
  /** Its name (gpt). */
  readonly name?: string;
  /** Whether it has the boot flag. */
  readonly bootable?: boolean;
}

const sector = 512;
/** Length of the boot code, which sfdisk keeps. */
const bootCode = 440;
const backupSectors = 33;
const efiPart = Buffer.from('EFI PART');

/** Returns the content with other bytes written over it, by sector. */
export function withBytes(content: Content, offset: number, bytes: Uint8Array): Content {
  const sectors = new Map(content.sectors ?? []);
  for (let at = 0; at < bytes.length; ) {
    const index = Math.floor((offset + at) / sector);
    const inside = (offset + at) % sector;
    const part = bytes.subarray(at, at + sector - inside);
    const old = Buffer.from(sectors.get(index) ?? new Uint8Array(sector));
    old.set(part, inside);
    sectors.set(index, old);
    at += part.length;
  }
  return { ...content, sectors };
}

/** Returns the content with zeros over whole sectors. */
export function withoutSectors(content: Content, from: number, length: number): Content {
  const { sectors, metadata, ...rest } = content;
  const left = [...(sectors ?? [])].filter(
    ([index]) => index * sector < from || index * sector >= from + length,
  );
  return {
    ...rest,
    ...(metadata === undefined
      ? {}
      : { metadata: { ...metadata, beneath: withoutSectors(metadata.beneath, from, length) } }),
    ...(left.length === 0 ? {} : { sectors: new Map(left) }),
  };
}

/** Copies the written sectors over bytes that start at `from`. */
export function laySectors({ sectors }: Content, bytes: Uint8Array, from: number): void {
  for (const [index, written] of sectors ?? []) {
    const at = index * sector - from;
    if (at > -sector && at < bytes.length)
      bytes.set(written.subarray(Math.max(0, -at), bytes.length - at), Math.max(0, at));
  }
}

/**
 * Returns the content with a table, as sfdisk writes it: both copies, or the first sector of dos.
 * Keeps the boot code at the start. The model stores the entries of a gpt as JSON.
 */
export function withTable(content: Content, size: number, table: Table): Content {
  const signed = Buffer.alloc(sector - bootCode);
  signed.set([0x55, 0xaa], 510 - bootCode);
  if (table.type === 'dos') return withDos(content, signed, table);
  const copy = asJson(table, (backupSectors - 1) * sector);
  const header = Buffer.alloc(sector);
  header.set(efiPart);
  header.set(diskGuid(table.id), 56);
  const last = withBytes(content, size - backupSectors * sector, Buffer.concat([copy, header]));
  return withBytes(last, bootCode, Buffer.concat([signed, header, copy]));
}

/** Stores logical partitions as JSON behind the first sector. */
function withDos(content: Content, signed: Buffer, { id, partitions }: Table): Content {
  signed.writeUInt32LE(Number(id), 0);
  for (const { number, start, size, type, bootable = false } of partitions) {
    if (number > 4) continue;
    const at = dosEntry(number) - bootCode;
    signed.set([bootable ? 0x80 : 0, 0, 0, 0, Number.parseInt(type, 16)], at);
    signed.writeUInt32LE(start, at + 8);
    signed.writeUInt32LE(size, at + 12);
  }
  const logical = partitions.filter(({ number }) => number > 4);
  const primary = withBytes(content, bootCode, signed);
  return logical.length === 0 ? primary : withBytes(primary, sector, asJson(logical, 8 * sector));
}

function dosIn(first: Buffer, behind: Buffer): Table | undefined {
  const id = first.readUInt32LE(bootCode);
  if (first.readUInt16LE(510) !== 0xaa55 || id === 0) return undefined;
  const primary = [1, 2, 3, 4].map((number): TableEntry => {
    const entry = first.subarray(dosEntry(number), dosEntry(number) + 16);
    const [flag, type = 0] = [entry[0], entry[4]];
    const run = { number, start: entry.readUInt32LE(8), size: entry.readUInt32LE(12) };
    return { ...run, type: type.toString(16), ...(flag === 0x80 ? { bootable: true } : {}) };
  });
  const partitions = primary.filter(({ size }) => size > 0);
  const logical = (jsonIn(behind) ?? []) as readonly TableEntry[];
  return {
    type: 'dos',
    id: `0x${id.toString(16).padStart(8, '0')}`,
    partitions: [...partitions, ...logical],
  };
}

function dosEntry(number: number): number {
  return 446 + 16 * (number - 1);
}

function asJson(value: unknown, length: number): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(json.length, 0);
  bytes.set(json, 4);
  return bytes;
}

function jsonIn(bytes: Buffer): unknown {
  const length = bytes.readUInt32LE(0);
  return length > 0 ? JSON.parse(bytes.subarray(4, 4 + length).toString('utf8')) : undefined;
}

/** Returns the table that can be read, from either copy. */
export function tableIn(content: Content | undefined, size: number): Table | undefined {
  if (content?.sectors === undefined || content.superblock !== undefined) return undefined;
  const read = (from: number, count: number): Buffer => {
    const bytes = Buffer.alloc(count);
    laySectors(content, bytes, from);
    return bytes;
  };
  const copyLength = (backupSectors - 1) * sector;
  for (const [header, copy] of [
    [sector, 2 * sector],
    [size - sector, size - backupSectors * sector],
  ] as const) {
    if (!read(header, 8).equals(efiPart)) continue;
    const table = jsonIn(read(copy, copyLength));
    if (table !== undefined) return table as Table;
  }
  return dosIn(read(0, sector), read(sector, 8 * sector));
}

function diskGuid(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  for (const [from, to] of [
    [0, 4],
    [4, 6],
    [6, 8],
  ] as const)
    bytes.subarray(from, to).reverse();
  return bytes;
}
