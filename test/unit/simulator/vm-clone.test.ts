import { describe } from 'vitest';
import { vm, withBofh } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { bofhOn, hostWithServer, vmCreate } from './support.ts';
import { type Trial, testSweep } from './sweep.ts';

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
  testSweep(trial, { crashes: ['acts then crash'], afterJournal: ['recover'] });
});
