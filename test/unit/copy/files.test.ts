import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { StuckError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { filledVolume, ownUuid } from '../../support/undo/stage.ts';

it('keeps the replaced files if the filesystem got another UUID meanwhile', async () => {
  const host = simulatedHost();
  const device = filledVolume(host, 'web1-root', ownUuid);
  host.admin.mount(device, '/mnt/fill');
  host.admin.mkdir('/mnt/fill/etc');
  host.admin.writeFile('/mnt/fill/etc/fstab', 'old\n');
  const files = [{ path: 'etc/fstab', content: 'new\n', mode: 0o644 }];

  const error = await rejectionOf(
    withBofh(simulatedBofh({ host }), () =>
      atomic('files', async (tx) => {
        await tx.copy.files({ root: '/mnt/fill', device, filesystem: ownUuid, files });
        for (const { superblock } of host.world.live.values())
          if (superblock?.uuid === ownUuid)
            Object.assign(superblock, { uuid: '5e1f0000-0000-4000-8000-0000000000cc' });
        throw new Error('the end');
      }),
    ),
  );

  expect(host.admin.readFile('/mnt/fill/etc/fstab')).toBe('new\n');
  expect(await host.readDir('/var/lib/bofh/files')).toHaveLength(1);
  expect(error).toBeInstanceOf(StuckError);
  expect(String(error)).toMatch(
    /not the filesystem .*, whose replaced files are in \/var\/lib\/bofh\/files\//,
  );
});
