import { kept, portion, type Keep, type Some } from './world.ts';

/** A file of the state directory: what programs read, what the disk has, and the changes in between. */
export interface Inode {
  readonly number: number;
  data: Buffer;
  durable: Buffer;
  /** Since the last sync, in order. A failed one forgets them: the pages count as clean then. */
  changes: readonly Change[];
}

type Change = { readonly from: number; readonly bytes: Buffer } | { readonly length: number };

interface Renaming {
  readonly name: string;
  readonly inode: number | undefined;
}

/** Files and names of the state directory in memory. Without locks: those are with the processes. */
export interface MemoryFiles {
  readonly names: Map<string, number>;
  readonly inodes: Map<number, Inode>;
  /** Bytes left on the disk. */
  free: number;
  copy(): MemoryFiles;
  add(name: string): Inode;
  write(inode: Inode, bytes: Buffer, position: number): number;
  truncate(inode: Inode, length: number): void;
  sync(inode: Inode): void;
  failSync(inode: Inode): void;
  rename(from: string, to: string): void;
  remove(name: string): void;
  syncNames(folder: string): void;
  cutPower(keep: Keep, some: Some): void;
}

interface Parts {
  readonly names: Map<string, number>;
  readonly durableNames: Map<string, number>;
  readonly inodes: Map<number, Inode>;
  readonly renamings: readonly (readonly Renaming[])[];
  readonly free: number;
}

export function memoryFiles(
  parts: Parts = {
    names: new Map(),
    durableNames: new Map(),
    inodes: new Map(),
    renamings: [],
    free: Number.POSITIVE_INFINITY,
  },
): MemoryFiles {
  const { names, durableNames, inodes } = parts;
  let renamings = parts.renamings;
  const point = (changes: readonly Renaming[]): void => {
    for (const { name, inode } of changes) point1(names, { name, inode });
    renamings = [...renamings, changes];
  };
  const files: MemoryFiles = {
    names,
    inodes,
    free: parts.free,
    copy: () =>
      memoryFiles({
        names: new Map(names),
        durableNames: new Map(durableNames),
        inodes: new Map([...inodes].map(([number, inode]) => [number, { ...inode }])),
        renamings,
        free: files.free,
      }),
    add: (name) => {
      const inode = { number: inodes.size + 1, data: Buffer.alloc(0), durable: Buffer.alloc(0), changes: [] };
      inodes.set(inode.number, inode);
      point([{ name, inode: inode.number }]);
      return inode;
    },
    write: (inode, bytes, position) => {
      const growth = Math.max(0, position + bytes.length - inode.data.length);
      const taken = bytes.length - Math.max(0, growth - files.free);
      if (taken <= 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      const part = bytes.subarray(0, taken);
      files.free -= Math.min(growth, files.free);
      change(inode, { from: position, bytes: part });
      return taken;
    },
    truncate: (inode, length) => {
      files.free += Math.max(0, inode.data.length - length);
      change(inode, { length });
    },
    sync: (inode) => {
      for (const each of inode.changes) inode.durable = changed(inode.durable, each);
      inode.changes = [];
    },
    failSync: (inode) => {
      inode.changes = [];
    },
    rename: (from, to) => {
      point([
        { name: to, inode: names.get(from) },
        { name: from, inode: undefined },
      ]);
    },
    remove: (name) => {
      const inode = inodes.get(names.get(name) ?? -1);
      if (inode === undefined) return;
      files.free += inode.data.length;
      point([{ name, inode: undefined }]);
    },
    syncNames: (folder) => {
      const here = (renaming: readonly Renaming[]): boolean =>
        renaming.some(({ name }) => folderOf(name) === folder);
      for (const each of renamings.filter(here)) for (const one of each) point1(durableNames, one);
      renamings = renamings.filter((each) => !here(each));
    },
    cutPower: (keep, some) => {
      for (const each of kept(renamings, keep, some)) for (const one of each) point1(durableNames, one);
      renamings = [];
      names.clear();
      for (const [name, inode] of durableNames) names.set(name, inode);
      for (const inode of inodes.values())
        if (typeof keep === 'object' && 'seed' in keep) scatter(inode, some);
        else crop(inode, keep);
    },
  };
  return files;
}

function point1(names: Map<string, number>, { name, inode }: Renaming): void {
  if (inode === undefined) names.delete(name);
  else names.set(name, inode);
}

export function folderOf(name: string): string {
  return name.startsWith('history/') ? 'history' : '.';
}

function change(inode: Inode, one: Change): void {
  inode.data = changed(inode.data, one);
  inode.changes = [...inode.changes, one];
}

function changed(data: Buffer, one: Change): Buffer {
  if ('length' in one) return data.subarray(0, one.length);
  if (one.from === 0 && one.bytes.length >= data.length) return one.bytes;
  const gap = Buffer.alloc(Math.max(0, one.from - data.length));
  return Buffer.concat([
    data.subarray(0, one.from),
    gap,
    one.bytes,
    data.subarray(one.from + one.bytes.length),
  ]);
}

const sector = 512;

/**
 * Of what was not synced any sector may be on the disk. One that is not, before one that is, reads as zeros where the file was not
 * that long; and the length may be there without the bytes.
 */
function scatter(inode: Inode, some: Some): void {
  for (const each of inode.changes) {
    if ('length' in each) {
      if (some()) inode.durable = changed(inode.durable, each);
      continue;
    }
    const end = each.from + each.bytes.length;
    for (let from = each.from; from < end; from = (Math.floor(from / sector) + 1) * sector) {
      const to = Math.min(end, (Math.floor(from / sector) + 1) * sector);
      const bytes = each.bytes.subarray(from - each.from, to - each.from);
      if (some()) inode.durable = changed(inode.durable, { from, bytes: Buffer.from(bytes) });
    }
    if (end > inode.durable.length && some())
      inode.durable = Buffer.concat([inode.durable, Buffer.alloc(end - inode.durable.length)]);
  }
  inode.changes = [];
  inode.data = inode.durable;
}

/** Of the last change that was not synced a part may be on the disk: a torn line. */
function crop(inode: Inode, keep: Keep): void {
  const last = inode.changes.at(-1);
  if (last === undefined) {
    inode.data = inode.durable;
    return;
  }
  for (const each of inode.changes.slice(0, -1))
    if (keep !== 'none') inode.durable = changed(inode.durable, each);
  if ('bytes' in last) {
    const length =
      typeof keep === 'object' && 'bytes' in keep ? keep.bytes : portion(keep, last.bytes.length);
    if (length > 0)
      inode.durable = changed(inode.durable, { from: last.from, bytes: last.bytes.subarray(0, length) });
  } else if (keep === 'whole') inode.durable = changed(inode.durable, last);
  inode.changes = [];
  inode.data = inode.durable;
}
