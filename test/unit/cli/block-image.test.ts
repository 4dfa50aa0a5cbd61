import { expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
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
