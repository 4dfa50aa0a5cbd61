import { describe, expect, test } from 'vitest';
import { AtomicOperationSequence } from '../../../src/atomic/index.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Command, nothing } from '../../../src/command/index.ts';
import {
  CommandError,
  JournalError,
  ParseError,
  RolledBackError,
  StuckError,
} from '../../../src/core/errors.ts';
import { lvs, vgs } from '../../../src/lvm/report-commands.ts';
import { createLv } from '../../../src/lvm/operations.ts';
import { ProcessKilled, simulatedHost } from '../../../src/simulator/index.ts';
import { bofhOn, hostWithSource, recoverAll, vmCreate } from './support.ts';

const make = { vg: 'vg0', name: 'web1', size: '16m' };
const makeLv = (host: ReturnType<typeof simulatedHost>) =>
  withBofh(bofhOn(host), () => atomic('disk', (tx) => tx.lvm.createLv(make)));

describe('an unknown command', () => {
  test.each<Pick<Command<void>, 'tool' | 'argv'>>([
    { tool: 'lvs', argv: ['--reportformat', 'json_std'] },
    {
      tool: 'lvs',
      argv: ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--options', 'lv_nonsense'],
    },
    { tool: 'lvremove', argv: ['--force', 'vg0/x'] },
    { tool: 'mkfs.ext4', argv: ['-F', '-U', 'x', '/dev/vdb'] },
    { tool: 'xl', argv: ['migrate', '1'] },
    { tool: 'umount', argv: ['--lazy', '/mnt'] },
    { tool: 'dmsetup', argv: ['ls'] },
  ])('is an error that names it: $tool $argv', async (command) => {
    const change = simulatedHost().during({ outputs: '/nowhere', lock: -1 });

    const work = change.run({ ...command, access: 'change', parse: nothing });

    await expect(work).rejects.toThrow(ParseError);
    await expect(work).rejects.toThrow(`"${[command.tool, ...command.argv].join(' ')}"`);
  });
});

describe('faults', () => {
  test('a garbled answer is refused', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'lvs', access: 'read', mode: 'garbage answer' });

    await expect(host.run(lvs())).rejects.toThrow(ParseError);
    await expect(host.run(lvs())).resolves.toEqual([]);
  });

  test('a read that hangs runs into its time limit', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'vgs', access: 'read', mode: 'hangs' });

    await expect(host.run(vgs())).rejects.toMatchObject({ reason: 'timeout' });
  });

  test('a program that exits 0 and does nothing is noticed, and everything is as before', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    host.fault({ tool: 'lvcreate', mode: 'no effect, exit 0' });

    await expect(makeLv(host)).rejects.toThrow(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('an undo that fails leaves the journal open; recovered after the repair, the host is as before', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    host.fault({ tool: 'lvcreate', mode: 'acts then fails', exitCode: 5 });
    host.fault({ tool: 'lvremove', mode: 'fails before', exitCode: 5, times: 99 });

    await expect(makeLv(host)).rejects.toThrow(StuckError);
    expect(host.snapshot()).not.toBe(before);
    host.clearFaults();
    await recoverAll(host.restart());
    expect(host.snapshot()).toBe(before);
  });

  test('only the nth matching call is hit', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'file', argvIncludes: '/srv/b', nth: 2, mode: 'fails before' });
    const change = host.during({ outputs: '/nowhere', lock: -1 });

    await change.writeNew('/srv/a', '', { mode: 0o600 });
    await change.writeNew('/srv/b', '', { mode: 0o600 });
    await expect(change.removeFile('/srv/b')).rejects.toThrow(CommandError);
    await change.removeFile('/srv/b');
  });
});

