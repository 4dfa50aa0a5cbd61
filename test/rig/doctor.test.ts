import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../src/cli/output/answers/index.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, fingerprint, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

/** What a sequence makes before `end`: a volume, a filesystem on it, a mount of it, a config file. */
const script = (name: string, end: string): string => `
  import { execFileSync } from 'node:child_process';
  import { atomic } from 'bofh';
  await atomic('${name}', async (tx) => {
    const lv = await tx.lvm.createLv({ vg: 'vg0', name: '${name}', size: '64m' });
    await tx.filesystem.create({ device: lv.path, type: 'ext4' });
    const own = await tx.mount.mount({ device: lv.path, mode: 'rw' });
    await tx.file.create({ path: '/etc/xen/${name}.cfg', content: 'x', mode: 0o644 });
    ${end}
  });
`;

describe.skipIf(!can.ok && !required)('bofh doctor on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen' });
    await installBofh(machine);
    await machine.run('install -d -m 711 /run/bofh; install -d -m 700 /run/bofh/mnt /run/bofh/locks');
    await machine.saveSnapshot('installed');
  });
  // What one test leaves when it fails must not fail the next.
  beforeEach(async () => {
    await machine.loadSnapshot('installed');
  });
  afterAll(async () => {
    await machine.close();
  });

  async function doctor() {
    const { exitCode, stdout } = await machine.run('bofh doctor --json', { check: 'return' });
    const found = answers.doctor.parse(JSON.parse(stdout));
    const of = (check: string) => found.filter((each) => each.check === check);
    return { exitCode, of, wrong: found.filter(({ level }) => level === 'problem') };
  }

  async function openJournal(of: string): Promise<string> {
    const { stdout } = await machine.run('bofh journal list --json');
    const all = answers.journalList.parse(JSON.parse(stdout));
    const open = all.find(({ name, state }) => name === of && state === 'interrupted');
    if (open === undefined) throw new Error(`no journal "${of}" is open: ${stdout}`);
    return open.id;
  }

  /** Types what `journal show` says to clear each step that is left, the newest first. */
  async function clearRecovery(id: string): Promise<void> {
    const { stdout } = await machine.run(['bofh', 'journal', 'show', id, '--json']);
    const { steps } = answers.journalShow.parse(JSON.parse(stdout));
    for (const { manualRecovery } of steps.toReversed()) {
      for (const look of manualRecovery?.look ?? []) await machine.run(look, { check: 'return' });
      for (const clear of manualRecovery?.clear ?? []) await machine.run(`${clear} < /dev/null`);
    }
  }

  it('finds no problem on a clean host', async () => {
    const { exitCode, wrong, of } = await doctor();

    expect(wrong).toEqual([]);
    expect(exitCode).toBe(0);
    for (const check of ['journal', 'leftover', 'xen', 'site file'])
      expect(of(check).map(({ level }) => level)).toEqual(['ok']);
    expect(of('programs').find(({ says }) => says.startsWith('lvm2'))?.level).toBe('ok');
    expect(of('kernel').find(({ says }) => says.startsWith('xen_blkback'))?.level).toBe('ok');
  });

  it('names the leftovers of a stuck undo; its commands free the name again', async () => {
    const before = await fingerprint(machine);
    const hold = `execFileSync('mount', ['--bind', own.path, '/mnt']); throw new Error('later');`;
    await machine.putText('/root/stuck.ts', script('stuck', hold));

    const failed = await machine.run('bofh run /root/stuck.ts', { check: 'return' });
    const id = await openJournal('stuck');
    const { exitCode, of } = await doctor();

    expect(failed.exitCode).toBe(3);
    expect(failed.stderr).toMatch(/undone: step 3 mount\.mount .*\n *undone: step 4 file\.create/);
    expect(failed.stderr).toMatch(/blocked: step 1 lvm\.lv\.create .*\/mnt/);
    expect(failed.stderr).toMatch(/blocked: step 2 filesystem\.create .*: step 1 stands in the way/);
    expect(failed.stderr).toMatch(/clear: wipefs --all \/dev\/vg0\/stuck\n/);
    expect(exitCode).toBe(6);
    expect(of('journal')).toMatchObject([
      { level: 'problem', run: [`bofh journal show ${id}`, `bofh recover ${id}`] },
    ]);
    expect(of('leftover').map(({ level }) => level)).toEqual(['problem', 'problem']);

    const again = await machine.run('bofh run /root/stuck.ts', { check: 'return' });
    expect(again).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(
        new RegExp(
          `vg0/stuck belongs to the unfinished sequence ${id} "stuck"[^]*next: bofh recover; to look`,
        ),
      ) as unknown,
    });

    await machine.run('umount /mnt');
    await clearRecovery(id);
    await machine.run('bofh recover');
    expect((await doctor()).exitCode).toBe(0);
    await machine.run('rm /root/stuck.ts');
    expect(before.diff(await fingerprint(machine))).toBe('');
  });

  it('lists the leftovers of an abandoned sequence until they are removed', async () => {
    const before = await fingerprint(machine);
    await machine.putText('/root/killed.ts', script('killed', `process.kill(process.pid, 'SIGKILL');`));
    await machine.run('bofh run /root/killed.ts', { check: 'return' });
    const id = await openJournal('killed');
    const left = ({ of }: Awaited<ReturnType<typeof doctor>>) =>
      of('leftover').filter(({ says }) => says.includes(id));
    const open = await doctor();

    await machine.run(['bofh', 'recover', '--abandon', id, '--because', 'it is wanted']);
    const abandoned = await doctor();

    expect(open).toMatchObject({ exitCode: 6 });
    expect(left(open).length).toBe(4);
    expect(abandoned).toMatchObject({ exitCode: 0 });
    expect(left(abandoned).map(({ level }) => level)).toEqual(Array(4).fill('warning'));
    expect(left(abandoned)[0]?.says).toContain('which was abandoned: it is wanted');

    await clearRecovery(id);
    expect((await doctor()).of('leftover').map(({ level }) => level)).toEqual(['ok']);
    await machine.run('rm /root/killed.ts');
    expect(before.diff(await fingerprint(machine))).toBe('');
  });
});
