import { posix } from 'node:path';
import { CommandError } from '../../core/errors.ts';
import type { Command } from '../../command/index.ts';
import { lineOf } from '../tools/account/accounts.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';
import { ask } from './ask.ts';
import { pageIn } from './overlay.ts';

/**
 * Prepares a command about accounts: the model has the tables, and the real host knows everything
 * else.
 */
export async function prepareAccounts<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const { tool, argv, access } = command;
  for (const path of ['/etc/passwd', '/etc/group']) await pageIn(world, path, 'content');
  for (const path of ['/etc/shadow', '/etc/gshadow'])
    await pageIn(world, path, 'content').catch((error: unknown) => {
      if (!(error instanceof CommandError) || error.reason !== 'denied') throw error;
    });
  if (tool === 'getent') {
    const [table, name = ''] = argv;
    const isKnown = (table === 'passwd' || table === 'group') && lineOf(world, table, name) !== undefined;
    return isKnown ? undefined : ask(overlay, command);
  }
  if (tool === 'useradd' && argv.includes('--create-home')) await pageInAll(world, '/etc/skel');
  if (tool !== 'setpriv') return undefined;
  const [home = '', name = ''] = argv.slice(argv.indexOf('-') + 2);
  const path = posix.join(home, '.ssh', access === 'read' ? name : 'authorized_keys');
  await pageIn(world, path, 'stat');
  const there = resolve(world, path, 'keep');
  if (access !== 'read' || !there.found || there.inode.real === undefined) return undefined;
  // The user of the file reads it, by its name on the real host: bofh itself would follow a link of
  // that user.
  return ask(overlay, command, [...argv.slice(0, -1), posix.basename(there.inode.realPath ?? path)]);
}

async function pageInAll(world: World, path: string): Promise<void> {
  await pageIn(world, path, 'stat');
  const there = resolve(world, path, 'keep');
  if (!there.found) return;
  if (there.inode.kind === 'file') await pageIn(world, path, 'content');
  if (there.inode.kind !== 'directory') return;
  await pageIn(world, path, 'names');
  const listed = resolve(world, path, 'keep');
  for (const name of listed.found ? (listed.inode.entries?.keys() ?? []) : [])
    await pageInAll(world, posix.join(path, name));
}
