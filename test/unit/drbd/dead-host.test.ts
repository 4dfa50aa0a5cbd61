import { describe, expect, it } from 'vitest';
import { states } from '../../../src/drbd/index.ts';
import { type SimulatedHost, simulatedBofh } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { commandsAfter } from '../../support/dom0/dead-host-page.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { made } from '../replica/support.ts';

const name = 'web1-root';

async function typed(host: SimulatedHost, words: string): Promise<string> {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });
  return runVerb(runtime, words).then(stdout, (error: unknown) =>
    error instanceof Error && 'remedy' in error ? `${error.message}\n${String(error.remedy)}` : String(error),
  );
}

/** Types what follows these words on the page; metadata to overwrite is named as its refusal asks. */
async function typedAfter(host: SimulatedHost, words: string): Promise<void> {
  const all = commandsAfter(words);
  expect(all.length).toBeGreaterThan(0);
  for (const each of all) {
    const [named] = /--overwrite \S+/.exec(await typed(host, each)) ?? [];
    if (named !== undefined) await typed(host, `${each} ${named}`);
  }
}

const stage = async () => {
  const hosts = await made({ name, primary: 'alpha' });
  return { there: hosts.there, alpha: hosts.alpha, beta: hosts.there.host() };
};

const whole = `${name}: up to date on every side, and connected\n`;

/** The data of both are the same again. */
async function expectWhole(...hosts: readonly SimulatedHost[]): Promise<void> {
  for (const host of hosts) {
    await states(host);
    expect(await typed(host, `drbd status ${name}`)).toBe(whole);
  }
}

describe('docs/dead-host.md solves', () => {
  it('an address that is missing on the running host', async () => {
    const { there, beta } = await stage();
    there.cut();
    beta.admin.setAddresses();
    await typedAfter(beta, '**The link for replication is down here too');
    expect((await states(beta))[0]?.role).toBe('Primary');
  });

  it.each(['both', 'one', 'none'])('a split brain with writes on %s', async (which) => {
    const { there, alpha, beta } = await stage();
    there.cut();
    for (const host of [alpha, beta]) await states(host);
    beta.admin.drbdadm('primary', name);
    if (which !== 'none') beta.admin.drbdWrite(name);
    if (which === 'both') alpha.admin.drbdWrite(name);
    there.mend();
    await states(alpha);
    expect(await typed(alpha, `drbd status ${name}`)).toContain('split brain');
    await typedAfter(alpha, '"Split-Brain detected": both');
    await typedAfter(beta, 'On the other host, if it is StandAlone:');
    await expectWhole(alpha, beta);
  });

  it('unrelated data', async () => {
    const { there, alpha, beta } = await stage();
    there.cut();
    await states(alpha);
    alpha.admin.drbdWrite(name);
    const { world } = beta;
    for (const [storage, content] of world.live)
      if (content.generation !== undefined)
        for (const where of [world.live, world.durable])
          where.set(storage, { ...content, generation: '5e1f00000000000a' });
    there.mend();
    await states(alpha);
    await typedAfter(beta, '"Unrelated data, aborting"');
    await typedAfter(alpha, 'On the other host, if it is StandAlone:');
    await expectWhole(alpha, beta);
  });

  it('a lost disk', async () => {
    const { alpha, beta } = await stage();
    beta.admin.drbdadm('detach', name);
    beta.admin.lvremove('vg0', name);
    await typedAfter(beta, '**The disk of the host that came back is lost.**');
    await expectWhole(alpha, beta);
  });
});
