import { expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { placeOf } from '../../../src/btrfs/place.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { emptyVolume, ownUuid } from '../../support/undo/stage.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn } from '../simulator/support.ts';

const upperUuid = '5e1f0000-0000-4000-8000-0000000000c9';

test('a path is on the filesystem that hides an older mount below it', async () => {
  const host = simulatedHost();
  const { admin } = host;
  pool(host);
  const device = emptyVolume(host, 'upper');
  admin.format(device, { type: 'btrfs', usage: 'filesystem', uuid: upperUuid });
  expect((await placeOf(host, '/srv/pool')).fs).toBe(ownUuid);
  admin.mount(device, '/srv');
  admin.mkdir('/srv/pool');
  expect(await placeOf(host, '/srv/pool')).toMatchObject({ fs: upperUuid, inside: '/pool' });
  const before = host.snapshot();

  await failureOf(
    withBofh(bofhOn(host), () =>
      atomic('new', async (tx) => {
        const { filesystem } = await tx.btrfs.createSubvolume({ path: '/srv/pool/new' });
        expect(filesystem).toBe(upperUuid);
        return Promise.reject(new Error('later'));
      }),
    ),
  );

  expect(host.snapshot()).toBe(before);
  admin.umount('/srv');
  expect((await placeOf(host, '/srv/pool/home')).fs).toBe(ownUuid);
});
