import assert from 'node:assert/strict';
import { getfacl, setfacl, textOf } from '../../src/file/acl.ts';
import { chmod, chown, copyAttributes } from '../../src/file/attributes.ts';
import { copyWhole } from '../../src/file/kept.ts';
import { lsattr } from '../../src/file/refuse-change.ts';
import { getfattr, setfattr } from '../../src/file/xattr.ts';
import { fails, type Scenario } from './scenario.ts';

/** Accesses to files, from src/host/files.ts. */
export const fileScenarios: readonly Scenario[] = [
  {
    name: 'a file is created once, with its mode, and a second time refused',
    needs: [],
    run: async ({ change, directory }) => {
      const path = `${directory}/new`;
      const stat = await change.writeNew(path, 'one', { mode: 0o640 });

      assert.deepEqual([stat.kind, stat.mode, stat.size, stat.links], ['file', 0o640, 3, 1]);
      await fails(change.writeNew(path, 'two', { mode: 0o640 }), 'exists');
      assert.equal(new TextDecoder().decode(await change.readFile(path)), 'one');
      await change.removeFile(path);
      assert.equal(await change.stat(path), undefined);
    },
  },
  {
    name: 'a link makes a second name of one inode and never replaces a file',
    needs: [],
    run: async ({ change, directory }) => {
      const [one, two] = [`${directory}/one`, `${directory}/two`];
      await change.writeNew(one, 'x', { mode: 0o600 });
      await change.link(one, two);

      const [first, second] = [await change.stat(one), await change.stat(two)];
      assert.equal(first?.inode, second?.inode);
      assert.equal(first?.links, 2);
      await fails(change.link(one, two), 'exists');
      await fails(change.link(`${directory}/none`, `${directory}/three`), 'not-found');
      for (const path of [one, two]) await change.removeFile(path);
    },
  },
  {
    name: 'rename replaces a file, and does nothing between two names of one inode',
    needs: [],
    run: async ({ change, directory }) => {
      const [one, two] = [`${directory}/one`, `${directory}/two`];
      await change.writeNew(one, 'new', { mode: 0o600 });
      await change.writeNew(two, 'old', { mode: 0o600 });
      await change.rename(one, two);
      assert.equal(await change.stat(one), undefined);
      assert.equal(new TextDecoder().decode(await change.readFile(two)), 'new');

      await change.link(two, one);
      await change.rename(one, two);
      assert.notEqual(await change.stat(one), undefined);
      for (const path of [one, two]) await change.removeFile(path);
    },
  },
  {
    name: 'directories: made with their parents, listed in order, removed when empty only',
    needs: [],
    run: async ({ change, directory }) => {
      await change.makeDir(`${directory}/b/c`, { mode: 0o700, parents: true });
      await change.makeDir(`${directory}/a`, { mode: 0o755 });

      assert.deepEqual(await change.readDir(directory), ['a', 'b']);
      assert.equal((await change.stat(`${directory}/b/c`))?.mode, 0o700);
      await fails(change.makeDir(`${directory}/a`, { mode: 0o755 }), 'exists');
      await fails(change.makeDir(`${directory}/none/x`, { mode: 0o755 }), 'not-found');
      await fails(change.removeDir(`${directory}/b`), 'exists');
      for (const path of ['b/c', 'b', 'a']) await change.removeDir(`${directory}/${path}`);
    },
  },
  {
    name: 'a missing path: stat reports it, everything else fails',
    needs: [],
    run: async ({ change, directory }) => {
      const path = `${directory}/none`;
      await change.writeNew(`${directory}/file`, '', { mode: 0o600 });

      assert.equal(await change.stat(path), undefined);
      assert.equal(await change.stat(`${directory}/file/below`), undefined);
      await fails(change.readFile(path), 'not-found');
      await fails(change.readDir(path), 'not-found');
      await fails(change.readLink(path), 'not-found');
      await fails(change.removeFile(path), 'not-found');
      await fails(change.removeDir(path), 'not-found');
      await fails(change.rename(path, `${directory}/other`), 'not-found');
      await fails(change.sync(path), 'not-found');
      await fails(change.readFile(directory), 'unknown');
      await change.removeFile(`${directory}/file`);
    },
  },
  {
    name: 'chown of a file removes setuid, and setgid where the group may execute; of a directory neither',
    needs: [],
    run: async ({ change, directory }) => {
      const [file, folder] = [`${directory}/file`, `${directory}/folder`];
      const of = async (path: string): Promise<readonly unknown[]> => {
        const stat = await change.stat(path);
        return [stat?.uid, stat?.gid, stat?.mode];
      };
      await change.writeNew(file, 'x', { mode: 0o600 });
      await change.makeDir(folder, { mode: 0o755 });

      for (const [before, after] of [
        [0o6755, 0o755],
        [0o6745, 0o2745],
        [0o1644, 0o1644],
      ] as const) {
        await change.run(chmod(file, before));
        assert.equal((await change.stat(file))?.mode, before);
        await change.run(chown(file, 12345, 54321));
        assert.deepEqual(await of(file), [12345, 54321, after]);
      }
      await change.run(chmod(folder, 0o6755));
      await change.run(chown(folder, 12345, 54321));
      assert.deepEqual(await of(folder), [12345, 54321, 0o6755]);
      await change.run(chmod(folder, 0o755));
      assert.deepEqual(await of(folder), [12345, 54321, 0o755]);
      await change.removeFile(file);
      await change.removeDir(folder);
    },
  },
  {
    name: 'lsattr has no flag that forbids a change of a new file or directory; what is missing fails',
    needs: [],
    run: async ({ change, directory }) => {
      const [file, none] = [`${directory}/file`, `${directory}/none`];
      await change.writeNew(file, 'x', { mode: 0o600 });

      for (const path of [file, directory]) assert.doesNotMatch(await change.run(lsattr(path)), /[ai]/);
      assert.equal(await change.run(lsattr(none)), '');
      await fails(change.run(chown(none, 0, 0)), 'not-found');
      await fails(change.run(chmod(none, 0o600)), 'not-found');
      await change.removeFile(file);
    },
  },
  {
    name: 'setfacl sets both ACLs, the mask is the group of the mode, and new files inherit the default one',
    needs: [],
    run: async ({ change, directory }) => {
      const [folder, inside, inner] = [`${directory}/d`, `${directory}/d/f`, `${directory}/d/d`];
      const of = async (path: string): Promise<readonly unknown[]> => {
        const { access, default: inherited } = await change.run(getfacl(path));
        return [textOf(access), textOf(inherited), (await change.stat(path))?.mode];
      };
      const listed = 'user::rwx,user:7:r-x,group::---,mask::rwx,other::---';
      const plain = 'user::rwx,group::r-x,other::r-x';
      await change.makeDir(folder, { mode: 0o755 });
      assert.deepEqual(await of(folder), [plain, '', 0o755]);

      await change.run(chmod(folder, 0o3755));
      await change.run(setfacl(folder, { acl: listed, defaultAcl: listed }));
      assert.deepEqual(await of(folder), [listed, listed, 0o3770]);
      await change.run(chmod(folder, 0o710));
      assert.deepEqual(await of(folder), [listed.replace('mask::rwx', 'mask::--x'), listed, 0o710]);

      await change.writeNew(inside, 'x', { mode: 0o640 });
      await change.makeDir(inner, { mode: 0o755 });
      assert.deepEqual(await of(inside), ['user::rw-,user:7:r-x,group::---,mask::r--,other::---', '', 0o640]);
      assert.deepEqual(await of(inner), [
        'user::rwx,user:7:r-x,group::---,mask::r-x,other::r-x',
        listed,
        0o755,
      ]);
      await change.run(setfacl(inside, { acl: 'user::rw-,group::r--,other::---' }));
      assert.deepEqual(await of(inside), ['user::rw-,group::r--,other::---', '', 0o640]);

      await change.run(setfacl(folder, { acl: plain, defaultAcl: '' }));
      assert.deepEqual(await of(folder), [plain, '', 0o755]);
      await fails(change.run(getfacl(`${directory}/none`)), 'not-found');
      await fails(change.run(setfacl(`${directory}/none`, { acl: plain })), 'not-found');
      await change.removeFile(inside);
      for (const path of [inner, folder]) await change.removeDir(path);
    },
  },
  {
    name: 'setfattr sets any bytes, also none, replaces and removes them, and a missing attribute is null',
    needs: [],
    run: async ({ change, directory }) => {
      const [file, folder] = [`${directory}/file`, `${directory}/folder`];
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('base64');
      await change.writeNew(file, 'x', { mode: 0o640 });
      await change.makeDir(folder, { mode: 0o755 });
      for (const path of [file, folder])
        for (const name of ['user.note', 'trusted.a"b']) {
          const of = (): Promise<unknown> => change.run(getfattr(path, name));
          assert.equal(await of(), null);
          await fails(change.run(setfattr(path, name, null)), 'unknown');
          for (const value of [bytes, '', 'AA==', bytes.slice(0, 300)]) {
            await change.run(setfattr(path, name, value));
            assert.equal(await of(), value);
          }
          await change.run(setfattr(path, name, null));
          assert.equal(await of(), null);
        }
      const none = `${directory}/none`;
      assert.equal(await change.run(getfattr(none, 'user.a')), null);
      await fails(change.run(setfattr(none, 'user.a', '')), 'not-found');
      await change.removeFile(file);
      await change.removeDir(folder);
    },
  },
  {
    name: 'a copy of a whole object has the ACL of its source; a copy of attributes has neither ACL nor mode',
    needs: [],
    run: async ({ change, directory }) => {
      const [one, two, three] = [`${directory}/one`, `${directory}/two`, `${directory}/three`];
      const of = async (path: string): Promise<string> => textOf((await change.run(getfacl(path))).access);
      const acl = 'user::rw-,user:7:r--,group::---,mask::r--,other::---';
      const plain = 'user::rw-,group::---,other::---';
      await change.writeNew(one, 'x', { mode: 0o640 });
      await change.writeNew(two, 'x', { mode: 0o600 });
      await change.run(setfacl(one, { acl }));
      await change.run(chown(one, 12345, 54321));
      await change.run(chmod(one, 0o2640));
      await change.run(setfattr(one, 'user.note', 'AP8='));
      await change.run(copyAttributes(one, two, 'no owner'));
      assert.deepEqual([await of(two), (await change.stat(two))?.uid], [plain, 0]);
      await change.run(copyAttributes(one, two));
      await change.run(copyWhole(one, three));
      assert.deepEqual([await of(two), await of(three)], [plain, acl]);
      for (const path of [two, three]) {
        assert.equal(await change.run(getfattr(path, 'user.note')), 'AP8=');
        assert.equal((await change.stat(path))?.uid, 12345);
      }
      assert.equal((await change.stat(two))?.mode, 0o600);
      for (const path of [one, two, three]) await change.removeFile(path);
    },
  },
];
