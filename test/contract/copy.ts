import assert from 'node:assert/strict';
import { blkidProbe, dropCache, wipeSignatures } from '../../src/blockdevice/commands.ts';
import {
  compress,
  decompress,
  readDevice,
  sha256File,
  sha256Of,
  sha256Stdin,
  teeInto,
  writeDevice,
} from '../../src/blockdevice/image/compressed.ts';
import { probe, size } from '../../src/blockdevice/index.ts';
import { nothing } from '../../src/command/index.ts';
import { truncate } from '../../src/blockdevice/image/new-image.ts';
import { emptyDirectory, syncFilesystem, tarExtract, tarList, tarText } from '../../src/copy/commands.ts';
import { imageCompare, imageConvert, imageInfo } from '../../src/copy/image-commands.ts';
import { mkfsExt4 } from '../../src/filesystem/commands.ts';
import { debugfsFeatures, debugfsRoot } from '../../src/filesystem/commands/files.ts';
import { mount, umount } from '../../src/mount/commands.ts';
import { andThen, archiveMembers, fails, type Scenario } from './scenario.ts';

const uuid = '11111111-2222-4333-8444-555555555555';

/** tar, find, sync and debugfs, as a new root is filled and emptied. */
export const copyScenarios: readonly Scenario[] = [
  {
    name: 'an archive is listed member by member, to its end',
    needs: ['tar'],
    run: async ({ host, tar }) => {
      const { members, complete } = await host.run(tarList(tar));
      const types = { directory: 'd', symlink: 'l', hardlink: 'h', file: '-' } as const;

      assert.equal(complete, true);
      assert.deepEqual(
        members.map(({ name, type, target, bytes }) => ({ name, type, target, bytes })),
        archiveMembers.map((member) => ({
          name: member.path,
          type: types['type' in member ? member.type : 'file'],
          target: 'target' in member ? member.target : undefined,
          bytes: 'content' in member ? member.content.length : 0,
        })),
      );
    },
  },
  {
    name: 'one file of an archive is printed',
    needs: ['tar'],
    run: async ({ host, tar }) => {
      const [file] = archiveMembers.flatMap((member) => ('content' in member ? [member] : []));
      assert.ok(file !== undefined);
      assert.equal(await host.run(tarText(tar, file.path)), file.content);
      assert.match(
        (await fails(host.run(tarText(tar, 'none')), 'unknown')).stderr,
        /none: Not found in archive/,
      );
    },
  },
  {
    name: 'what is no archive, or not there, fails',
    needs: [],
    run: async ({ host, change, directory }) => {
      const path = `${directory}/file`;
      await change.writeNew(path, 'no archive'.repeat(100), { mode: 0o600 });
      assert.match(
        (await fails(host.run(tarList(path)), 'unknown')).stderr,
        /does not look like a tar archive/,
      );
      assert.equal((await fails(host.run(tarList(`${directory}/none`)), 'not-found')).exitCode, 2);
      await change.removeFile(path);
    },
  },
  {
    name: 'a device is compressed into a file, and comes back from it; a file that is cut off fails',
    needs: ['device'],
    run: async ({ host, change, device, directory }) => {
      const [file, cut] = [`${directory}/disk.zst`, `${directory}/cut.zst`];
      await change.run(mkfsExt4({ device, uuid }));
      const bytes = await size(host, device);
      await change.writeNew(file, '', { mode: 0o600 });
      const saved = await change.pipe({
        commands: [readDevice(device, bytes), compress(bytes), teeInto(file), decompress(), sha256Stdin()],
        parse: sha256Of,
      });
      await change.sync(file);
      await host.run(dropCache(file));
      const hashed = (path: string) =>
        change.pipe({ commands: [decompress(path), sha256Stdin()], parse: sha256Of });
      assert.equal(await hashed(file), saved);
      assert.match(await host.run(sha256File(file)), /^[0-9a-f]{64}$/);

      await change.run(wipeSignatures(device));
      await change.pipe({ commands: [decompress(file), writeDevice(device, 'written')], parse: nothing });
      await host.run(dropCache(device));
      const back = { commands: [readDevice(device, bytes), sha256Stdin()], parse: sha256Of } as const;
      assert.equal(await change.pipe(back), saved);
      assert.equal((await probe(host, device))?.uuid, uuid);

      const content = await host.readFile(file);
      await change.writeNew(cut, content.subarray(0, content.length - 1), { mode: 0o600 });
      assert.equal((await fails(hashed(cut), 'unknown')).tool, 'zstd');
      assert.equal((await fails(hashed(`${directory}/none`), 'not-found')).tool, 'zstd');
      await change.run(wipeSignatures(device));
      for (const path of [file, cut]) await change.removeFile(path);
    },
  },
  {
    name: 'an archive fills a mounted root; find empties it but for lost+found; debugfs sees both from outside',
    needs: ['device', 'tar'],
    run: async ({ host, change, device, directory, tar }) => {
      await change.run(mkfsExt4({ device, uuid }));
      assert.deepEqual(await host.run(debugfsRoot(device)), ['lost+found']);
      const inRoot = async (work: () => Promise<void>): Promise<void> => {
        await change.run(mount({ device, path: directory, mode: 'rw', type: 'ext4', options: ['nosuid'] }));
        await andThen(work, () => change.run(umount(directory)));
      };

      await inRoot(async () => {
        assert.ok((await host.run(debugfsFeatures(device))).includes('needs_recovery'));
        await change.run(tarExtract({ source: tar, directory, archiveBytes: 10_240 }));
        await change.run(syncFilesystem(directory));
        assert.deepEqual(await host.readDir(`${directory}/etc`), ['hostname', 'link', 'same']);
        assert.equal((await host.stat(`${directory}/etc/same`))?.links, 2);
        assert.equal(await host.readLink(`${directory}/etc/link`), '/proc/mounts');
        assert.equal(new TextDecoder().decode(await host.readFile(`${directory}/etc/hostname`)), 'old\n');
      });
      assert.deepEqual([...(await host.run(debugfsRoot(device)))].sort(), ['etc', 'lost+found']);
      assert.equal((await host.run(debugfsFeatures(device))).includes('needs_recovery'), false);

      await inRoot(async () => {
        await change.run(emptyDirectory(directory));
        assert.deepEqual(await host.readDir(directory), ['lost+found']);
      });
      await change.run(wipeSignatures(device));
    },
  },
  {
    name: 'an image is copied onto a device, compares equal with it, and differs from a blank one',
    needs: ['device'],
    run: async ({ host, change, device, directory }) => {
      const source = `${directory}/web.img`;
      const copy = { source, format: 'raw', device } as const;
      await change.writeNew(source, '', { mode: 0o600 });
      await change.run(truncate(source, 16 * 1024 ** 2));
      await change.run(mkfsExt4({ device: source, uuid }));
      assert.deepEqual(await host.run(imageInfo(source, 'raw')), {
        ...{ bytes: 16 * 1024 ** 2, others: [], encrypted: false },
      });
      assert.ok(((await host.run(imageCompare(copy))) ?? Infinity) < 128 * 1024);

      await change.run(imageConvert({ ...copy, from: 'file' }));
      assert.equal((await host.run(blkidProbe(device)))?.uuid, uuid);
      // What the device held beyond the image is still there.
      assert.ok(((await host.run(imageCompare(copy))) ?? Infinity) >= 16 * 1024 ** 2);

      await change.run(wipeSignatures(device));
      assert.ok(((await host.run(imageCompare(copy))) ?? Infinity) < 128 * 1024);
      await change.removeFile(source);
    },
  },
  {
    name: 'an image that is too large, missing, or of another format, is not copied',
    needs: ['device'],
    run: async ({ host, change, device, directory }) => {
      const source = `${directory}/web.img`;
      await change.writeNew(source, '', { mode: 0o600 });
      await change.run(truncate(source, 1024 ** 4));
      const copy = { source, format: 'raw', from: 'file', device } as const;

      await fails(change.run(imageConvert(copy)), 'no-space');
      await fails(change.run(imageConvert({ ...copy, source: `${directory}/none` })), 'not-found');
      await fails(change.run(imageConvert({ ...copy, device: `${directory}/none` })), 'not-found');
      await fails(host.run(imageInfo(source, 'qcow2')), 'unknown');
      assert.equal(await host.run(blkidProbe(device)), undefined);
      await change.removeFile(source);
    },
  },
];
