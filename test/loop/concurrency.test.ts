import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { builtCommand } from '../unit/cli/support/built.ts';
import { mountedPaths, sh, storage } from './sequence.ts';

// Processes on one kernel, with one state directory: they race for loop numbers, mounts, objects and journals.

const processes = 5;
const rounds = 5;

let disk: ReturnType<typeof storage>;
beforeEach(() => {
  disk = storage();
});
afterEach(() => {
  for (const path of mountedPaths().filter((each) => each.startsWith(`${disk.dir}/`))) sh('umount', path);
  for (const { name } of attached()) sh('losetup', '--detach', name);
  disk.clean();
});

/** The loop devices of the test's own images. */
function attached(): readonly { readonly name: string; readonly file: string }[] {
  const found = sh('losetup', '--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE');
  return found.split('\n').flatMap((line) => {
    const [, name = '', file = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
    return file.startsWith(`${disk.dir}/`) ? [{ name, file }] : [];
  });
}

/** A script that makes an image with files, in a mount that stays or not, and a line of a file that all of them edit. */
const script = `
import { atomic } from 'bofh';
const [at, name, type, size, end] = process.argv.slice(2);
await atomic(name, async (tx) => {
  const file = at + '/made/' + name + '.img';
  await tx.block.createImage({ file, size });
  const { device } = await tx.block.attachLoop({ file });
  await tx.filesystem.create({ device, type });
  const path = at + '/made/' + name + '.at';
  await tx.file.createDirectory({ path });
  await tx.mount.mount({ device, path, mode: 'rw' });
  await tx.file.create({ path: path + '/file', content: 'one' });
  await tx.file.change({ path: path + '/file', content: name });
  if (end === 'stays') await tx.mount.addFstab({ file: at + '/fstab', source: file, target: path, type, options: ['loop'] });
  if (end === 'fails') throw new Error('the script failed');
  if (!end.startsWith('closed')) return;
  await tx.mount.unmount({ path });
  await tx.block.detachLoop({ device });
  if (end === 'closed, fails') throw new Error('the script failed');
});
`;

interface Ended {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Runs bofh; with a signal, that ends it after a while. */
async function bofh(
  args: readonly string[],
  kill?: { readonly signal: NodeJS.Signals; readonly ms: number },
): Promise<Ended> {
  const child = spawn(process.execPath, [await builtCommand(), '--state-dir', disk.path('state'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = kill === undefined ? undefined : setTimeout(() => child.kill(kill.signal), kill.ms);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (output += part.toString()));
  return new Promise((resolve) => {
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, output });
    });
  });
}

const sizes = { ext4: '24m', btrfs: '128m', xfs: '320m' } as const;
const types = Object.keys(sizes) as (keyof typeof sizes)[];
const ends = ['stays', 'closed', 'fails', 'closed, fails'] as const;

it('of processes that race and are killed, each has all of its objects at the end, or none', async () => {
  mkdirSync(disk.path('made'));
  writeFileSync(disk.path('fstab'), '');
  writeFileSync(disk.path('make.mjs'), script);
  const odd: string[] = [];
  const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

  const work = async (process: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      // Two of the names are wanted by several processes.
      const name =
        Math.random() < 0.3 ? any(['shared-1', 'shared-2']) : `own-${String(process)}-${String(round)}`;
      const type = any(types);
      const kill =
        Math.random() < 0.5
          ? { signal: any(['SIGKILL', 'SIGINT'] as const), ms: 200 + Math.random() * 1500 }
          : undefined;
      const made = await bofh(
        ['run', disk.path('make.mjs'), disk.dir, name, type, sizes[type], any(ends)],
        kill,
      );
      // 0 done, 1 refused, 4 the journal of another one, 5 rolled back, 130 interrupted
      if (![0, 1, 4, 5, 130, null].includes(made.exitCode)) odd.push(made.output);
      if (Math.random() > 0.3) continue;
      const { exitCode, output } = await bofh(['recover', '--yes']);
      if (exitCode !== 0) odd.push(output);
    }
  };
  await Promise.all(Array.from({ length: processes }, (_, process) => work(process)));
  expect(await bofh(['recover', '--yes'])).toMatchObject({ exitCode: 0 });
  expect(odd).toEqual([]);

  const names = readdirSync(disk.path('made')).toSorted();
  const made = names.filter((name) => name.endsWith('.img')).map((name) => name.slice(0, -'.img'.length));
  expect(names).toEqual(made.flatMap((name) => [`${name}.at`, `${name}.img`]));
  const mounted = mountedPaths().filter((path) => path.startsWith(`${disk.dir}/`));
  const inFstab = readFileSync(disk.path('fstab'), 'utf8')
    .split('\n')
    .flatMap((line) => line.split(/\s+/)[1] ?? []);
  expect(inFstab.toSorted()).toEqual(mounted.toSorted());
  expect(
    attached()
      .map(({ file }) => file)
      .toSorted(),
  ).toEqual(mounted.map((path) => path.replace(/at$/, 'img')).toSorted());
  for (const name of made) {
    const path = join(disk.path('made'), `${name}.at`);
    if (!mounted.includes(path)) sh('mount', '-o', 'loop', path.replace(/at$/, 'img'), path);
    expect(readdirSync(path).filter((each) => each !== 'lost+found')).toEqual(['file']);
    expect(readFileSync(join(path, 'file'), 'utf8')).toBe(name);
    sh('umount', path);
  }
});
