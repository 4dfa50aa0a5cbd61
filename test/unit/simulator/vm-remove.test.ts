import { describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { removeVm, planRemove } from '../../../src/vm/remove.ts';
import { bofhOn, hostWithSource, site, vmCreate } from './support.ts';
import { type Trial, testSweep } from './sweep.ts';

let made: Promise<SimulatedHost> | undefined;

/** A host with the guest on it: a copy of one that was made once. */
async function start(): Promise<SimulatedHost> {
  made ??= make();
  return fork(await made);
}

async function make(): Promise<SimulatedHost> {
  const host = hostWithSource();
  await vmCreate(bofhOn(host));
  host.kill();
  return host;
}

async function vmRemove(host: SimulatedHost): Promise<void> {
  // A guest that was asked to shut down is given this long before it is taken for one that runs on.
  const plan = await planRemove({ host, site, name: 'web1', running: 'shutdown', timeoutMs: 1 });
  await withBofh(bofhOn(host), () => atomic('vm remove', (tx) => removeVm(tx, plan)));
}

const trial: Trial = { start, work: vmRemove };

describe('a guest destroyed on the simulated host', () => {
  test('leaves the host as it was before the guest was created', async () => {
    const host = await start();

    await vmRemove(host);

    expect(host.snapshot()).toBe(hostWithSource().snapshot());
  });

  testSweep(trial, { afterJournal: ['recover'] });
});
