import { ensurable } from '../atomic/ensure.ts';
import { deviceNode, keysOf, mountEntries } from '../blockdevice/index.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import * as operations from './operations.ts';
import { rowOf } from './operations/table.ts';
import { wordsOf } from './options.ts';
import { isOf } from './step-mount.ts';
import { realPath } from './paths.ts';
import { parseCrypttab } from './tab/crypttab.ts';
import { parseFstab } from './tab/fstab.ts';
import { readTable } from './tab/table-file.ts';
import { keyOfFstab, refuseUnread, tables } from './tab/tables.ts';
import { mountsAt, userEntries } from './table.ts';

/**
 * Mounts a device, or does nothing if it is mounted at `path` as requested. Needs `path`. Compares
 * the device, its root directory, type, mode and options.
 */
export const mount = ensurable(operations.mount, async (host, { device, path, type, options, mode }) => {
  if (path === undefined)
    throw new UsageError('ensure needs the mount point', { remedy: 'give it as `path`' });
  const { path: node, number } = await deviceNode(host, device);
  const real = await realPath(host, path);
  const there = mountsAt(await mountEntries(host), real).at(-1);
  if (there === undefined) return undefined;
  const { key, beneath } = await keysOf(host, node);
  const words = wordsOf(options);
  const byUser = (await userEntries(host)).find((entry) => entry.path === real)?.options ?? [];
  const all = new Set([...`${there.options},${there.superOptions}`.split(','), ...byUser]);
  return {
    what: `a mount on ${real}`,
    keys: [`mnt:${real}`, key, ...beneath],
    compared: {
      device: [node, (await isOf(host, there, number)) ? node : there.source],
      // btrfs mounts a subvolume; any other root is a bind mount of a directory.
      root: ['/', there.type === 'btrfs' ? '/' : there.root],
      type: [type, there.type],
      mode: [mode, all.has('ro') ? 'ro' : 'rw'],
      options: [words, words.filter((word) => holds(all, word))],
    },
    value: { path: real },
    show: `findmnt ${inShell(real)}`,
  };
});

/**
 * Whether an option is set. The kernel does not list its defaults; a path of a subvolume that it
 * shows begins with a slash.
 */
function holds(all: ReadonlySet<string>, word: string): boolean {
  if (word === 'defaults') return true;
  if (['suid', 'dev', 'exec'].includes(word)) return !all.has(`no${word}`);
  return all.has(word.replace(/^subvol=(?=[^/])/, 'subvol=/'));
}

/** Returns the only line for a key; undefined: there is none. */
async function lineOf(
  host: ReadHost,
  of: { readonly table: keyof typeof tables; readonly path: string | undefined; readonly key: string },
) {
  const { table, path = tables[table].path, key } = of;
  const { file, content = '' } = await readTable(host, path);
  const known = tables[table].parse(content);
  refuseUnread(table, { file, unread: known.unread, key });
  if (!known.lines.some((each) => each.key === key)) return undefined;
  const row = rowOf({ file, known, key, table });
  const found = {
    what: `the line for ${key} in ${file}`,
    keys: [`file:${file}`],
    value: { file, line: row.text as string | null },
    show: `sed -n ${String(row.number)}p ${file}`,
  };
  return { found, content, number: row.number };
}

/**
 * Adds a line to /etc/fstab, or does nothing if a line with these fields exists, with options in
 * any order.
 */
export const addFstab = ensurable(operations.addFstab, async (host, args) => {
  const { source, type, options, dump, pass } = args;
  const line = await lineOf(host, { table: 'fstab', path: args.file, key: keyOfFstab(args) });
  if (line === undefined) return undefined;
  const there = parseFstab(line.content).lines.find(({ number }) => number === line.number);
  return {
    ...line.found,
    compared: {
      source: [source, there?.source],
      type: [type, there?.type],
      options: [inOrder(options, ['defaults']), inOrder(there?.options)],
      dump: [dump, there?.dump],
      pass: [pass, there?.pass],
    },
  };
});

/**
 * Adds a line to /etc/crypttab, or does nothing if a line with these fields exists, with options in
 * any order.
 */
export const addCrypttab = ensurable(operations.addCrypttab, async (host, args) => {
  const line = await lineOf(host, { table: 'crypttab', path: args.file, key: args.name });
  if (line === undefined) return undefined;
  const there = parseCrypttab(line.content).lines.find(({ number }) => number === line.number);
  return {
    ...line.found,
    compared: {
      device: [args.device, there?.device],
      key: [args.key, there?.key],
      options: [inOrder(args.options), inOrder(there?.options)],
    },
  };
});

function inOrder(options: readonly string[] | undefined, ifNone: readonly string[] = []) {
  return options?.length === 0 ? ifNone : options?.toSorted();
}
