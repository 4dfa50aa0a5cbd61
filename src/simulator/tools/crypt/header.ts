import { posix } from 'node:path';
import { encodeHeader, type Header } from '../../world/header-file.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { addInode, file as newFile } from '../../world/tree.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { luksAt, noLuks, only, putHeader } from './luks.ts';

/** Writes a new file, whose content is not synced. */
export function luksHeaderBackup(call: ToolCall): ReturnType<ToolModel> {
  const { path, file } = wordsOf(call);
  const { world } = call;
  const found = luksAt(world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (resolve(world, file, 'keep').found)
    return failed(1, `Requested header backup file ${file} already exists.`);
  const isMade = newHeaderFile(world, file, found, 0o400);
  return isMade ? ok() : failed(1, `Cannot create header backup file ${file}.`);
}

/**
 * Writes a new file with a detached header, which is not synced. Returns false if its directory is missing.
 */
export function newHeaderFile(world: World, path: string, header: Header, mode: number): boolean {
  const parent = resolve(world, posix.dirname(path), 'follow');
  if (!parent.found) return false;
  addInode(parent.tree, parent.ino, posix.basename(path), newFile(encodeHeader(header), mode));
  return true;
}

/** Overwrites the header on the device, even if the device is in use. */
export function luksHeaderRestore(call: ToolCall): ReturnType<ToolModel> {
  const { path, file } = wordsOf(call);
  const { world } = call;
  const device = deviceAt(world, path);
  if (device === undefined) return noLuks(path, 'missing');
  if (!resolve(world, file, 'follow').found)
    return failed(
      1,
      `Device ${file} does not exist or access denied.\nHeader backup file does not contain compatible LUKS header.`,
    );
  const header = luksAt(world, file);
  if (typeof header === 'string') return failed(1, 'Backup file does not contain valid LUKS header.');
  putHeader(world, { device, path }, header);
  return ok();
}

function wordsOf(call: ToolCall): { readonly path: string; readonly file: string } {
  const options = readOptions(call, { flags: ['--batch-mode'], values: ['--header-backup-file'] });
  const file = one(options, '--header-backup-file');
  if (file === undefined) throw unmodelled(call, 'it takes a device and --header-backup-file');
  return { path: only(call, options), file };
}
