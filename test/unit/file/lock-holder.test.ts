import { expect, test } from 'vitest';
import { lockHolder } from '../../../src/file/lock-holder.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';

const path = '/srv/pool/home/lock';

/** A host on which the process 77 has locked a file of this number and opened this path. */
async function locked(open: string, number: string): Promise<SimulatedHost> {
  const host = simulatedHost();
  pool(host);
  host.admin.writeFile(path, '');
  const stat: SimulatedHost['stat'] = async (at) => {
    const found = await host.stat(at);
    // Each subvolume has a device number of its own (recorded on Linux 6.18).
    return found === undefined || at !== path ? found : { ...found, device: '0:41', inode: '257' };
  };
  return {
    ...host,
    stat,
    readFile: async (at) => {
      if (at === '/proc/locks') return Buffer.from(`1: POSIX  ADVISORY  WRITE 77 ${number}:257 0 EOF\n`);
      return at === '/proc/77/comm' ? Buffer.from('apt-get\n') : host.readFile(at);
    },
    readDir: async (at) => (at === '/proc/77/fd' ? ['0', '4'] : host.readDir(at)),
    readLink: async (at) => {
      if (!at.startsWith('/proc/77/fd/')) return host.readLink(at);
      return at.endsWith('4') ? open : '/dev/null';
    },
  };
}

async function numberOfPool(): Promise<string> {
  const table = Buffer.from(await (await locked(path, '')).readFile('/proc/self/mountinfo')).toString();
  const [major = '', minor = ''] = / (\d+):(\d+) \/ \/srv\/pool /.exec(table)?.slice(1) ?? [];
  return [major, minor].map((part) => Number(part).toString(16).padStart(2, '0')).join(':');
}

test('a lock on a btrfs has the number of the whole filesystem', async () => {
  const host = await locked(path, await numberOfPool());
  expect(await lockHolder(host, [path])).toMatchObject({ pid: 77, command: 'apt-get' });
});

test('a file of another subvolume with the same inode number is not the locked one', async () => {
  const host = await locked('/srv/pool/web10/lock', await numberOfPool());
  expect(await lockHolder(host, [path])).toBeUndefined();
});
