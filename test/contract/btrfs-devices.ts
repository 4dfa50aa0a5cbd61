import assert from 'node:assert/strict';
import { recognise } from '../../src/blockdevice/index.ts';
import { deviceAdd, deviceRemove, filesystemDevices } from '../../src/btrfs/device-commands.ts';
import { isMember } from '../../src/btrfs/devices.ts';
import { placeOf } from '../../src/btrfs/place.ts';
import { btrfsSuperblock } from '../../src/filesystem/index.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

/** The devices of a mounted btrfs, from src/btrfs. */
export const btrfsDeviceScenarios: readonly Scenario[] = [
  {
    name: 'a device comes to a filesystem with a number and a uuid of its own, and leaves it blank',
    needs: ['btrfs', 'device'],
    run: async ({ change, btrfs, device }) => {
      const { fs } = await placeOf(change, btrfs);
      const devices = () => change.run(filesystemDevices(btrfs));
      const [first, ...more] = await devices();
      assert.equal(more.length, 0);
      await fails(change.run(deviceRemove({ device: first?.path ?? '', path: btrfs })), 'unknown');
      await fails(change.run(deviceRemove({ device, path: btrfs })), 'unknown');
      await fails(change.run(deviceAdd({ device: '/dev/none-of-that-name', path: btrfs })), 'not-found');
      assert.equal(await isMember(change, { fs, device }), false);

      await change.run(deviceAdd({ device, path: btrfs }));
      await andThen(
        async () => {
          assert.deepEqual(
            (await devices()).map(({ devid }) => devid),
            [1, 2],
          );
          assert.equal(await isMember(change, { fs, device }), true);
          assert.equal((await recognise(change, device))?.uuid, fs);
          const own = await change.run(btrfsSuperblock(device));
          assert.deepEqual([own.uuid, own.devid, own.devices], [fs, 2, 2]);
          await fails(change.run(deviceAdd({ device, path: btrfs })), 'unknown');
        },
        () => change.run(deviceRemove({ device, path: btrfs })),
      );
      assert.equal(await isMember(change, { fs, device }), false);
      assert.equal(await recognise(change, device), undefined);
      assert.equal((await devices()).length, 1);
    },
  },
];
