import { describe, expect, it } from 'vitest';
import { recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { StuckError } from '../../../src/core/errors.ts';
import { present } from '../../../src/core/present.ts';
import { refuseWithoutAddress } from '../../../src/drbd/address.ts';
import { type Configured, parseConfig } from '../../../src/drbd/config.ts';
import { missingAddresses, resources, states } from '../../../src/drbd/index.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { drbdTools } from '../../../src/simulator/tools/drbd/drbdadm.ts';
import { made } from '../replica/support.ts';
import { commonFile, on, up } from './support.ts';

/** The moment of a fail-over: the link for replication is down. */
function cutOff(): SimulatedHost {
  const host = up();
  host.admin.setAddresses('192.0.2.7/24');
  return host;
}

/** What the simulated drbdadm answers. */
const drbdadm = ({ world }: SimulatedHost, words: string) =>
  drbdTools['drbdadm']?.({ world, tool: 'drbdadm', argv: words.split(' ') });

/** The exit code, or why it is refused and what to type then. */
async function typed(host: SimulatedHost, words: string): Promise<string> {
  const { runtime } = testRuntime(simulatedBofh({ host }), { yes: true });
  return runVerb(runtime, words).then(String, (error: unknown) =>
    error instanceof Error && 'remedy' in error ? `${error.message}\n${String(error.remedy)}` : String(error),
  );
}

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
    'drbd next --on sim',
    'drbd primary web1',
    'drbd disconnect web1',
    'drbd down web1',
    'drbd detach web1',
    'drbd detach web1; drbd attach web1',
    'drbd primary web1; drbd secondary web1',
    'drbd down web1; drbd create-md web1 --overwrite 3bde6cc090b8231e',
    'drbd down web1; drbd wipe-md web1 --overwrite 3bde6cc090b8231e',
    'drbd down web1; drbd config remove web1',
    'drbd remove --here web1 --keep-volumes',
  ])('bofh %s works', async (words) => {
    const host = cutOff();
    for (const each of words.split('; ')) expect(await typed(host, each)).toBe('0');
  });

  it.each<[words: string, before?: string]>([
    ['up web1', 'drbd down web1'],
    ['connect web1'],
    ['connect web1', 'drbd disconnect web1'],
    ['connect --discard-my-data web1', 'drbd disconnect web1'],
    ['adjust web1', 'drbd disconnect web1'],
    ['adjust web1', 'drbd detach web1'],
    ['pause-sync web1'],
    ['resume-sync web1', 'drbd pause-sync web1'],
    ['verify web1'],
    ['resize web1'],
    ['invalidate-remote web1'],
  ])('bofh drbd %s is refused (after %s) before anything changes', async (words, before) => {
    const host = up();
    host.admin.writeFile(commonFile, 'common { net { verify-alg crc32c; } }\n');
    if (before !== undefined) expect(await typed(host, before)).toBe('0');
    host.admin.lvextend('vg0', 'web1-root', 32);
    host.admin.setAddresses('192.0.2.7/24');
    const was = host.snapshot();
    expect(await typed(host, `drbd ${words}`)).toBe(
      `web1: its address 10.0.0.1 is on no interface of this host that is up: it cannot reach a peer. Without it drbdadm refuses ${words.split(' ')[0] ?? ''}\nbring the interface with it up, or give it one: ip address add 10.0.0.1/PREFIX dev INTERFACE; see: bofh network list`,
    );
    expect(host.snapshot()).toBe(was);
    host.admin.setAddresses('10.0.0.1/24');
    expect(await typed(host, `drbd ${words}`)).not.toContain('address');
  });

  it.each(['invalidate web1', 'new-current-uuid web1', 'wait-connect web1 --time 1s'])(
    'bofh drbd %s says that there is no connection',
    async (words) => {
      expect(await typed(cutOff(), `drbd ${words}`)).toMatch(/not (?:be )?connected|Connecting/);
    },
  );

  it('the module of DRBD 9 still pauses and resumes, and drbdadm need not look for it', async () => {
    const here = (await resources(up()))[0]?.here;
    const asked = (verb: string, more: { readonly configured?: Configured } = {}, version = '9.2.4') => {
      const host = cutOff();
      host.world.drbd.version = version;
      return refuseWithoutAddress(host, { name: 'web1', ...present({ here }), ...more }, { argv: [verb] });
    };
    await expect(asked('pause-sync')).resolves.toBeUndefined();
    await expect(asked('up')).rejects.toThrow('Without it drbdadm refuses up');
    await expect(asked('pause-sync', {}, '8.4.11')).rejects.toThrow('refuses pause-sync');
    const xml =
      '<config><global><disable-ip-verification/></global><resource name="web1" conf-file-line="/x:1"/></config>';
    const [configured] = parseConfig(xml);
    await expect(asked('up', present({ configured }))).resolves.toBeUndefined();
  });

  it.each([
    ['fd00::1', 'FD00:0:0::1%eth0', 0],
    ['fd00::1', 'fd00::2', 1],
  ])('of the interface, %s, and of the file, %s, have %i problems', (address, configured, problems) => {
    const here = {
      names: ['sim'],
      address: { family: 'ipv6', address: configured, port: 7788 },
      volumes: [],
    };
    expect(missingAddresses({ here }, [{ up: true, addresses: [{ address }] }])).toHaveLength(problems);
  });

  it('a new resource is refused with the missing address of another one', async () => {
    const volumes = [{ minor: 5, disk: '/dev/vg0/web2-root' }];
    const hosts = [
      { name: 'sim', address: '192.0.2.7', port: 7790, volumes },
      { name: 'peer', address: '192.0.2.8', port: 7790, volumes },
    ];
    const said = await on(cutOff(), (tx) => tx.drbd.createConfig({ name: 'web2', hosts })).catch(
      (error: unknown) => error,
    );
    expect(said).toMatchObject({
      message: expect.stringContaining('IP 10.0.0.1 not found on this host') as unknown,
      remedy: expect.stringMatching(
        /^bring the interface with it up, or give it one: ip address add 10/,
      ) as unknown,
    });
  });

  it.each(['down', 'disconnect'] as const)(
    'the undo of drbd.%s says so, and recovery goes on',
    async (verb) => {
      const host = up();
      const bofh = simulatedBofh({ host });
      const failed = withBofh(bofh, () =>
        atomic('maintenance', async (tx) => {
          await tx.drbd[verb]({ name: 'web1' });
          host.admin.setAddresses('192.0.2.7/24');
          throw new Error('now');
        }),
      );
      const error = await failed.catch((each: unknown) => each);
      expect(error).toBeInstanceOf(StuckError);
      const { blocked, id = '' } = error as StuckError;
      expect(blocked[0]?.why).toMatch(/^web1: its address .* Without it drbdadm refuses (up|connect)/);
      expect(blocked[0]?.remedy).toContain('ip address add 10.0.0.1/PREFIX');

      host.admin.setAddresses('10.0.0.1/24');
      await recover(id, { engine: bofh.engine, yes: true });
      expect((await states(host))[0]?.connections[0]?.state).not.toBe('StandAlone');
    },
  );

  it('bofh drbd demote makes the primary secondary, and promote names the obstacle', async () => {
    const { here, there, alpha } = await made({ primary: 'alpha' });
    there.cutReplication();
    alpha.admin.setAddresses();
    const over = (words: string) => {
      const { runtime } = testRuntime(here, { yes: true });
      return runVerb(runtime, words).then(String, String);
    };
    expect(await over('drbd demote web1 --on alpha,there')).toBe('0');
    expect((await states(alpha))[0]?.role).toBe('Secondary');
    expect(await over('drbd promote web1 --to alpha --on alpha,there')).toContain('connected');
  });

  it('bofh drbd status reports it, and how to restore it', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: cutOff() }));
    await runVerb(runtime, 'drbd status web1');
    expect(stdout()).toMatch(
      /^web1: its address 10\.0\.0\.1 is on no interface of this host that is up: .*\n {2}bring .* ip address add 10\.0\.0\.1\/PREFIX/m,
    );
  });

  it('bofh drbd primary makes this host primary', async () => {
    const host = cutOff();
    const { runtime } = testRuntime(simulatedBofh({ host }));
    await runVerb(runtime, 'drbd primary web1');
    expect((await states(host))[0]?.role).toBe('Primary');
  });
});
