import { expect, it } from 'vitest';
import { block, connect, lvm, vm, withBofh } from '../../src/index.ts';
import { simulatedBofh } from '../../src/simulator/index.ts';

it.each<[string, () => unknown, RegExp]>([
  ['connect({ stateDri })', () => connect({ stateDri: '/x' } as never), /^connect: .*"stateDri"/],
  ['connect({ waitMs: "1s" })', () => connect({ waitMs: '1s' } as never), /^connect: waitMs: /],
  [
    'connect({ onEvent: "x" })',
    () => connect({ onEvent: 'x' } as never),
    /^connect: onEvent: must be a function/,
  ],
  ['connect({ host: 5 })', () => connect({ host: 5 } as never), /^connect: host: must be a name, or a host/],
  ['connect(null)', () => connect(null as never), /^connect: /],
  ['lvm.lvs({ vgs })', () => lvm.lvs({ vgs: 'vg0' } as never), /^lvm\.lvs: .*"vgs"/],
  ['block.tree({ devce })', () => block.tree({ devce: '/dev/a' } as never), /^block\.tree: .*"devce"/],
  ['vm.wait(…, { for: "runing" })', () => vm.wait('a', { for: 'runing' } as never), /^vm\.wait: for: /],
  ['vm.wait(…, { timeout })', () => vm.wait('a', { for: 'running', timeout: 5 } as never), /"timeout"/],
  [
    'vm.wait(…, { timeoutMs: NaN })',
    () => vm.wait('a', { for: 'running', timeoutMs: Number.NaN }),
    /timeoutMs/,
  ],
  ['vm.wait without options', () => vm.wait('a', undefined as never), /^vm\.wait: /],
])('%s is invalid, and names the option', async (_title, call, why) => {
  const failed = withBofh(simulatedBofh(), async () => call());

  await expect(failed).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(why) as string,
  });
});
