import { expect, it } from 'vitest';
import { confirm } from '../../../src/cli/runtime/confirm.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';
import { rejectionOf } from '../../support/rejection.ts';

it.each([
  ['bofh lvm remove vg0/web1', 'bofh lvm remove vg0/web1 --yes'],
  ['bofh lvm remove -- vg0/-x', 'bofh lvm remove --yes -- vg0/-x'],
])('without a terminal, %s shows %s', async (typed, remedy) => {
  const runtime = {
    ...{ settings: { consent: 'ask', host: undefined }, terminal: { interactive: false } },
    ...{ verb: 'lvm remove', commandLine: typed.split(' ') },
  };

  expect(await rejectionOf(confirm(runtime as unknown as Runtime, ['it']))).toMatchObject({ remedy });
});
