import { ensurable } from '../atomic/ensure.ts';
import { type FileStat, inShell, type ReadHost } from '../command/index.ts';
import { aclChange, type AclRequest, ownMode } from './acl.ts';
import { bytesOf, realParent, sha256 } from './path.ts';
import * as operations from './operations.ts';
import { type XattrRequest, xattrsOf } from './xattr.ts';

/**
 * Creates a file, or does nothing if one with this content, mode and owner (root, or the user who
 * runs bofh) exists. If the content differs, the error has only digests, because contents can be
 * secret.
 */
export const create = ensurable(operations.create, async (host, args) => {
  const { path, mode = 0o644, uid = userOf(host), gid } = args;
  const content = bytesOf(args);
  await realParent(host, path);
  const stat = await host.stat(path);
  if (stat === undefined) return undefined;
  const size = content.length;
  const isRead = stat.kind === 'file' && stat.size === size;
  return {
    what: `the ${stat.kind} ${path}`,
    keys: [`file:${path}`],
    compared: {
      kind: ['file', stat.kind],
      size: [size, stat.size],
      ...(isRead ? { content: [digest(content), digest(await host.readFile(path))] as const } : {}),
      ...(await comparedMode(host, stat, { ...args, mode })),
      ...(await comparedXattrs(host, stat, args)),
      owner: [uid, stat.uid],
      group: [gid, stat.gid],
    },
    value: { path },
    show: `stat ${inShell(path)}`,
  };
});

/**
 * Creates a directory, or does nothing if one with this mode and owner (root, or the user who runs
 * bofh) exists. Its content is not compared.
 */
export const createDirectory = ensurable(operations.createDirectory, async (host, args) => {
  const { path, mode = 0o755, uid = userOf(host), gid } = args;
  await realParent(host, path);
  const stat = await host.stat(path);
  if (stat === undefined) return undefined;
  return {
    what: `the ${stat.kind} ${path}`,
    keys: [`file:${path}`],
    compared: {
      kind: ['directory', stat.kind],
      ...(await comparedMode(host, stat, { ...args, mode })),
      ...(await comparedXattrs(host, stat, args)),
      owner: [uid, stat.uid],
      group: [gid, stat.gid],
    },
    value: { path },
    show: `ls -ld ${inShell(path)}`,
  };
});

async function comparedMode(
  host: ReadHost,
  stat: FileStat,
  { path, mode, ...lists }: AclRequest & { readonly path: string; readonly mode: number },
) {
  const isListed = stat.kind === 'file' || stat.kind === 'directory';
  const change = isListed ? await aclChange(host, path, { stat, mode, ...lists }) : undefined;
  if (change === undefined) return { mode: [mode, stat.mode] as const };
  const { before, after } = change;
  return {
    mode: [ownMode(after), ownMode(before)] as const,
    acl: [after.acl, before.acl] as const,
    'default acl': [after.defaultAcl, before.defaultAcl] as const,
  };
}

async function comparedXattrs(
  host: ReadHost,
  { kind }: FileStat,
  { path, xattrs }: XattrRequest & { readonly path: string },
) {
  if (xattrs === undefined || (kind !== 'file' && kind !== 'directory')) return {};
  const now = await xattrsOf(host, path, Object.keys(xattrs));
  return Object.fromEntries(
    Object.entries(xattrs).map(([name, value]) => [
      `xattr ${name}`,
      [value ?? undefined, now[name] ?? undefined] as const,
    ]),
  );
}

function userOf(host: ReadHost & { readonly user?: number }): number {
  return host.user ?? 0;
}

function digest(content: Uint8Array | string): string {
  return `sha256:${sha256(content)}`;
}
