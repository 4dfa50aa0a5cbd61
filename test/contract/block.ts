import assert from 'node:assert/strict';
import { blkidProbe, wipeSignatures } from '../../src/blockdevice/commands.ts';
import { fallocate, truncate } from '../../src/blockdevice/image/new-image.ts';
import { attach, detach } from '../../src/blockdevice/loop/commands.ts';
import { diskSequence, loopNumbered } from '../../src/blockdevice/loop/reads.ts';
import type { Attachment } from '../../src/blockdevice/loop/schema.ts';
import { holders, keysOf, probe, size } from '../../src/blockdevice/index.ts';
import { bytesAt } from '../../src/blockdevice/bytes-at.ts';
import { blkidProbes, marksOn, withoutSignature } from '../../src/blockdevice/many-commands.ts';
import { magicsOn, writeBytes } from '../../src/blockdevice/wipe/commands.ts';
import { mkfsExt4, mkswap } from '../../src/filesystem/commands.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const other = '22222222-2222-4333-8444-555555555555';

/** What is on a device, and the tools that put it there. */
export const blockScenarios: readonly Scenario[] = [
  {
    name: 'a blank device has no content, no holder, and a key of its own',
    needs: ['device'],
    run: async ({ host, device }) => {
      assert.equal(await probe(host, device), undefined);
      assert.deepEqual(await holders(host, device), []);
      assert.match((await keysOf(host, device)).key, /^(?:dev|lv):/);
      assert.ok((await size(host, device)) >= 64 * 1024 ** 2);
    },
  },
  {
    name: 'mkfs.ext4 and mkswap write what is asked, over anything, without a question',
    needs: ['device'],
    run: async ({ host, change, device }) =>
      andThen(
        async () => {
          await change.run(mkfsExt4({ device, uuid, label: 'root fs' }));
          const first = await probe(host, device);
          assert.deepEqual(first, { type: 'ext4', usage: 'filesystem', uuid, label: 'root fs' });

          await change.run(mkfsExt4({ device, uuid: other }));
          assert.deepEqual(await probe(host, device), { type: 'ext4', usage: 'filesystem', uuid: other });

          await change.run(mkswap({ device, uuid, label: 'swap' }));
          assert.deepEqual(await probe(host, device), { type: 'swap', usage: 'other', uuid, label: 'swap' });
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'blkid tells several devices by their names, and ends at the first blank one',
    needs: ['device'],
    run: async ({ host, change, device, directory }) => {
      const [blank, image] = [`${directory}/blank.img`, `${directory}/ext4.img`];
      for (const path of [blank, image]) {
        await change.writeNew(path, '', { mode: 0o600 });
        await change.run(truncate(path, 8 * 1024 ** 2));
      }
      await andThen(
        async () => {
          await change.run(mkswap({ device, uuid }));
          await change.run(mkfsExt4({ device: image, uuid: other, label: 'root fs' }));
          const swap = [device, { type: 'swap', usage: 'other', uuid }];
          const ext4 = [image, { type: 'ext4', usage: 'filesystem', uuid: other, label: 'root fs' }];
          const probes = async (...devices: readonly string[]): Promise<readonly unknown[]> => [
            ...(await host.run(blkidProbes(devices))),
          ];
          assert.deepEqual(await probes(device, image), [swap, ext4]);
          assert.deepEqual(await probes(image, device), [ext4, swap]);
          assert.deepEqual(await probes(image, blank, device), [ext4, [blank, undefined]]);
          assert.deepEqual(await probes(blank, device), [[blank, undefined]]);
        },
        async () => {
          await change.run(wipeSignatures(device));
          for (const path of [blank, image]) await change.removeFile(path);
        },
      );
    },
  },
  {
    name: 'wipefs and perl tell which of several devices are blank, and cannot read',
    needs: ['device'],
    run: async ({ host, change, device }) =>
      andThen(
        async () => {
          const marks = [
            { at: 0, hex: 'ffff' },
            { at: 1080, hex: '53ef' },
          ];
          const missing = '/dev/bofh-no-such-device';
          assert.deepEqual(await host.run(withoutSignature([device])), [device]);
          assert.deepEqual([...(await host.run(marksOn([device, missing], marks)))], [[device, -1]]);

          await change.run(mkfsExt4({ device, uuid }));
          assert.deepEqual(await host.run(withoutSignature([device])), []);
          assert.deepEqual([...(await host.run(marksOn([missing, device], marks)))], [[device, 1]]);
          await fails(host.run(withoutSignature([device, missing])), 'not-found');
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'wipefs makes a device blank, and finds nothing to do on a blank one',
    needs: ['device'],
    run: async ({ host, change, device }) => {
      await change.run(mkfsExt4({ device, uuid }));
      await change.run(wipeSignatures(device));
      assert.equal(await probe(host, device), undefined);
      await change.run(wipeSignatures(device));
      await change.sync(device);
    },
  },
  {
    name: 'wipefs lists what it would erase; those bytes alone are gone then, and bring it back',
    needs: ['device'],
    run: async ({ host, change, device }) =>
      andThen(
        async () => {
          await change.run(mkfsExt4({ device, uuid }));
          const [magic, ...more] = await host.run(magicsOn(device));
          assert.deepEqual(magic, { offset: 0x438, length: 2, type: 'ext4', usage: 'filesystem', uuid });
          assert.deepEqual(more, []);
          const block = async (): Promise<string> => {
            const { buffer } = await host.run(bytesAt(device, { from: 0, count: 4096 }));
            return Buffer.from(buffer).toString('hex');
          };
          const before = await block();
          await change.run(wipeSignatures(device));
          assert.equal(await block(), `${before.slice(0, 0x438 * 2)}0000${before.slice(0x43a * 2)}`);
          assert.deepEqual(await host.run(magicsOn(device)), []);
          await change.run(writeBytes(device, { offset: 0x438, bytes: Buffer.from('53ef', 'hex') }));
          assert.equal(await block(), before);
          assert.equal((await probe(host, device))?.uuid, uuid);
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'a device that is not there: blkid says nothing of it, the others fail',
    needs: ['device'],
    run: async ({ host, change }) => {
      const missing = '/dev/bofh-no-such-device';
      // This is why `probe` asks for the node first.
      assert.equal(await host.run(blkidProbe(missing)), undefined);
      await fails(probe(host, missing), 'not-found');
      await fails(size(host, missing), 'not-found');
      await fails(change.run(wipeSignatures(missing)), 'not-found');
      await fails(host.run(magicsOn(missing)), 'not-found');
      await fails(
        change.run(writeBytes(missing, { offset: 0, bytes: Buffer.from('eb', 'hex') })),
        'not-found',
      );
      await fails(change.run(mkfsExt4({ device: missing, uuid })), 'not-found');
      await fails(change.run(mkswap({ device: missing, uuid })), 'not-found');
    },
  },
];

const minor = 61;
const wholeFile: Omit<Attachment, 'file' | 'inode' | 'filesystem'> = {
  ...{ number: minor, offset: 0, limit: 0, mode: 'rw', partitions: 'ignored', sectorSize: 512 },
  direct: false,
};

/** Files as devices. The number is unlikely to be in use. */
export const loopScenarios: readonly Scenario[] = [
  {
    name: 'losetup attaches a part of a file at a number, tells so, and refuses the number to another',
    needs: [],
    run: async ({ host, change, directory }) => {
      const [file, other] = [`${directory}/web 1.img`, `${directory}/other.img`];
      for (const path of [file, other]) await change.writeNew(path, 'x'.repeat(16 * 1024), { mode: 0o600 });
      const { inode = '', device: filesystem = '' } = (await host.stat(file)) ?? {};
      const wanted = {
        ...wholeFile,
        file,
        inode,
        filesystem,
        offset: 4096,
        limit: 8192,
        mode: 'ro',
      } as const;
      await andThen(
        async () => {
          await change.run(attach(wanted));
          const { autoclear, device, ...found } = (await loopNumbered(host, minor)) ?? {};
          assert.deepEqual({ autoclear, device }, { autoclear: false, device: `/dev/loop${minor}` });
          assert.deepEqual(found, wanted);
          assert.equal(await size(host, `/dev/loop${minor}`), 8192);
          assert.equal((await keysOf(host, `/dev/loop${minor}`)).key, `dev:loop:${filesystem}:${inode}`);
          await fails(change.run(attach({ ...wanted, file: other })), 'busy');
          const first = await diskSequence(host, minor);
          await change.run(detach(`/dev/loop${minor}`));
          assert.equal(await loopNumbered(host, minor), undefined);
          await change.run(attach(wanted));
          assert.notEqual(await diskSequence(host, minor), first);
          await change.run(detach(`/dev/loop${minor}`));
        },
        async () => {
          if ((await loopNumbered(host, minor)) !== undefined) await change.run(detach(`/dev/loop${minor}`));
          for (const path of [file, other]) await change.removeFile(path);
        },
      );
    },
  },
  {
    name: 'truncate and fallocate give a new file its size',
    needs: [],
    run: async ({ host, change, directory }) => {
      const file = `${directory}/image`;
      for (const grow of [truncate, fallocate]) {
        await change.writeNew(file, '', { mode: 0o600 });
        await change.run(grow(file, 1024 ** 2));
        assert.equal((await host.stat(file))?.size, 1024 ** 2);
        await change.removeFile(file);
      }
      // It says nothing of it: the size is looked at afterwards.
      await change.run(truncate(`${directory}/none`, 4096));
      assert.equal(await host.stat(`${directory}/none`), undefined);
    },
  },
  {
    name: 'losetup fails for a file, and for a device, that is not there',
    needs: [],
    run: async ({ change, directory }) => {
      const missing = { ...wholeFile, file: `${directory}/none`, inode: '1', filesystem: '0:1' };
      await fails(change.run(attach(missing)), 'not-found');
      await fails(change.run(detach(`/dev/loop${minor}`)), 'not-found');
    },
  },
];
