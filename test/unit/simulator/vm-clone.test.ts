import { describe, expect, test } from 'vitest';
import { vm, withBofh } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { bofhOn, hostWithServer, vmCreate } from './support.ts';
import { crashing, failing, type Trial } from './sweep.ts';

async function withGuest() {
  const host = hostWithServer();
  await vmCreate(bofhOn(host), { name: 'web0', start: false });
  return host;
}

const made = withGuest();
const trial: Trial = {
  start: async () => fork(await made),
  work: (host) => withBofh(bofhOn(host), () => vm.clone('web0', 'web1', { start: true })),
};

describe('a clone on the simulated host', { timeout: 240_000 }, () => {
  for (const mode of ['fails before', 'acts then fails'] as const)
    test(`each change ${mode}: the host is as before, or what is left is done by recovery`, async () => {
      expect(await failing(trial, mode)).toEqual([]);
    });

  for (const then of ['recover', 'power cut, none', 'power cut, all'] as const)
    test(`acts then crash, at each change, then ${then}: once recovered the host is as before or as after`, async () => {
      expect(await crashing(trial, { mode: 'acts then crash', then, at: 'changes' })).toEqual([]);
    });

  test('crash at each line of the journal: once recovered the host is as before or as after', async () => {
    expect(await crashing(trial, { mode: 'crash here', then: 'recover', at: 'journal' })).toEqual([]);
  });
});
