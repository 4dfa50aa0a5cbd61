import { describe, expect, it } from 'vitest';
import { states } from '../../../src/drbd/index.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { drbdTools } from '../../../src/simulator/tools/drbd/drbdadm.ts';
import { up } from './support.ts';

/** The moment of a fail-over: the link for replication is down. */
function cutOff(): SimulatedHost {
  const host = up();
  host.admin.setAddresses('192.0.2.7/24');
  return host;
}

/** What the simulated drbdadm answers. */
const drbdadm = ({ world }: SimulatedHost, words: string) =>
  drbdTools['drbdadm']?.({ world, tool: 'drbdadm', argv: words.split(' ') });

const said = 'IP 10.0.0.1 not found on this host.';

describe('without the address of this host', () => {
  it.each(['dump-xml', 'connect web1', 'up web1', 'adjust web1', 'resize web1', 'verify web1'])(
    'drbdadm %s exits 10, as the real one does',
    (words) => {
      expect(drbdadm(cutOff(), words)).toMatchObject({
        exitCode: 10,
        stderr: expect.stringContaining(said) as unknown,
      });
    },
  );

  it.each(['--dry-run dump-xml', '--dry-run adjust web1', 'disconnect web1', 'primary web1'])(
    'drbdadm %s works',
    (words) => {
      expect(drbdadm(cutOff(), words)?.exitCode).toBe(0);
    },
  );

  it.each([
    'drbd list',
    'drbd show web1',
    'drbd status web1',
    'drbd status',
    'drbd primary web1',
    'drbd disconnect web1',
    'drbd down web1',
    'drbd detach web1',
  ])('bofh %s works', async (words) => {
    const { runtime } = testRuntime(simulatedBofh({ host: cutOff() }));
    expect(await runVerb(runtime, words)).toBe(0);
  });

  it('bofh drbd status says so, and how to get it back', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: cutOff() }));
    await runVerb(runtime, 'drbd status web1');
    expect(stdout()).toMatch(
      /^web1: no interface of this host that is up has its address 10\.0\.0\.1: .*\n {2}bring .* ip address add 10\.0\.0\.1\/PREFIX/m,
    );
  });

  it('bofh drbd primary makes this host primary', async () => {
    const host = cutOff();
    const { runtime } = testRuntime(simulatedBofh({ host }));
    await runVerb(runtime, 'drbd primary web1');
    expect((await states(host))[0]?.role).toBe('Primary');
  });
});
