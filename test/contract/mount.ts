import assert from 'node:assert/strict';
import { wipeSignatures } from '../../src/blockdevice/commands.ts';
import { deviceNode, holders, mountEntries } from '../../src/blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../src/command/index.ts';
import { mkfsExt4, mkswap } from '../../src/filesystem/commands.ts';
import { bindMount, mount, umount } from '../../src/mount/commands.ts';
import { markOption, userEntries } from '../../src/mount/table.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const uuid = '11111111-2222-4333-8444-555555555555';

/** mount and umount, and what the kernel and libmount say of it. */
export const mountScenarios: readonly Scenario[] = [
  {
    name: 'a mount is in the table, keeps the device busy, and a second one on the same place is refused',
    needs: ['device'],
    run: (context) =>
      mounted(context, async ({ host, change, device, path }) => {
        const [entry, ...more] = (await mountEntries(host)).filter((each) => each.path === path);
        const { number } = await deviceNode(host, device);
        assert.deepEqual([entry?.device, entry?.root, entry?.type, more.length], [number, '/', 'ext4', 0]);
        assert.equal((await host.stat(path))?.device, number);
        assert.deepEqual(
          (await holders(host, device)).map(({ words, free }) => [words, free]),
          [[`mounted on ${path} (mount ${entry?.id ?? 0})`, ['umount', path]]],
        );

        await fails(change.run(mount({ device, path, mode: 'rw' })), 'busy');
        await fails(change.run(wipeSignatures(device)), 'busy');
        await fails(change.run(mkfsExt4({ device, uuid })), 'busy');
        await fails(change.run(mkswap({ device, uuid })), 'busy');
      }),
  },
  {
    name: 'a mount on another place works, and the lower one is busy while it carries another',
    needs: ['device'],
    run: (context) =>
      mounted(context, async ({ host, change, device, path }) => {
        const inside = `${path}/inside`;
        await change.makeDir(inside, { mode: 0o755 });
        await change.run(mount({ device, path: inside, mode: 'rw' }));

        const entries = await mountEntries(host);
        const [lower, upper] = [path, inside].map((at) => entries.find((each) => each.path === at));
        assert.equal(upper?.parent, lower?.id);
        await fails(change.run(umount(path)), 'busy');

        await change.run(umount(inside));
        await change.removeDir(inside);
      }),
  },
  {
    name: "libmount keeps a mount's own option until the unmount, beside the kernel's table",
    needs: ['device'],
    run: async ({ host, change, device, directory }) => {
      const mark = markOption('bofh.0123456789ab.1');
      await change.run(mkfsExt4({ device, uuid }));
      await change.run(mount({ device, path: directory, mode: 'rw', options: [mark] }));
      await andThen(
        async () => {
          const kernel = (await mountEntries(host)).find((each) => each.path === directory);
          const user = (await userEntries(host)).find((each) => each.path === directory);
          assert.equal(kernel?.options.includes('x-bofh'), false);
          assert.deepEqual(user?.options.includes(mark), true);
        },
        () => change.run(umount(directory)),
      );
      assert.equal(
        (await userEntries(host)).some((each) => each.path === directory),
        false,
      );
      await change.run(wipeSignatures(device));
    },
  },
  {
    name: 'read-only is read-only',
    needs: ['device'],
    run: async ({ change, device, directory }) => {
      await change.run(mkfsExt4({ device, uuid }));
      await change.run(mount({ device, path: directory, mode: 'ro' }));
      await andThen(
        async () => {
          await fails(change.writeNew(`${directory}/x`, '', { mode: 0o600 }), 'denied');
        },
        () => change.run(umount(directory)),
      );
      await change.run(wipeSignatures(device));
    },
  },
  {
    name: 'a directory is shown at another place: the same filesystem, its path in it, and read-only where that is asked',
    needs: ['device'],
    run: (context) =>
      mounted(context, async ({ host, change, path }) => {
        const [source, shown] = [`${path}/from`, `${path}/shown`];
        await change.makeDir(source, { mode: 0o755 });
        await change.makeDir(shown, { mode: 0o755 });
        await change.writeNew(`${source}/file`, 'x', { mode: 0o644 });
        const mark = markOption('bofh.0123456789ab.1');
        await change.run(bindMount({ source, path: shown, mode: 'ro', options: ['nodev', mark] }));
        await andThen(
          async () => {
            const [over, bound] = (await mountEntries(host)).filter((each) => each.path.startsWith(path));
            assert.deepEqual([bound?.device, bound?.source], [over?.device, over?.source]);
            assert.deepEqual([bound?.root, bound?.options], ['/from', 'ro,nodev,relatime']);
            assert.deepEqual(bound?.superOptions, over?.superOptions);
            assert.deepEqual(await host.readDir(shown), ['file']);
            await fails(change.writeNew(`${shown}/x`, '', { mode: 0o600 }), 'denied');
            assert.equal(
              (await userEntries(host)).find((each) => each.path === shown)?.options.includes(mark),
              true,
            );
            await fails(change.run(umount(path)), 'busy');
            await fails(
              change.run(bindMount({ source: `${path}/none`, path: shown, mode: 'rw' })),
              'not-found',
            );
          },
          () => change.run(umount(shown)),
        );
        await change.writeNew(`${source}/more`, '', { mode: 0o600 });
      }),
  },
  {
    name: 'what cannot be mounted or unmounted fails, for a reason that is known where it can be',
    needs: ['device'],
    run: async ({ change, device, directory }) => {
      await fails(change.run(umount(directory)), 'not-found');
      await fails(
        change.run(mount({ device: '/dev/bofh-no-such-device', path: directory, mode: 'rw' })),
        'not-found',
      );
      await fails(change.run(mount({ device, path: `${directory}/none`, mode: 'rw' })), 'not-found');
      await fails(change.run(mount({ device, path: directory, mode: 'rw', type: 'ext4' })), 'unknown');
      await change.run(mkswap({ device, uuid }));
      await fails(change.run(mount({ device, path: directory, mode: 'rw' })), 'unknown');
      await change.run(wipeSignatures(device));
    },
  },
];

async function mounted(
  context: {
    readonly host: ReadHost;
    readonly change: ChangeHost;
    readonly device: string;
    readonly directory: string;
  },
  work: (at: {
    readonly host: ReadHost;
    readonly change: ChangeHost;
    readonly device: string;
    readonly path: string;
  }) => Promise<void>,
): Promise<void> {
  const { host, change, device, directory } = context;
  await change.run(mkfsExt4({ device, uuid }));
  await change.run(mount({ device, path: directory, mode: 'rw' }));
  await andThen(
    () => work({ host, change, device, path: directory }),
    () => change.run(umount(directory)),
  );
  assert.equal(
    (await mountEntries(host)).some((each) => each.path === directory),
    false,
  );
  await change.run(wipeSignatures(device));
}
