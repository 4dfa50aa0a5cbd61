import assert from 'node:assert/strict';
import { holders, recognise, size } from '../../src/blockdevice/index.ts';
import { type ChangeHost, type Command, type Host, nothing } from '../../src/command/index.ts';
import { drbdDown, drbdPrimary, drbdSecondary, drbdUp } from '../../src/drbd/change-commands.ts';
import { drbdConfig } from '../../src/drbd/commands.ts';
import { dataSize, resourceNamed, resources, states } from '../../src/drbd/index.ts';
import { deactivate, lvcreate, lvremove } from '../../src/lvm/lv-commands.ts';
import { lvs } from '../../src/lvm/report-commands.ts';
import { udevOf } from '../../src/lvm/reads.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const tag = 'bofh.0123456789ab.3';
const name = 'contract-3';
const minor = 93;
const file = `/etc/drbd.d/${name}.res`;
const known = `/var/lib/drbd/drbd-minor-${String(minor)}.lkbd`;

/** Work that bofh does not do here: metadata, over leftovers of an earlier volume, and a first promotion. */
const manualRecovery = (...argv: readonly string[]): Command<void, 'change'> => ({
  ...{ tool: 'drbdadm', argv, access: 'change', parse: nothing },
});

/** A volume with a resource on it that is configured, as long as the work lasts. Its peer is never there. */
async function withResource(
  { host, change, vg }: { readonly host: Host; readonly change: ChangeHost; readonly vg: string },
  work: (disk: string) => Promise<void>,
): Promise<void> {
  const udev = await udevOf(host);
  await change.run(lvcreate({ vg, name, extents: 8, tags: [tag], ...udev }));
  const disk = `/dev/${vg}/${name}`;
  const { hostname } = await host.facts();
  const on = (who: string, port: number): string =>
    `on ${who} { volume 0 { device minor ${String(minor)}; disk ${disk}; meta-disk internal; } address ipv4 127.0.0.1:${String(port)}; }`;
  const isBare = (await host.stat('/etc/drbd.conf')) === undefined;
  if (isBare) {
    await change.writeNew('/etc/drbd.conf', 'include "drbd.d/*.res";\n', { mode: 0o644 });
    await change.makeDir('/etc/drbd.d', { mode: 0o755 });
  }
  await change.writeNew(file, `resource ${name} {\n${on(hostname, 7893)}\n${on('peer', 7894)}\n}\n`, {
    mode: 0o644,
  });
  await andThen(
    () => work(disk),
    async () => {
      await change.run(drbdDown(name));
      await change.removeFile(file);
      if ((await host.stat(known)) !== undefined) await change.removeFile(known);
      if (isBare) {
        await change.removeDir('/etc/drbd.d');
        await change.removeFile('/etc/drbd.conf');
      }
      const uuid = (await host.run(lvs({ vg }))).find((lv) => lv.name === name)?.uuid ?? '';
      await change.run(deactivate({ vg, name, uuid, ...udev }));
      await change.run(lvremove({ vg, name, uuid, tag, ...udev }));
    },
  );
}

/** drbd-utils and the module, as far as the driver relies on them. */
export const drbdScenarios: readonly Scenario[] = [
  {
    name: 'drbdadm up brings a resource up as a secondary that looks for its peer, with the data size that bofh computed',
    needs: ['vg'],
    run: async (context) =>
      withResource(context, async (disk) => {
        const { host, change } = context;
        await change.run(manualRecovery('create-md', '--force', name));
        assert.equal((await recognise(host, disk))?.type, 'drbd');
        assert.equal((await resourceNamed(host, name)).state, undefined);
        await change.run(drbdUp(name));
        const { here, state } = await resourceNamed(host, name);
        assert.equal(here?.volumes[0]?.disk, disk);
        assert.equal(state?.role, 'Secondary');
        assert.deepEqual(
          state.volumes.map((each) => [each.minor, each.disk, each.size]),
          [[minor, 'Inconsistent', dataSize(await size(host, disk))]],
        );
        assert.equal(state.connections[0]?.state, 'Connecting');
        assert.equal((await holders(host, disk))[0]?.kind, 'drbd');
        await assert.rejects(change.run(drbdUp(name)));
      }),
  },
  {
    name: 'the roles: a primary needs data that are up to date, may be asked for twice, and so may the others; what is down is not found',
    needs: ['vg'],
    run: async (context) =>
      withResource(context, async () => {
        const { host, change } = context;
        const role = async () => (await resourceNamed(host, name)).state?.role;
        await change.run(manualRecovery('create-md', '--force', name));
        await fails(change.run(drbdPrimary(name)), 'not-found');
        await change.run(drbdUp(name));
        await fails(change.run(drbdPrimary(name)), 'unknown');
        await change.run(manualRecovery('primary', '--force', name));
        await change.run(drbdPrimary(name));
        assert.equal(await role(), 'Primary');
        await change.run(drbdSecondary(name));
        await change.run(drbdSecondary(name));
        assert.equal(await role(), 'Secondary');
        await change.run(drbdDown(name));
        await change.run(drbdDown(name));
        assert.equal(
          (await states(host)).find((each) => each.name === name),
          undefined,
        );
        await change.run(drbdUp(name));
        assert.equal((await resourceNamed(host, name)).state?.volumes[0]?.disk, 'UpToDate');
      }),
  },
  {
    name: 'drbdadm up without metadata fails, and leaves a resource without a disk; an unconfigured one is not found',
    needs: ['vg'],
    run: async (context) =>
      withResource(context, async () => {
        const { host, change } = context;
        await fails(change.run(drbdUp('contract-none')), 'not-found');
        await fails(change.run(drbdUp(name)), 'unknown');
        const { state } = await resourceNamed(host, name);
        assert.equal(state?.volumes[0]?.disk, 'Diskless');
        assert.equal(state.connections[0]?.state, 'StandAlone');
      }),
  },
  {
    name: 'drbdadm dump-xml reads one file by itself, and one that is no configuration is an error for all resources',
    needs: ['vg'],
    run: async (context) =>
      withResource(context, async () => {
        const { host, change } = context;
        assert.deepEqual(
          (await host.run(drbdConfig(file))).map((each) => each.name),
          [name],
        );
        const broken = '/etc/drbd.d/contract-broken.res';
        for (const text of ['resource contract-broken {\n', 'resource contract-broken {\n  on peer {\n']) {
          await change.writeNew(broken, text, { mode: 0o644 });
          await andThen(
            () => assert.rejects(resources(host)),
            () => change.removeFile(broken),
          );
        }
      }),
  },
];
