import { expect, it } from 'vitest';
import { states } from '../../../src/drbd/index.ts';
import { type SimulatedHost, simulatedBofh } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { made } from '../replica/support.ts';

/** The other host has come back with data of another origin. */
async function unrelated() {
  const hosts = await made();
  const [alpha, beta] = [hosts.alpha, hosts.there.host()];
  hosts.there.cut();
  alpha.admin.drbdadm('primary', 'web1');
  alpha.admin.drbdWrite('web1');
  const { world } = beta;
  for (const [storage, content] of world.live)
    if (content.generation !== undefined)
      for (const where of [world.live, world.durable])
        where.set(storage, { ...content, generation: '5e1f00000000000a' });
  hosts.there.mend();
  await states(alpha);
  return { alpha, beta };
}

async function typed(host: SimulatedHost, words: string | readonly string[]): Promise<string> {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });
  return runVerb(runtime, words).then(stdout, (error: unknown) =>
    error instanceof Error && 'remedy' in error ? `${error.message}\n${String(error.remedy)}` : String(error),
  );
}

it('hosts with unrelated data disconnect again after --discard-my-data, and status says how to join them', async () => {
  const { alpha, beta } = await unrelated();
  expect(await typed(beta, 'drbd status web1')).toMatch(/it is StandAlone.*unrelated data/);
  await typed(alpha, 'drbd connect web1');
  const refused = await typed(beta, 'drbd connect --discard-my-data web1');
  expect(refused).toMatch(/is StandAlone again, .*unrelated data.*bofh recover --abandon ID/s);
  expect((await states(beta))[0]?.connections[0]?.state).toBe('StandAlone');
  const [, id = ''] = /^(\w{12}) /m.exec(await typed(beta, 'journal list')) ?? [];
  expect(await typed(beta, ['recover', '--abandon', id, '--because', 'unrelated'])).toContain('abandoned');

  const said = await typed(beta, 'drbd status web1');
  const [way = ''] = /(?<=and then resyncs all data: ).*?(?=; and on the other one)/.exec(said) ?? [];
  const [down = '', create = '', up = ''] = way
    .replace(/ \(.*?\)/, '')
    .replaceAll('bofh ', '')
    .split('; ');
  await typed(beta, down);
  const [names = ''] = /--overwrite \S+/.exec(await typed(beta, create)) ?? [];
  await typed(beta, `${create} ${names}`);
  await typed(beta, up);
  await typed(alpha, 'drbd connect web1');
  expect(await typed(beta, 'drbd status web1')).toBe('web1: up to date on every side, and connected\n');
});
