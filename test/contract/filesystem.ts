import assert from 'node:assert/strict';
import { wipeSignatures } from '../../src/blockdevice/commands.ts';
import { mkfsExt4 } from '../../src/filesystem/commands.ts';
import { dumpe2fs, e2fsckPreen, extMinimum, resize2fs } from '../../src/filesystem/commands/ext.ts';
import { freeAt } from '../../src/filesystem/commands/other.ts';
import { fstrim } from '../../src/filesystem/commands/trim.ts';
import { mount, umount } from '../../src/mount/commands.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const uuid = '11111111-2222-4333-8444-555555555555';

/** Reads and changes of the size of a filesystem. */
export const filesystemScenarios: readonly Scenario[] = [
  {
    name: 'an ext4 is made smaller and larger while it is not mounted, and the same size is no failure',
    needs: ['device'],
    run: async ({ change, device }) =>
      andThen(
        async () => {
          await change.run(mkfsExt4({ device, uuid }));
          const { blocks, state } = await change.run(dumpe2fs(device));
          const fewest = await change.run(extMinimum(device));
          assert.equal(state, 'clean');
          assert.ok(fewest > 10 && fewest < blocks / 2, `${fewest} of ${blocks}`);

          await change.run(e2fsckPreen(device));
          for (const wanted of [blocks / 2, blocks / 2, blocks]) {
            await change.run(resize2fs(device, wanted));
            assert.equal((await change.run(dumpe2fs(device))).blocks, wanted);
          }
          await fails(change.run(resize2fs(device, 10)), 'unknown');
          await fails(change.run(resize2fs(device, blocks * 1000)), 'unknown');
          assert.equal((await change.run(dumpe2fs(device))).blocks, blocks);
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'an ext4 that is mounted is neither checked nor made smaller',
    needs: ['device'],
    run: async ({ change, device, directory }) =>
      andThen(
        async () => {
          await change.run(mkfsExt4({ device, uuid }));
          const { blocks, blockSize } = await change.run(dumpe2fs(device));
          await change.run(mount({ device, path: directory, mode: 'rw' }));
          await andThen(
            async () => {
              await fails(change.run(e2fsckPreen(device)), 'busy');
              await fails(change.run(resize2fs(device, blocks / 2)), 'busy');
              const free = await change.run(freeAt(directory));
              assert.ok(free > 0 && free < blocks * blockSize);
            },
            () => change.run(umount(directory)),
          );
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'the unused blocks of a mounted ext4 are discarded, and its files stay',
    needs: ['device'],
    run: async ({ change, device, directory }) =>
      andThen(
        async () => {
          await change.run(mkfsExt4({ device, uuid }));
          const { blocks, blockSize } = await change.run(dumpe2fs(device));
          await change.run(mount({ device, path: directory, mode: 'rw' }));
          await andThen(
            async () => {
              await change.writeNew(`${directory}/kept`, 'kept', { mode: 0o600 });
              const trimmed = await change.run(fstrim(directory));
              assert.ok(trimmed > 0 && trimmed < blocks * blockSize, String(trimmed));
              assert.equal(new TextDecoder().decode(await change.readFile(`${directory}/kept`)), 'kept');
              await fails(change.run(fstrim(`${directory}/none`)), 'not-found');
              await fails(change.run(fstrim(`${directory}/kept`)), 'unknown');
              await fails(change.run(fstrim('/proc')), 'unknown');
            },
            () => change.run(umount(directory)),
          );
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'a device that is not there, or holds nothing, has no size of a filesystem',
    needs: ['device'],
    run: async ({ change, device }) => {
      const missing = '/dev/bofh-no-such-device';
      await fails(change.run(dumpe2fs(missing)), 'not-found');
      await fails(change.run(e2fsckPreen(missing)), 'not-found');
      await fails(change.run(resize2fs(missing, 100)), 'not-found');
      await fails(change.run(dumpe2fs(device)), 'unknown');
    },
  },
];
