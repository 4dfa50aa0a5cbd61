import { blkidProbe } from '../../../src/blockdevice/commands.ts';
import { expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typed } from '../plan/support.ts';

it('bofh block image create creates the image and prints its size', async () => {
  const host = simulatedHost();
  const line = ['block', 'image', 'create', '/srv/web1.img', '2m'];

  const { stdout } = await typed(host, ['--json', ...line, '--allocate']);

  expect(answers.blockImageCreate.parse(JSON.parse(stdout))).toEqual({
    ...{ file: '/srv/web1.img', size: 2 * 1024 ** 2, room: 'allocated' },
  });
  expect((await host.stat('/srv/web1.img'))?.size).toBe(2 * 1024 ** 2);
  expect((await typed(simulatedHost(), line)).stdout).toBe('created /srv/web1.img: 2 MiB, sparse\n');
});

it('bofh block image create --type puts a filesystem into it, and --ensure compares it', async () => {
  const host = simulatedHost();
  const line = ['--json', 'block', 'image', 'create', '/srv/web1.img', '4m', '--type', 'ext4'];
  const uuid = '5e1f0000-0000-4000-8000-000000000001';

  const { stdout } = await typed(host, [...line, '--label', 'web1', '--uuid', uuid]);
  expect(answers.blockImageCreate.parse(JSON.parse(stdout))).toEqual({
    ...{ file: '/srv/web1.img', size: 4 * 1024 ** 2, room: 'sparse', type: 'ext4', uuid },
  });
  host.admin.losetup('/srv/web1.img', { minor: 3 });
  expect((await host.run(blkidProbe('/dev/loop3')))?.label).toBe('web1');

  const before = host.snapshot();
  const again = await typed(host, [...line, '--label', 'web1', '--ensure']);
  expect(JSON.parse(again.stdout)).toMatchObject({ changed: false, uuid });
  const other = await rejectionOf(typed(host, [...line, '--label', 'other', '--ensure']));
  expect(other).toMatchObject({ code: 'differs', differences: [{ property: 'label' }] });
  expect(host.snapshot()).toBe(before);
});

it.each([
  ['5m', '--type xfs', 'mkfs.xfs does not create a smaller one'],
  ['4m', '--label x', '--label and --uuid belong to --type'],
])('bofh block image create of %s with %s is refused, and creates nothing', async (size, options, why) => {
  const host = simulatedHost();
  const before = host.snapshot();
  const error = await rejectionOf(
    typed(host, ['block', 'image', 'create', '/srv/x', size, ...options.split(' ')]),
  );
  expect(String(error)).toContain(why);
  expect(host.snapshot()).toBe(before);
});
