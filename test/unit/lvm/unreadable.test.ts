import { describe, expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { withBofh, single } from '../../../src/bofh.ts';
import { doctor as answer } from '../../../src/cli/output/answers/index.ts';
import { CommandError, ParseError, StuckError, ToolError } from '../../../src/core/errors.ts';
import { lvs as lvsReport } from '../../../src/lvm/report-commands.ts';
import { layout } from '../../../src/lvm/layout.ts';
import { reported } from '../../../src/lvm/unreadable.ts';
import { lvs, metadataBackup, pvs, usableVg, vgs } from '../../../src/lvm/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { bofhOf } from '../doctor/support.ts';

const backup = '/etc/lvm/backup/vg0';
const fromFile = `pvck --repair --file ${backup} /dev/vdb; vgchange -aay vg0; bofh recover`;
const fromDevice = (offset: number): string =>
  `pvck --dump metadata_search --settings metadata_offset=${offset} --file /root/vg0.metadata /dev/vdb; pvck --repair --file /root/vg0.metadata /dev/vdb; vgchange -aay vg0; bofh recover`;

/** Killed at mkfs: its volume is made. */
async function killed(): Promise<SimulatedHost> {
  const host = changedHost();
  host.fault({ tool: 'mkfs.ext4', mode: 'crash here' });
  const work = withBofh(simulatedBofh({ host }), () =>
    single('own', async (tx) => {
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '64m' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
    }),
  );
  await expect(work).rejects.toThrow();
  host.clearFaults();
  return host.restart();
}

function group({ world }: SimulatedHost) {
  const [vg] = world.lvm;
  if (vg === undefined) throw new Error('this host has no volume group');
  return vg;
}

/** lvm has changed its group a few times. */
function changedHost(): SimulatedHost {
  const host = simulatedHost();
  group(host).seqno = 4;
  return host;
}

/** Where the model has the change before the last one. */
const before = (host: SimulatedHost): number => 4096 + 512 * (group(host).seqno - 1);

describe('a volume group whose metadata was torn by a power cut', () => {
  test.each([
    ['lvs', lvs],
    ['vgs', vgs],
    ['pvs', pvs],
    ['the group by its name', (host: SimulatedHost) => usableVg(host, 'vg0')],
    ['its layout', (host: SimulatedHost) => reported(host, layout())],
    ['its backup', (host: SimulatedHost) => metadataBackup(host, 'vg0')],
  ])('is not reported as missing: %s', async (_, ask) => {
    const host = changedHost();
    host.admin.tear('vg0');

    const error = await rejectionOf(ask(host));

    expect(error).toBeInstanceOf(ParseError);
    expect(String(error)).toContain('the metadata of the volume group vg0 on /dev/vdb cannot be read');
    expect((error as ParseError).remedy).toBe(fromDevice(before(host)));
  });

  test.each([
    ['a backup of the last change', (host: SimulatedHost) => host.admin.backup('vg0'), () => fromFile],
    [
      'a backup of the change before, which is also on the device',
      (host: SimulatedHost) => {
        host.admin.backup('vg0');
        group(host).seqno += 1;
      },
      () => fromFile,
    ],
    [
      'a backup that is older than what is on the device',
      (host: SimulatedHost) => {
        host.admin.backup('vg0');
        group(host).seqno += 2;
      },
      (host: SimulatedHost) => fromDevice(before(host)),
    ],
    [
      'a backup of zeros',
      (host: SimulatedHost) => host.admin.writeFile(backup, '\0'.repeat(2873)),
      (host: SimulatedHost) => fromDevice(before(host)),
    ],
    [
      'a backup of another group that had the name',
      (host: SimulatedHost) => {
        const own = group(host);
        host.world.lvm = [{ ...own, uuid: 'aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa', seqno: 99 }];
        host.admin.backup('vg0');
        host.world.lvm = [own];
      },
      (host: SimulatedHost) => fromDevice(before(host)),
    ],
  ])('is restored from its newest complete copy: %s', async (_, lay, expected) => {
    const host = changedHost();
    lay(host);
    host.admin.tear('vg0');

    expect((await rejectionOf(lvs(host))) as ParseError).toHaveProperty('remedy', expected(host));
  });

  describe('on a device that was in another group before', () => {
    const old = 'aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa';
    const remedyIn = async (host: Parameters<typeof lvs>[0]) =>
      String(((await rejectionOf(lvs(host))) as ParseError).remedy);

    test('is not restored from a file of that group, which has a higher count', async () => {
      const host = simulatedHost();
      group(host).seqno = 1;
      const { uuid, pvs: devices } = group(host);
      for (const [file, name, id, seqno] of [
        ['backup/vg0', 'vg0', uuid, 1],
        ['archive/old_00050.vg', 'old', old, 50],
      ] as const)
        host.admin.writeFile(
          `/etc/lvm/${file}`,
          `# Generated by LVM2 version 2.03.16(2) (2022-05-18): a day\n\ncontents = "Text Format Volume Group"\nversion = 1\n\n${name} {\n\tid = "${id}"\n\tseqno = ${seqno}\n\tid = "${devices[0]?.uuid ?? ''}"\n}\n`,
        );
      host.admin.tear('vg0');

      const remedy = await remedyIn(host);

      expect(remedy).toContain(`copies of several groups were found`);
      expect(remedy).not.toContain('old_00050.vg /dev/vdb');
    });

    test('is not restored from a copy of that group on the device', async () => {
      const host = changedHost();
      host.admin.tear('vg0');
      const copy = `  metadata at 900000 length 700 crc 0 vg old seqno 50 id ${old}\n`;
      const run: SimulatedHost['run'] = async (command) =>
        host.run({
          ...command,
          parse: (answer) =>
            command.parse(
              command.argv.includes('metadata_search') ? { ...answer, stdout: answer.stdout + copy } : answer,
            ),
        });

      const remedy = await remedyIn({ ...host, run });

      expect(remedy).toContain(
        `copies of several groups were found: vg0 (uuid ${group(host).uuid}) and old (uuid ${old}); see them: pvck --dump metadata_search /dev/vdb;`,
      );
    });
  });

  test('leaves the journal open, and recovery names the commands; then it undoes', async () => {
    const host = await killed();
    host.admin.tear('vg0');
    const { engine } = simulatedBofh({ host });
    const [{ id } = { id: '' }] = await openJournals(engine);

    const error = await rejectionOf(recover(id, { engine, yes: true }));

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify(error)).toContain(fromDevice(before(host)));
    const later = host.restart();
    later.admin.tear('vg0', false);
    await recover(id, { engine: simulatedBofh({ host: later }).engine, yes: true });
    expect(group(later).lvs.map(({ name }) => name)).not.toContain('own');
  });

  test('is a problem for the doctor, with the same commands', async () => {
    const host = changedHost();
    host.admin.tear('vg0');
    const { runtime, stdout } = testRuntime(bofhOf(host), { json: true });

    expect(await runVerb({ ...runtime, root: true }, 'doctor')).toBe(6);

    const found = answer.parse(JSON.parse(stdout()));
    expect(found.filter(({ run }) => run.includes(fromDevice(before(host))))).toMatchObject([
      { check: 'leftover', level: 'problem' },
      { check: 'lvm', level: 'problem' },
    ]);
  });
});

