import { describe, expect, it } from 'vitest';
import { states } from '../../../src/drbd/index.ts';
import { type SimulatedHost, simulatedBofh } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { made } from '../replica/support.ts';

/** On `alpha`, a secondary, the logical volume below web1 is gone. */
async function lost() {
  const hosts = await made({ primary: 'there' });
  const { alpha } = hosts;
  alpha.admin.drbdadm('detach', 'web1');
  alpha.admin.lvremove('vg0', 'web1');
  return { alpha, beta: hosts.there.host() };
}

/** What is typed on a host: the administrator's drbdadm, or bofh. */
async function typed(host: SimulatedHost, words: string): Promise<string> {
  const [tool, ...argv] = words.split(' ');
  if (tool === 'drbdadm') host.admin.drbdadm(...argv);
  if (tool !== 'bofh') return '';
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });
  return runVerb(runtime, argv).then(stdout, (error: unknown) =>
    error instanceof Error && 'remedy' in error ? `${error.message}\n${String(error.remedy)}` : String(error),
  );
}

const is = async (host: SimulatedHost) => (await states(host))[0]?.volumes[0]?.disk;

/** The commands that a remedy names between two of its words. */
function waysIn(said: string, from: string, to: string): readonly string[] {
  const [, way = ''] = said.split(from);
  return (way.split(to)[0] ?? '').replace(/, as large as on the peer|\n/g, '').split('; ');
}

describe('a host that has lost the disk of a resource', () => {
  it.each(['attach web1', 'create-md web1'])(
    'drbd %s says how to replace it and resync from the peer',
    async (verb) => {
      const { alpha } = await lost();
      const said = await typed(alpha, `bofh drbd ${verb}`);
      expect(said).toContain(
        'there is no /dev/vg0/web1, the disk that the configuration of web1 names on this host',
      );
      const way = waysIn(said, 'If it is lost: ', '; DRBD then resyncs');
      for (const each of way) await typed(alpha, each.replace('SIZE', '68m'));
      await states(alpha);
      expect(await is(alpha)).toBe('UpToDate');
    },
  );

  it('the printed commands remove its part, and say that there was no volume', async () => {
    const { alpha, beta } = await lost();
    const said = await typed(alpha, 'bofh drbd remove --here web1');
    const [down = ''] = /drbdadm down web1/.exec(said) ?? [];
    await typed(alpha, down);
    expect(await typed(alpha, 'bofh drbd remove --here web1')).toBe(
      'web1 is removed\n  alpha: there was no /dev/vg0/web1\n',
    );
    expect(await is(beta)).toBe('UpToDate');
  });
});
