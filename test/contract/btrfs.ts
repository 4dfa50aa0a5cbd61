import assert from 'node:assert/strict';
import {
  filesystemSync,
  getDefault,
  isNoSubvolume,
  rootId,
  setDefault,
  setReadOnly,
  subvolumeCreate,
  subvolumeDelete,
  subvolumeSnapshot,
} from '../../src/btrfs/commands.ts';
import { moveNew } from '../../src/file/move-new.ts';
import { placeOf } from '../../src/btrfs/place.ts';
import { subvolumeList, subvolumeShow } from '../../src/btrfs/read-commands.ts';
import { subvolumeAt, subvolumeById, subvolumes } from '../../src/btrfs/reads.ts';
import { receive, send } from '../../src/btrfs/send-commands.ts';
import { streamIn } from '../../src/btrfs/stream.ts';
import type { ChangeHost } from '../../src/command/index.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

/** Subvolumes of a mounted btrfs, from src/btrfs. */
export const btrfsScenarios: readonly Scenario[] = [
  {
    name: 'a subvolume is made once, found by path and id, and deleted by id',
    needs: ['btrfs'],
    run: async ({ change, btrfs }) => {
      const path = `${btrfs}/made here`;
      await change.run(subvolumeCreate(path));
      await fails(change.run(subvolumeCreate(path)), 'exists');
      await fails(change.run(subvolumeCreate(`${btrfs}/none/x`)), 'not-found');
      const id = await change.run(rootId(path));
      const made = await change.run(subvolumeShow(path));

      assert.deepEqual([made.id, made.path, made.mode], [id, 'made here', 'rw']);
      assert.equal((await change.run(subvolumeShow(btrfs, { id }))).uuid, made.uuid);
      assert.equal((await subvolumes(change, btrfs)).find((row) => row.id === id)?.uuid, made.uuid);
      await fails(change.run(subvolumeDelete({ root: btrfs, id: 99_999 })), 'not-found');
      await remove(change, btrfs, path);
      assert.equal(await subvolumeById(change, { fs: await uuidOf(change, btrfs), id }), undefined);
      assert.equal(await change.stat(path), undefined);
    },
  },
  {
    name: 'a plain directory is not a subvolume',
    needs: ['btrfs'],
    run: async ({ change, btrfs }) => {
      const path = `${btrfs}/plain`;
      await change.makeDir(path, { mode: 0o755 });
      const error = await fails(change.run(subvolumeShow(path)), 'unknown');

      assert.ok(isNoSubvolume(error));
      assert.equal(await subvolumeAt(change, path), undefined);
      assert.equal(await change.run(rootId(path)), 5);
      await fails(change.run(subvolumeShow(`${btrfs}/none`)), 'not-found');
      await change.removeDir(path);
    },
  },
  {
    name: 'a snapshot holds what its source held, knows it by uuid, and keeps a subvolume in it out',
    needs: ['btrfs'],
    run: async ({ change, btrfs }) => {
      const [source, taken] = [`${btrfs}/source`, `${btrfs}/taken`];
      await change.run(subvolumeCreate(source));
      await change.writeNew(`${source}/file`, 'x', { mode: 0o600 });
      await change.run(subvolumeCreate(`${source}/inner`));
      await change.run(subvolumeSnapshot({ source, path: taken, mode: 'ro' }));
      const [of, made] = [await change.run(subvolumeShow(source)), await change.run(subvolumeShow(taken))];

      assert.deepEqual([made.parentUuid, made.mode], [of.uuid, 'ro']);
      assert.deepEqual(
        of.snapshots.map(({ path }) => path),
        ['taken'],
      );
      assert.deepEqual(await change.readDir(taken), ['file', 'inner']);
      assert.equal(await change.run(rootId(taken)), made.id);
      assert.equal(await change.run(rootId(`${source}/file`)), of.id);
      // It opens a file for writing.
      await fails(change.run(rootId(`${taken}/file`)), 'denied');
      const rows = await change.run(subvolumeList(btrfs, 'with cgen'));
      assert.ok(rows.some(({ path }) => path === '<FS_TREE>/source/inner'));
      await fails(change.run(subvolumeDelete({ root: btrfs, id: of.id })), 'busy');
      for (const path of [`${source}/inner`, source, taken]) await remove(change, btrfs, path);
    },
  },
  {
    name: 'a read-only subvolume is renamed in its directory, over nothing, and moved to no other',
    needs: ['btrfs'],
    run: async ({ change, btrfs }) => {
      const [one, two] = [`${btrfs}/one`, `${btrfs}/two`];
      await change.run(subvolumeCreate(one));
      await change.run(setReadOnly(one, 'ro'));
      await change.makeDir(two, { mode: 0o755 });
      await change.run(moveNew(one, two));
      // It exits 0 all the same.
      assert.equal((await subvolumeAt(change, one))?.mode, 'ro');
      await fails(change.run(moveNew(one, `${two}/in`)), 'denied');
      await change.removeDir(two);
      await change.run(moveNew(one, two));

      assert.equal((await subvolumeAt(change, two))?.path, 'two');
      assert.equal(await change.stat(one), undefined);
      await fails(change.run(moveNew(one, two)), 'not-found');
      await remove(change, btrfs, two);
    },
  },
  {
    name: 'a stream is received once, read-only and by the uuid of its source, and an increment upon a snapshot of that',
    needs: ['btrfs'],
    run: async ({ change, btrfs }) => {
      const [source, one, two, into] = ['source', 'one', 'two', 'into'].map((name) => `${btrfs}/${name}`);
      assert.ok(source !== undefined && one !== undefined && two !== undefined && into !== undefined);
      const file = `${btrfs}/stream`;
      await change.run(subvolumeCreate(source));
      await fails(change.run(send({ source, file: `${btrfs}/none` })), 'unknown');
      if ((await change.stat(`${btrfs}/none`)) !== undefined) await change.removeFile(`${btrfs}/none`);
      await change.run(subvolumeSnapshot({ source, path: one, mode: 'ro' }));
      await change.writeNew(`${source}/file`, 'x', { mode: 0o600 });
      await change.run(subvolumeSnapshot({ source, path: two, mode: 'ro' }));
      await change.makeDir(into, { mode: 0o755 });
      await change.writeNew(file, '', { mode: 0o600 });
      await change.run(send({ source: one, file }));
      const { size = 0 } = (await change.stat(file)) ?? {};
      const { uuid } = await change.run(subvolumeShow(one));
      assert.deepEqual(await streamIn(change, { path: file, size }), {
        ...{ name: 'one', uuid, parentUuid: undefined },
      });
      await change.run(receive({ directory: into, file }));
      await fails(change.run(receive({ directory: into, file })), 'exists');
      await change.run(subvolumeSnapshot({ source: `${into}/one`, path: `${into}/kept`, mode: 'ro' }));
      await change.run(subvolumeSnapshot({ source: `${into}/one`, path: `${into}/rw`, mode: 'rw' }));
      assert.equal((await change.run(subvolumeShow(`${into}/kept`))).receivedUuid, uuid);
      assert.equal((await change.run(subvolumeShow(`${into}/rw`))).receivedUuid, undefined);
      await remove(change, btrfs, `${into}/one`);
      await change.pipe({
        commands: [send({ source: two, parent: one }), receive({ directory: into })],
        parse: () => undefined,
      });
      const got = await change.run(subvolumeShow(`${into}/two`));
      assert.equal(got.receivedUuid, (await change.run(subvolumeShow(two))).uuid);
      assert.equal(got.parentUuid, (await change.run(subvolumeShow(`${into}/kept`))).uuid);
      assert.deepEqual(await change.readDir(`${into}/two`), ['file']);
      for (const path of [`${into}/two`, `${into}/kept`, `${into}/rw`, two, one, source])
        await remove(change, btrfs, path);
      await change.removeDir(into);
      await change.removeFile(file);
    },
  },
  {
    name: 'the default subvolume is chosen by id, and cannot be deleted',
    needs: ['btrfs'],
    run: async ({ change, btrfs }) => {
      const path = `${btrfs}/standard`;
      await change.run(subvolumeCreate(path));
      const id = await change.run(rootId(path));
      await change.run(setDefault({ id, path: btrfs }));
      await andThen(
        async () => {
          assert.equal(await change.run(getDefault(btrfs)), id);
          await fails(change.run(subvolumeDelete({ root: btrfs, id })), 'busy');
          await fails(change.run(setDefault({ id: 99_999, path: btrfs })), 'not-found');
        },
        () => change.run(setDefault({ id: 5, path: btrfs })),
      );
      await remove(change, btrfs, path);
    },
  },
];

async function remove(change: ChangeHost, root: string, path: string): Promise<void> {
  await change.run(subvolumeDelete({ root, id: await change.run(rootId(path)) }));
  await change.run(filesystemSync(root));
}

async function uuidOf(change: ChangeHost, path: string): Promise<string> {
  return (await placeOf(change, path)).fs;
}
