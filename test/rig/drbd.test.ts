import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { drbdChange, drbdList, drbdNext } from '../../src/cli/output/answers/index.ts';
import { drbd as specimens, peer } from '../support/matrix/operations/drbd.ts';
import { expectAsBefore, guest, openStage, reset, run, type Stage } from '../support/matrix/stage.ts';
import { available } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('resources of DRBD, with the real module', () => {
  let stage: Stage;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    // A second processor is emulated by one that is busy, and DRBD's threads wait for each other.
    stage = await openStage(() => undefined, { hypervisor: 'none', cpus: 1 });
  });
  beforeEach(() => reset(stage));
  afterAll(async () => {
    await stage.machine.close();
  });

  const bofh = (line: string, ...codes: readonly number[]) => run(stage, `bofh ${line}`, ...codes);
  const json = async (line: string): Promise<unknown> =>
    JSON.parse((await stage.machine.run(`bofh --json ${line}`)).stdout);
  const events = async () => (await stage.machine.run(`drbdsetup events2 --now ${guest}`)).stdout;

  it('are brought up, promoted, demoted and brought down, but not while mounted', async () => {
    await run(stage, specimens.up.setUp, 0);
    expect(drbdList.parse(await json('drbd list'))).toMatchObject([
      { resource: guest, minor: 7, configured: true, role: null },
    ]);
    expect(drbdNext.parse(await json('drbd next'))).toEqual({ port: 7788, minor: 0 });
    expect(drbdChange.parse(await json(`drbd up ${guest}`))).toMatchObject({ role: 'Secondary' });
    expect(drbdChange.parse(await json(`drbd primary ${guest}`))).toMatchObject({ role: 'Primary' });
    expect(drbdList.parse(await json('drbd list'))).toMatchObject([
      {
        ...{ role: 'Primary', disk: 'UpToDate', size: 64 * 1024 ** 2 - 40_960 },
        peers: [{ connection: 'Connecting', disk: 'DUnknown' }],
      },
    ]);
    await run(stage, 'mkfs.ext4 -q /dev/drbd7 && mount /dev/drbd7 /mnt && udevadm settle', 0);
    const before = await events();
    for (const verb of ['secondary', 'down'])
      expect(await bofh(`drbd ${verb} ${guest}`, 1)).toContain('mounted on /mnt');
    expect(await events()).toBe(before);
    expect(await bofh('block tree', 0)).toMatch(/DRBD device/);
    await run(stage, 'umount /mnt', 0);
    expect(await bofh(`drbd down ${guest}`, 1)).toContain(`bofh drbd secondary ${guest}`);
    await bofh(`drbd secondary ${guest}`, 0);
    await bofh(`drbd down ${guest}`, 0);
    expect(await bofh(`drbd status ${guest}`, 0)).toContain('it is not up');
    await run(stage, `{ ${specimens.up.clear}; }`, 0);
    await run(stage, 'rm -rf /var/lib/bofh/journal/* /var/lib/bofh/history/*', 0);
    await expectAsBefore(stage);
  });

  // The matrix tries every one, with faults; this is the shortest way to see that the ways back are whole.
  it.each(['createMetadata', 'detach', 'disconnect', 'primary'] as const)(
    '%s is undone when a later step fails',
    async (name) => {
      const specimen = specimens[name];
      await run(stage, specimen.setUp, 0);
      const before = await events();
      await stage.machine.putText(
        '/root/fails.ts',
        `import { atomic } from 'bofh';\nawait atomic('t', async (tx) => {\n  await ${specimen.call};\n  throw new Error('what follows');\n});\n`,
      );

      expect(await bofh('run /root/fails.ts', 1, 5)).toContain('what follows');

      expect(await events()).toBe(before);
    },
  );

  it('become a mirror of two blank volumes that is written, verified, disconnected and connected again', async () => {
    await run(stage, peer.makeDisks, 0);
    const hosts = '--hosts $(hostname)=127.0.0.1:7795,peer=127.0.0.1:7796';
    const config = `drbd config create ${guest} ${hosts} --volumes 7:/dev/vg0/${guest}-root --set net.verify-alg=crc32c`;
    await bofh(config, 0);
    expect(await bofh(config, 1)).toContain(`there is a DRBD resource ${guest} already`);
    await bofh(`drbd create-md ${guest}`, 0);
    expect(await bofh(`drbd create-md ${guest}`, 1)).toContain('--overwrite');
    await bofh(`drbd up ${guest}`, 0);
    await run(stage, peer.up, 0);
    await bofh(`drbd wait-connect ${guest} --time 60s`, 0);
    await bofh(`--yes drbd new-current-uuid ${guest}`, 0);
    await bofh(`drbd primary ${guest}`, 0);
    await run(stage, 'mkfs.ext4 -q /dev/drbd7 && udevadm settle', 0);
    await bofh(`drbd verify ${guest} --time 5m`, 0);
    await bofh(`drbd disconnect ${guest}`, 0);
    await run(stage, 'dd if=/dev/urandom of=/dev/drbd7 bs=1M seek=20 count=4 oflag=direct status=none', 0);
    expect(await bofh(`drbd detach ${guest}`, 1)).toContain('without its disk there is no data');
    await bofh(`drbd connect ${guest}`, 0);
    await bofh(`drbd wait-sync ${guest} --time 2m`, 0);
    await bofh(`--yes drbd invalidate-remote ${guest}`, 0);
    await bofh(`drbd wait-sync ${guest} --time 3m`, 0);
    expect(await bofh(`--yes drbd invalidate ${guest}`, 1)).toContain('is primary on this host');
    await bofh(`drbd secondary ${guest}`, 0);
    await bofh(`drbd down ${guest}`, 0);
    await bofh(`--yes drbd config remove ${guest}`, 0);
    expect(await bofh(`drbd status ${guest}`, 1)).toContain('there is no DRBD resource');
  });

  it('without metadata is refused, and a broken configuration is not reported as empty', async () => {
    await run(stage, `${specimens.up.setUp} && wipefs -q -a /dev/vg0/${guest}-root`, 0);
    expect(await bofh(`drbd up ${guest}`, 1)).toContain('has no metadata of DRBD at its end');
    await stage.machine.putText('/etc/drbd.d/broken.res', 'resource broken {\n');
    expect(await bofh('drbd list', 1)).toContain('/etc/drbd.d/broken.res:1');
  });
});
