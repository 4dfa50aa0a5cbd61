import { expect, test } from 'vitest';
import { identityOf } from '../../../src/blockdevice/index.ts';
import { checkMounted } from '../../../src/copy/root.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { emptyVolume, ownUuid } from '../../support/undo/stage.ts';

/** Shows the mount of a btrfs as Linux does: with a device number of its own. */
function asLinux(host: SimulatedHost): SimulatedHost {
  const readFile: SimulatedHost['readFile'] = async (path) => {
    const bytes = await host.readFile(path);
    if (!path.endsWith('/mountinfo')) return bytes;
    const table = Buffer.from(bytes).toString();
    const own = table.replace(/^(\d+ \d+ )\d+:\d+( .* - btrfs )/gm, '$10:45$2');
    expect(own).not.toBe(table);
    return Buffer.from(own);
  };
  return { ...host, readFile };
}

test('a btrfs, whose mount has a device number of its own, counts as mounted', async () => {
  const host = asLinux(simulatedHost());
  pool(host);
  const device = '/dev/vg0/pool';
  const { identity } = await identityOf(host, device);
  const of = { device, filesystem: ownUuid, root: '/srv/pool', identity };

  expect(await checkMounted(host, of)).toMatchObject({ path: '/srv/pool', type: 'btrfs' });

  const other = emptyVolume(host, 'other');
  const wrong = { ...of, device: other, identity: (await identityOf(host, other)).identity };
  const error = await rejectionOf(checkMounted(host, wrong));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('/srv/pool must have exactly one mount');
});
