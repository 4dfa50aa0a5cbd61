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
 * Returns the content with a table, as sfdisk writes it: both copies, or the one sector of dos. The
 * model stores it as JSON within its frame.
 */
export function withTable(content: Content, size: number, table: Table): Content {
  const json = Buffer.from(JSON.stringify(table));
  const signed = Buffer.alloc(sector);
  signed.set([0x55, 0xaa], 510);
  if (table.type === 'dos') {
    signed.set(json);
    signed.writeUInt32LE(json.length, 440);
    return withBytes(content, 0, signed);
  }
  const copy = Buffer.alloc((backupSectors - 1) * sector);
  copy.writeUInt32LE(json.length, 0);
  copy.set(json, 4);
  const header = Buffer.alloc(sector);
  header.set(efiPart);
  header.set(diskGuid(table.id), 56);
  const last = withBytes(content, size - backupSectors * sector, Buffer.concat([copy, header]));
  return withBytes(last, 0, Buffer.concat([signed, header, copy]));
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
  const parsed = (json: Buffer): Table => JSON.parse(json.toString('utf8')) as Table;
  for (const [header, copy] of [
    [sector, 2 * sector],
    [size - sector, size - backupSectors * sector],
  ] as const) {
    if (!read(header, 8).equals(efiPart)) continue;
    const bytes = read(copy, copyLength);
    const length = bytes.readUInt32LE(0);
    if (length > 0) return parsed(bytes.subarray(4, 4 + length));
  }
  const first = read(0, sector);
  const length = first.readUInt32LE(440);
  return first.readUInt16LE(510) === 0xaa55 && length > 0 ? parsed(first.subarray(0, length)) : undefined;
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
