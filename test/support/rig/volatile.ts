import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { type DiskSpec, diskFiles } from './disks.ts';
import { RigError } from './errors.ts';
import { mustRun } from './process.ts';

// A disk with a volatile write cache, as most have one: what was written is safe once the guest has flushed, and not
// before. QEMU's filter `blklogwrites` writes each request into a log of dm-log-writes' format beside the disk; after a power
// cut the disk is made again from what it was at the start and the log, up to the last flush. Each disk has a cache of its own.

/** The disks with a log each. The devices come last: their place on the bus must be that of a machine without logs. */
export function loggedDiskArgv(files: readonly string[]): readonly string[] {
  return files.flatMap((file, index) => {
    const n = String(index);
    return [
      '-blockdev',
      `driver=qcow2,node-name=disk${n},discard=unmap,file.driver=file,file.filename=${file}`,
      '-blockdev',
      `driver=file,node-name=log${n},filename=${logOf(file)},cache.no-flush=on`,
      '-blockdev',
      `driver=blklogwrites,node-name=logged${n},file=disk${n},log=log${n},discard=unmap`,
      '-device',
      `virtio-blk-pci,drive=logged${n}`,
    ];
  });
}

/** Before a start: the disks are kept as they are, and written to in a layer above, where new logs begin. */
export async function layDisks(options: {
  readonly dir: string;
  readonly disks: readonly DiskSpec[];
}): Promise<void> {
  for (const file of diskFiles(options.dir, options.disks)) {
    const base = `${file}.${String(Date.now())}`;
    await rename(file, base);
    await overlay({ file, base, format: 'qcow2' });
    await writeFile(baseOf(file), base);
    await writeFile(logOf(file), '');
  }
}

/** After the power was cut: nothing is on the disks that was not flushed. */
export async function loseUnflushed(options: {
  readonly dir: string;
  readonly disks: readonly DiskSpec[];
}): Promise<void> {
  for (const file of diskFiles(options.dir, options.disks)) {
    const base = await readFile(baseOf(file), 'utf8');
    const raw = `${base}.raw`;
    await mustRun({ argv: ['qemu-img', 'convert', '-O', 'raw', base, raw], timeoutMs: 120_000 });
    await replay(logOf(file), raw);
    await rm(file);
    await overlay({ file, base: raw, format: 'raw' });
  }
}

/** One request in the log. */
export interface LogEntry {
  readonly what: 'write' | 'flush' | 'discard';
  /** In bytes: on the disk, and in the log. */
  readonly at: number;
  readonly from: number;
  readonly length: number;
}

const magic = 0x6a736677736872n;
const [flush, discard] = [1n, 4n];
const entryBytes = 32;

/** Reads a log as far as its head counts it. Format: drivers/md/dm-log-writes.c of Linux, block/blklogwrites.c of QEMU 7.2. */
export async function readLog(path: string): Promise<readonly LogEntry[]> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(28);
    await file.read(head, 0, head.length, 0);
    // QEMU writes the head at the first flush: before that nothing is safe.
    if (head.every((byte) => byte === 0)) return [];
    if (head.readBigUInt64LE(0) !== magic || head.readBigUInt64LE(8) !== 1n)
      throw new RigError(`${path} is no log of writes`);
    const count = Number(head.readBigUInt64LE(16));
    const sector = head.readUInt32LE(24);
    const entries: LogEntry[] = [];
    const entry = Buffer.alloc(entryBytes);
    for (let position = sector; entries.length < count; ) {
      const { bytesRead } = await file.read(entry, 0, entryBytes, position);
      if (bytesRead < entryBytes) throw new RigError(`${path} ends before its last entry`);
      const flags = entry.readBigUInt64LE(16);
      const at = Number(entry.readBigUInt64LE(0)) * sector;
      const length = Number(entry.readBigUInt64LE(8)) * sector;
      const what = (flags & discard) !== 0n ? 'discard' : length === 0 ? 'flush' : 'write';
      if (what === 'flush' && (flags & flush) === 0n)
        throw new RigError(`${path} has an entry without effect`);
      entries.push({ what, at, from: position + sector, length });
      position += sector + (what === 'write' ? length : 0);
    }
    return entries;
  } finally {
    await file.close();
  }
}

async function replay(log: string, raw: string): Promise<void> {
  const entries = await readLog(log);
  const last = entries.findLastIndex(({ what }) => what === 'flush');
  const [from, to] = [await open(log), await open(raw, 'r+')];
  try {
    for (const { what, at, from: position, length } of entries.slice(0, last + 1)) {
      // What was discarded may hold anything.
      if (what !== 'write') continue;
      const data = Buffer.alloc(length);
      await from.read(data, 0, length, position);
      await to.write(data, 0, length, at);
    }
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

async function overlay(disk: {
  readonly file: string;
  readonly base: string;
  readonly format: 'qcow2' | 'raw';
}): Promise<void> {
  const { file, base, format } = disk;
  const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', format, file];
  await mustRun({ argv, timeoutMs: 60_000 });
}

function logOf(file: string): string {
  return `${file}.log`;
}

function baseOf(file: string): string {
  return `${file}.base`;
}