describe('processes', () => {
  test('a killed process makes no further change', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    host.kill();

    await expect(host.stat('/etc')).rejects.toThrow(ProcessKilled);
    await expect(makeLv(host)).rejects.toThrow(ProcessKilled);
    expect(host.snapshot()).toBe(before);
  });

  test('of two concurrent ones with one name, one succeeds, and the other leaves nothing behind', async () => {
    const host = simulatedHost();
    const other = host.restart();

    const results = await Promise.allSettled([makeLv(host), makeLv(other)]);

    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await host.run(lvs())).map(({ name }) => name)).toEqual(['web1']);
    expect(await openJournals(bofhOn(host).engine)).toEqual([]);
  });

  test('two concurrent ones with different names both succeed', async () => {
    const host = hostWithSource();

    await Promise.all([vmCreate(bofhOn(host)), vmCreate(bofhOn(host.restart()), { name: 'mail1' })]);

    expect(host.world.domains.map(({ name }) => name).sort()).toEqual(['mail1', 'web1', 'web10']);
  });

  test('a dead sequence keeps its objects locked until recovery', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'lvcreate', mode: 'acts then crash' });
    await expect(makeLv(host)).rejects.toThrow();
    const next = host.restart();
    next.admin.lvrename('vg0', 'web1', 'other');

    await expect(makeLv(next)).rejects.toThrow(JournalError);
    await recoverAll(next);
    await makeLv(next);
    expect((await next.run(lvs())).map(({ name }) => name)).toEqual(['web1']);
  });

  test('a program outlives its process; recovery waits for it, then undoes what it did', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    host.fault({ tool: 'lvcreate', mode: 'hangs' });
    const work = makeLv(host);
    work.catch(() => undefined);
    await expect.poll(() => host.world.orphans.length).toBe(1);
    host.kill();
    await expect(work).rejects.toThrow();
    const next = host.restart();
    const { engine } = bofhOn(next);
    const waited: string[] = [];

    const [journal] = await openJournals(engine);
    const recovering = recover(journal?.id ?? '', {
      engine,
      yes: true,
      onWait: (_, { command }) => {
        waited.push(command);
        next.letGo();
      },
    });

    expect(journal?.owner).toBe('orphan');
    await recovering;
    expect(waited).toEqual([expect.stringContaining('lvcreate --name web1')]);
    expect(next.snapshot()).toBe(before);
  });

  test('another boot has another ID, and nothing that ends with a boot', async () => {
    const host = hostWithSource();
    await vmCreate(bofhOn(host));
    const { boot } = await host.facts();

    const next = host.reboot();

    expect((await next.facts()).boot).not.toBe(boot);
    expect(next.world.domains).toEqual([]);
    expect(await next.readDir('/run')).toEqual(['udev']);
    expect((await next.run(lvs())).map(({ active }) => active)).toEqual([true, true, true]);
  });
});

describe('concurrent changes', () => {
  test('a foreign volume that takes our name after a kill survives the recovery, byte for byte', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'lvcreate', mode: 'crash here' });
    await expect(makeLv(host)).rejects.toThrow();
    const next = host.restart();
    next.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
    next.admin.format('/dev/vg0/web1', {
      type: 'ext4',
      usage: 'filesystem',
      uuid: '0c0ffee0-0000-4000-8000-000000000001',
    });
    const before = next.snapshot();

    await recoverAll(next);

    expect(next.snapshot()).toBe(before);
  });

  test('a foreign volume that takes our name between check and act stays, and the sequence leaves nothing behind', async () => {
    const host = simulatedHost();
    const { engine } = bofhOn(host);
    const sequence = new AtomicOperationSequence({ engine, name: 'disk' });
    const prepare: typeof createLv.prepare = async (input) => {
      const undo = await createLv.prepare(input);
      if (input.chosen !== undefined) host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 7 });
      return undo;
    };
    const hurried = { ...createLv, prepare };

    await expect(sequence.run((tx) => tx.step(hurried, make))).rejects.toThrow(RolledBackError);
    expect((await host.run(lvs())).map(({ name, tags, size }) => [name, tags, size])).toEqual([
      ['web1', [], 7 * 4 * 1024 ** 2],
    ]);
  });
});
