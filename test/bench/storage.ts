import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atomic, connect, withBofh } from '../../src/index.ts';
import { startSshd } from '../support/sshd/index.ts';
import type { Pair } from './pairs.ts';

const megabyte = 1024 ** 2;
const files = 1500;
const fileSize = 0.1 * megabyte;
/** In MiB. */
const imageSize = 300;

/** Pairs that need root, loop devices and sshd on 127.0.0.1; `close` ends what they use. */
export async function storagePairs(
  dist: string,
  directory: string,
): Promise<{ readonly list: readonly Pair[]; readonly close: () => Promise<void> }> {
  const sshd = await startSshd();
  const loops: string[] = [];
  const mounted: string[] = [];
  const at = (name: string): string => join(directory, name);
  const loop = (name: string): string => {
    writeFileSync(at(name), '');
    truncateSync(at(name), 512 * megabyte);
    const device = sh('losetup --find --show "$0"', at(name)).trim();
    loops.push(device);
    return device;
  };
  mkdirSync(at('tree/etc'), { recursive: true });
  for (let n = 0; n < files; n += 1) writeFileSync(at(`tree/file-${String(n)}`), randomBytes(fileSize));
  sh('tar -C "$0/tree" -cf "$0/guest.tar" .', directory);
  sh('mkfs.ext4 -q -d "$0/tree" "$0/disk.raw" "$1"; rm -r "$0/tree"', directory, `${String(imageSize)}M`);
  const [device, bare] = [loop('ours.img'), loop('theirs.img')];
  const [own, mnt] = [at('own'), at('mnt')];
  for (const each of [own, mnt]) mkdirSync(each);
  writeFileSync(at('disk.sh'), guestDisk);
  writeFileSync(at('disk.ts'), diskScript({ device, root: own, source: at('guest.tar') }));
  const site = at('site.json');
  const hosts = { there: { configFile: sshd.configFile, stateDir: at('there') } };
  writeFileSync(site, JSON.stringify({ hosts }), { mode: 0o600 });
  const env = { ...process.env, BOFH_STATE_DIR: at('state'), BOFH_SITE: site };
  const bofh = (...argv: readonly string[]): void => {
    execFileSync(process.execPath, [join(dist, 'bofh.cjs'), ...argv], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  const here = connect({ stateDir: at('state'), signals: {} });
  const trees = ['ours', 'theirs'].map((name) => {
    const [filesystem, root] = [loop(`${name}-tree.img`), at(`${name}-tree`)];
    mkdirSync(root);
    sh('mkfs.ext4 -q "$0"; mount "$0" "$1"', filesystem, root);
    mounted.push(root);
    return { filesystem, root, uuid: sh('blkid -p -o value -s UUID "$0"', filesystem).trim() };
  });
  const [ourTree, theirTree] = trees;
  if (ourTree === undefined || theirTree === undefined) throw new TypeError('a filesystem is missing');
  const empty = (): void => {
    for (const { root } of trees)
      sh('find "$0" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -r {} +; sync -f "$0"', root);
  };
  const unpacked = async (): Promise<void> => {
    const { filesystem: device, root, uuid: filesystem } = ourTree;
    await withBofh(here, () =>
      atomic('unpack', (tx) =>
        tx.copy.unpack({ source: at('guest.tar'), root, device, filesystem, files: [] }),
      ),
    );
  };
  const bothBlank = (): void => {
    for (const each of [device, bare]) sh('blkdiscard --force "$0" 2>&1', each);
  };
  const copied = async (of: string): Promise<void> => {
    await withBofh(here, () =>
      atomic('copy', (tx) => tx.copy.image({ source: at('disk.raw'), format: 'raw', device: of })),
    );
  };
  return {
    list: [
      {
        name: "a guest's disk: mkfs, mount, unpack 150 MiB, unmount (bofh run)",
        bare: 'a careful shell script',
        goal: 1.2,
        ours: async () => bofh('run', at('disk.ts')),
        theirs: async () => void sh('sh "$0/disk.sh" "$1" "$0/mnt" "$0/guest.tar"', directory, bare),
        clear: bothBlank,
      },
      {
        name: `tx.copy.image of ${String(imageSize)} MiB`,
        bare: 'dd conv=fsync',
        goal: 1.05,
        ours: () => copied(device),
        theirs: async () => void sh('dd if="$0" of="$1" bs=4M conv=fsync status=none', at('disk.raw'), bare),
        clear: bothBlank,
      },
      {
        name: 'tx.copy.unpack of 150 MiB',
        bare: 'tar --extract; sync --file-system',
        goal: 1.05,
        ours: unpacked,
        theirs: async () =>
          void sh(
            'tar -x --numeric-owner -f "$0" -C "$1"; sync -f "$1"',
            ...([at('guest.tar'), theirTree.root] as const),
          ),
        clear: empty,
      },
      {
        name: 'a change on another host (bofh --host there)',
        bare: 'the same command by ssh; node -e 0',
        ours: async () => bofh('--host', 'there', 'block', 'image', 'create', at('remote.img'), '1m'),
        theirs: async () =>
          void sh(
            'ssh -F "$0" there "fallocate -l 1M $1/other.img && sync $1/other.img"; "$2" -e 0',
            ...[sshd.configFile, directory, process.execPath],
          ),
        clear: () => {
          for (const name of ['remote.img', 'other.img']) rmSync(at(name), { force: true });
        },
      },
    ],
    close: async () => {
      for (const each of mounted) sh('umount "$0"', each);
      for (const each of loops) sh('losetup --detach "$0"', each);
      await sshd.stop();
    },
  };
}

/** What a careful administrator writes: it undoes what it did when a command fails. */
const guestDisk = String.raw`set -eu
device=$1 mnt=$2
[ -z "$(blkid -p -o value -s TYPE "$device")" ]
undo() { umount "$mnt" 2>/dev/null || :; wipefs -aq "$device"; }
trap undo EXIT
mkfs.ext4 -q "$device"
mount "$device" "$mnt"
tar -x --numeric-owner -f "$3" -C "$mnt"
echo web1 > "$mnt/etc/hostname"
sync -f "$mnt"
umount "$mnt"
trap - EXIT
`;

function diskScript(of: { readonly device: string; readonly root: string; readonly source: string }): string {
  return `import { atomic } from 'bofh';
const { device, root, source } = ${JSON.stringify(of)};
await atomic('disk', async (tx) => {
  const { uuid } = await tx.filesystem.create({ device, type: 'ext4' });
  await tx.mount.mount({ device, path: root, mode: 'rw' });
  const files = [{ path: 'etc/hostname', content: 'web1\\n', mode: 0o644 }];
  await tx.copy.unpack({ source, root, device, filesystem: uuid, files });
  await tx.mount.unmount({ path: root });
});
`;
}

function sh(script: string, ...args: readonly string[]): string {
  return execFileSync('sh', ['-euc', script, ...args], { encoding: 'utf8' });
}