test("after each step lvm's own backup is synced", async () => {
  const host = changedHost();
  host.admin.backup('vg0');

  await withBofh(simulatedBofh({ host }), () =>
    single('own', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '64m' })),
  );

  const last = host.changes.findLastIndex(({ what }) => what === 'command');
  expect(host.changes.slice(last)).toContainEqual(
    expect.objectContaining({ what: 'file', verb: 'sync', path: backup }),
  );
});

test('an old lvm2 is refused with the required version', async () => {
  // 2.03.11 of Debian 11 prints every field before that line.
  const stderr =
    '    pv_mda_used_count           - Number of metadata areas in use on this device.\n  Unrecognised field: lv_autoactivation\n';
  const host = simulatedHost();
  const { tool, argv, classify } = lvsReport();
  const reason = classify?.({ exitCode: 5, stdout: '', stderr }) ?? 'unknown';
  const fails = () => Promise.reject(new CommandError({ tool, argv, exitCode: 5, reason, stderr }));

  const error = await rejectionOf(reported({ ...host, run: fails }, lvsReport()));

  expect(error).toBeInstanceOf(ToolError);
  expect(String(error)).toContain('lvs is too old: it does not know the field lv_autoactivation');
  expect(error).toMatchObject({ remedy: expect.stringContaining('lvm2 2.03.12') as string });
});
