import {
  existsSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as btrfs from '../../src/btrfs/index.ts';
import { prunable } from '../../src/btrfs/rotation.ts';
import { copySubvolume, receiveSubvolume, sendToDevice, sendToFile } from '../../src/btrfs/operations.ts';
import { recover, openJournals } from '../../src/atomic/recovery/recover.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { create } from '../../src/filesystem/operations.ts';
import { sequence, sh, startScript, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let here: string;
let there: string;

beforeEach(() => {
  disk = storage();
  [here, there] = [disk.makeDir('here'), disk.makeDir('there')];
  sh('mount', disk.btrfs('a.img'), here);
  sh('mount', disk.btrfs('b.img'), there);
  sh('btrfs', 'subvolume', 'create', join(here, 'home'));
  take('s1', 'one');
});

afterEach(() => disk.clean());

const engine = () => testEngine(disk.path('state'));
const show = (path: string) => btrfs.subvolume(engine().host, path);
const text = (path: string): string => readFileSync(path, 'utf8');

/** A read-only snapshot with another content than the last. */
function take(name: string, content: string): void {
  writeFileSync(join(here, 'home/file'), content);
  writeFileSync(join(here, `home/${name}.bin`), Buffer.alloc(2 * 1024 ** 2, content));
  sh('btrfs', 'subvolume', 'snapshot', '-r', join(here, 'home'), join(here, name));
}

/** A file that leaves about this much of its filesystem. */
function fill(path: string, left: number): void {
  const { bavail, bsize } = statfsSync(join(path, '..'));
  writeFileSync(path, Buffer.alloc(bavail * bsize - left, 'y'));
  sh('sync', '--file-system', path);
}

const copy = (name: string, parent?: string) =>
  sequence(engine(), (tx) =>
    tx.step(copySubvolume, {
      source: join(here, name),
      into: there,
      ...(parent === undefined ? {} : { parent: join(here, parent) }),
    }),
  );

describe('a copy on another btrfs', () => {
  it('is complete, read-only, and has the UUID of its source', async () => {
    const made = await copy('s1');

    const source = await show(join(here, 's1'));
    expect(made).toMatchObject({ path: join(there, 's1'), receivedUuid: source.uuid });
    expect(await show(join(there, 's1'))).toMatchObject({
      ...{ uuid: made.uuid, mode: 'ro', receivedUuid: source.uuid },
    });
    expect(text(join(there, 's1/file'))).toBe('one');
    expect(readdirSync(there)).toEqual(['s1']);
    expect(await btrfs.subvolumes(engine().host, there)).toHaveLength(1);
  });

  it('is the parent of the next increment, also on a third host', async () => {
    await copy('s1');
    take('s2', 'two');
    await copy('s2', 's1');
    take('s3', 'three');
    await copy('s3', 's2');
    expect(readdirSync(there)).toEqual(['s1', 's2', 's3']);
    expect(text(join(there, 's3/file'))).toBe('three');
    expect(readdirSync(join(there, 's3')).sort()).toEqual(['file', 's1.bin', 's2.bin', 's3.bin']);

    const third = disk.makeDir('third');
    sh('mount', disk.btrfs('c.img'), third);
    for (const [source, parent] of [['s1'], ['s2', 's1'], ['s3', 's2']])
      await sequence(engine(), (tx) =>
        tx.step(copySubvolume, {
          source: join(there, source ?? ''),
          into: third,
          ...(parent === undefined ? {} : { parent: join(there, parent) }),
        }),
      );
    // It is known by the first of all, so that one sent from there fits as well.
    expect((await show(join(third, 's3'))).receivedUuid).toBe((await show(join(here, 's3'))).uuid);
    take('s4', 'four');
    await sequence(engine(), (tx) =>
      tx.step(copySubvolume, {
        ...{ source: join(here, 's4'), parent: join(here, 's3'), into: third, name: 'another name' },
      }),
    );
    expect(text(join(third, 'another name/file'))).toBe('four');
  });

  it('is removed when the sequence fails afterwards', async () => {
    const failure = sequence(engine(), async (tx) => {
      await tx.step(copySubvolume, { source: join(here, 's1'), into: there });
      throw new Error('later');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(readdirSync(there)).toEqual([]);
    expect(await btrfs.subvolumes(engine().host, there)).toEqual([]);
  });

  it('leaves nothing behind when the disk is full half-way, and does not block the next one', async () => {
    writeFileSync(join(here, 'home/large'), Buffer.alloc(20 * 1024 ** 2, 'x'));
    take('s2', 'two');
    fill(join(there, 'ballast'), 12 * 1024 ** 2);
    await expect(copy('s2')).rejects.toThrow(/No space left/);
    expect(readdirSync(there)).toEqual(['ballast']);
    expect(await btrfs.subvolumes(engine().host, there)).toEqual([]);

    await copy('s1');
    expect(readdirSync(there)).toEqual(['ballast', 's1']);
  });

  it('is undone by recovery after a kill; that ends both programs and does not block the next one', async () => {
    for (let nth = 0; nth < 40; nth += 1)
      writeFileSync(join(here, `home/${nth}`), Buffer.alloc(1024 ** 2, String(nth)));
    take('s2', 'two');
    const script = disk.path('child.ts');
    const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).pathname);
    const args = { source: join(here, 's2'), into: there };
    writeFileSync(
      script,
      `import { sequence, testEngine } from ${at('./sequence.ts')};
       import { copySubvolume } from ${at('../../src/btrfs/operations.ts')};
       await sequence(testEngine(${JSON.stringify(disk.path('state'))}), (tx) => tx.step(copySubvolume, ${JSON.stringify(args)}));`,
    );
    const { child, ended } = startScript(script);
    const inbox = (): string => readdirSync(there).find((name) => name.startsWith('.bofh-in-')) ?? 'none';
    const begun = (): boolean => existsSync(join(there, inbox(), 's2', '3'));
    await expect.poll(begun, { timeout: 60_000, interval: 2 }).toBe(true);
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect(existsSync(join(there, 's2'))).toBe(false);

    const own = engine();
    const [open] = await openJournals(own);
    expect((await recover(open?.id ?? '', { engine: own, yes: true })).end).toBe('rolled-back');

    expect(readdirSync(there)).toEqual([]);
    expect(await btrfs.subvolumes(own.host, there)).toEqual([]);
    await copy('s2');
    expect(readdirSync(there)).toEqual(['s2']);
  });

  it('is refused without its parent, from a writable subvolume, and under a name that exists', async () => {
    take('s2', 'two');
    await expect(copy('s2', 's1')).rejects.toThrow(/does not have the parent of this incremental stream/);
    await expect(copy('home')).rejects.toThrow(/is writable/);
    await expect(copy('s1', 's1')).rejects.toThrow(/the subvolume itself/);
    writeFileSync(join(there, 's1'), 'foreign');
    await expect(copy('s1')).rejects.toThrow(/exists already/);
    expect(readdirSync(there)).toEqual(['s1']);
  });
});

describe('a stream in a file', () => {
  const send = (name: string, parent?: string) =>
    sequence(engine(), (tx) =>
      tx.step(sendToFile, {
        ...{ source: join(here, name), file: disk.path(`${name}.stream`) },
        ...(parent === undefined ? {} : { parent: join(here, parent) }),
      }),
    );
  const receive = (name: string) =>
    sequence(engine(), (tx) => tx.step(receiveSubvolume, { file: disk.path(`${name}.stream`), into: there }));

  it('is received, and then an increment to it', async () => {
    take('s2', 'two');
    const sent = await send('s1');
    await send('s2', 's1');
    expect(sent).toMatchObject({ size: statSync(disk.path('s1.stream')).size });
    expect(statSync(disk.path('s1.stream')).mode & 0o777).toBe(0o600);
    await expect(receive('s2')).rejects.toThrow(/does not have the parent/);

    await receive('s1');
    const made = await receive('s2');

    expect(made.receivedUuid).toBe((await show(join(here, 's2'))).uuid);
    expect(text(join(there, 's2/file'))).toBe('two');
    expect(readdirSync(there)).toEqual(['s1', 's2']);
    expect(readdirSync(disk.dir).filter((name) => name.startsWith('.bofh'))).toEqual([]);
  });

  it('is removed when the sequence fails afterwards', async () => {
    const failure = sequence(engine(), async (tx) => {
      await tx.step(sendToFile, { source: join(here, 's1'), file: disk.path('s1.stream') });
      await tx.step(receiveSubvolume, { file: disk.path('s1.stream'), into: there });
      throw new Error('later');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(existsSync(disk.path('s1.stream'))).toBe(false);
    expect(readdirSync(there)).toEqual([]);
  });

  it('is refused when it is cut off at any place, or is not a stream', async () => {
    const { size } = await send('s1');
    for (const less of [1, 10, 11, 5000, size - 40, size]) {
      sh('cp', disk.path('s1.stream'), disk.path('cut.stream'));
      truncateSync(disk.path('cut.stream'), size - less);
      await expect(receive('cut')).rejects.toThrow(/is incomplete|is cut off|not a stream/);
    }
    writeFileSync(disk.path('none.stream'), 'x'.repeat(1000));
    await expect(receive('none')).rejects.toThrow(/is not a stream/);
    expect(readdirSync(there)).toEqual([]);
  });

  it('leaves nothing behind when it is damaged in the middle', async () => {
    const { size } = await send('s1');
    const bytes = readFileSync(disk.path('s1.stream'));
    bytes.writeUInt8((bytes[size - 3000] ?? 0) ^ 0xff, size - 3000);
    writeFileSync(disk.path('s1.stream'), bytes);
    await expect(receive('s1')).rejects.toThrow(/crc32 mismatch|mismatch/);
    expect(readdirSync(there)).toEqual([]);
    expect(await btrfs.subvolumes(engine().host, there)).toEqual([]);
  });

  it('is refused when it contains two streams, and leaves nothing behind', async () => {
    take('s2', 'two');
    await send('s1');
    await send('s2');
    writeFileSync(
      disk.path('both.stream'),
      Buffer.concat(['s1', 's2'].map((name) => readFileSync(disk.path(`${name}.stream`)))),
    );
    await expect(receive('both')).rejects.toThrow(/there is s1, s2/);
    expect(readdirSync(there)).toEqual([]);
  });
});

describe('a stream on a device', () => {
  const send = (name: string, device: string, more: object = {}) =>
    sequence(engine(), (tx) => tx.step(sendToDevice, { source: join(here, name), device, ...more }));
  const receive = (device: string, name: string) =>
    sequence(engine(), (tx) => tx.step(receiveSubvolume, { file: device, into: there, name }));
  const head = (device: string): string => sh('head', '--bytes=12', device);
  const end = (device: string): string => sh('tail', '--bytes=8192', device);
  const zeros = (count: number): string => '\0'.repeat(count);

  it('is received without reading the bytes after it', async () => {
    const device = disk.blank('stream.img', 16);
    sh('sh', '-c', `yes | head --bytes=16M > ${device}`);

    const sent = await send('s1', device);

    expect(sent).toEqual({ device, uuid: (await show(join(here, 's1'))).uuid });
    expect(end(device)).toBe(zeros(8192));
    const made = await receive(device, 'one');
    expect(made.receivedUuid).toBe(sent.uuid);
    expect(text(join(there, 'one/file'))).toBe('one');
    expect(readdirSync(there)).toEqual(['one']);
  });

  it('is removed with its tag when the sequence fails afterwards', async () => {
    const device = disk.blank('stream.img', 16);
    const failure = sequence(engine(), async (tx) => {
      await tx.step(sendToDevice, { source: join(here, 's1'), device });
      throw new Error('later');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect([head(device), end(device)]).toEqual([zeros(12), zeros(8192)]);
    await expect(receive(device, 'one')).rejects.toThrow(/is not a stream/);
  });

  it('is refused on a device that is too small, in use, or has content that is not named', async () => {
    const small = disk.blank('small.img', 1);
    await expect(send('s1', small)).rejects.toThrow(/too small for the stream/);
    expect([head(small), end(small)]).toEqual([zeros(12), zeros(8192)]);

    await expect(send('s1', disk.ext4('ext4.img').device)).rejects.toThrow(/holds ext4/);
    const device = disk.blank('stream.img', 16);
    const { uuid } = await send('s1', device);
    take('s2', 'two');
    await expect(send('s2', device)).rejects.toThrow(/holds the stream of/);
    const formatted = sequence(engine(), (tx) => tx.step(create, { device, type: 'ext4' }));
    await expect(formatted).rejects.toThrow(/holds a stream of btrfs send; nothing was written/);
    expect(head(device)).toBe('btrfs-stream');
    await send('s2', device, { overwrite: { uuid } });
    await receive(device, 'two');
    expect(text(join(there, 'two/file'))).toBe('two');
    await expect(send('s2', sh('findmnt', '--noheadings', '--output=SOURCE', there).trim())).rejects.toThrow(
      /in use/,
    );
  });

  it('leaves nothing behind when it is damaged', async () => {
    const device = disk.blank('stream.img', 16);
    await send('s1', device);
    sh('dd', 'if=/dev/zero', `of=${device}`, 'bs=4096', 'seek=300', 'count=1', 'conv=notrunc', 'status=none');
    await expect(receive(device, 'one')).rejects.toThrow(/crc32 mismatch/);
    expect(readdirSync(there)).toEqual([]);
  });
});

describe('snapshots with the names of a rotation', () => {
  it('are pruned by name where they were received; local ones stay if their name and their age differ', async () => {
    const [first, second] = ['daily.20200101T000000Z', 'daily.20200102T000000Z'];
    for (const name of [first, second]) take(name, name);
    // The one with the newer name was received first.
    for (const name of [second, first]) await copy(name);
    const asked = { label: 'daily', keep: 1 };

    const received = await prunable(engine().host, { ...asked, source: undefined, target: there });
    expect(received.surplus.map(({ path }) => path)).toEqual([join(there, first)]);
    expect(received.stays).toEqual([]);

    const made = await prunable(engine().host, { ...asked, source: join(here, 'home'), target: here });
    const why = 'it was created at another time than its name says';
    expect(made.surplus).toEqual([]);
    expect(made.stays.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: join(here, first), why },
      { path: join(here, second), why },
    ]);
  });

  it('do not contain nested subvolumes, and those are named', async () => {
    sh('btrfs', 'subvolume', 'create', join(here, 'home/inner'));
    writeFileSync(join(here, 'home/inner/file'), 'x');
    take('s2', 'two');

    expect(readdirSync(join(here, 's2/inner'))).toEqual([]);
    expect(await btrfs.nestedSubvolumes(engine().host, join(here, 'home'))).toEqual([
      expect.stringMatching(/home\/inner$/),
    ]);
  });
});
