import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { journalList, journalShow, plan, recovered } from '../../src/cli/output/answers/index.ts';
import { type Sshd, startSshd } from '../support/sshd/index.ts';
import { bofh, builtCommand, type Ended } from '../unit/cli/support/built.ts';
import { containing } from '../unit/cli/support/containing.ts';
import { mountedPaths, sh, storage } from './sequence.ts';

// `bofh --host NAME` changes what bofh changes on that host. Here both are one machine, with a state directory each.

let sshd: Sshd;
let disk: ReturnType<typeof storage>;

beforeEach(async () => {
  await builtCommand();
  sshd = await startSshd();
  disk = storage();
  mkdirSync(disk.path('here'), { mode: 0o700 });
  const hosts = { there: { configFile: sshd.configFile, stateDir: disk.path('there') } };
  writeFileSync(disk.path('site.json'), JSON.stringify({ hosts }), { mode: 0o600 });
}, 180_000);

afterEach(async () => {
  await sshd.stop();
  disk.clean();
});

const here = (...words: readonly string[]): Promise<Ended> =>
  bofh(['--site', disk.path('site.json'), '--state-dir', disk.path('here'), ...words]);
const there = (...words: readonly string[]): Promise<Ended> => here('--host', 'there', ...words);

const labelOf = (device: string): string => sh('blkid', '-p', '-o', 'value', '-s', 'LABEL', device).trim();
const reservations = (): readonly string[] => {
  const path = disk.path('there/reservations');
  return existsSync(path) ? readdirSync(path) : [];
};
const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);

/** A script that makes a file on the ambient host, and then does something else. */
function script(then: string): { readonly path: string; readonly made: string } {
  const [path, made] = [disk.path('script.ts'), disk.path('made')];
  writeFileSync(
    path,
    `import { atomic } from 'bofh';
     await atomic('two things', async (tx) => {
       await tx.file.create({ path: ${JSON.stringify(made)}, content: 'x', mode: 0o600 });
       ${then}
     });`,
  );
  return { path, made };
}

describe('a change with --host', () => {
  test('happens there, is journalled here, and leaves no reservation', async () => {
    const { device } = disk.ext4('ext4');

    const ended = await there('--json', 'filesystem', 'label', device, 'far');

    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(json(ended)).toMatchObject({ device, label: 'far' });
    expect(labelOf(device)).toBe('far');
    expect(reservations()).toEqual([]);
    expect(existsSync(disk.path('there/journal'))).toBe(false);
    const [row] = journalList.parse(json(await here('--json', 'journal', 'list')));
    expect(row).toMatchObject({ state: 'committed', hosts: [{ name: 'there' }] });
    const shown = journalShow.parse(json(await here('--json', 'journal', 'show', row?.id ?? '')));
    expect(shown).toMatchObject({ hosts: [{ name: 'there' }], steps: [{ host: 'there', state: 'done' }] });
    expect(shown.steps.flatMap(({ objects }) => objects).join(' ')).not.toContain('there!');
    const words = (await here('journal', 'show', row?.id ?? '')).stdout;
    expect(words).toContain('also on:  there\n');
    expect(words).toMatch(
      /filesystem\.label +filesystem \S+ on there, loop device of inode \d+ on \d+:\d+ on there/,
    );
  }, 180_000);

  test('creates a filesystem there, mounts and unmounts it', async () => {
    const { device, filesystem } = disk.ext4('ext4');
    const mounted = disk.makeDir('mnt');

    const made = await there(
      ...['--json', '--yes', 'filesystem', 'create', device, '--type', 'ext4', '--overwrite', filesystem],
    );
    const added = await there('mount', 'add', device, mounted);
    expect({ made, added }).toMatchObject({
      made: { exitCode: 0 },
      added: { exitCode: 0, stdout: `${device} is mounted on ${mounted}\n` },
    });
    expect(mountedPaths(device)).toEqual([mounted]);
    const removed = await there('mount', 'remove', mounted);

    expect(removed).toMatchObject({ exitCode: 0 });
    expect(mountedPaths(device)).toEqual([]);
    expect(reservations()).toEqual([]);
  }, 180_000);

  test('names that host in questions and errors', async () => {
    const { device, filesystem } = disk.ext4('ext4');

    const { exitCode, stderr } = await there('block', 'wipe', device, '--overwrite', filesystem);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('"block wipe" needs confirmation on there');
    expect(stderr).toContain('host: there: unchanged');
  }, 180_000);

  test('that fails in a script is undone there', async () => {
    const { path, made } = script("throw new Error('enough');");

    const { exitCode, stderr } = await there('run', path);

    expect(stderr).toContain('enough');
    expect(stderr).toContain('host: there: restored: everything was rolled back');
    expect(exitCode).toBe(5);
    expect(existsSync(made)).toBe(false);
    expect(reservations()).toEqual([]);
  }, 180_000);

  test('of a script happens there', async () => {
    const { path, made } = script('');

    expect(await there('run', path)).toMatchObject({ exitCode: 0 });

    expect(existsSync(made)).toBe(true);
  }, 180_000);
});

describe('a dry run with --host', () => {
  test('plans for that host, and writes nothing', async () => {
    const { device } = disk.ext4('ext4');

    const ended = await there('--dry-run', '--json', 'filesystem', 'label', device, 'far');

    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(plan.parse(json(ended)).steps).toMatchObject([
      { kind: 'filesystem.label', host: 'there', when: 'in turn' },
      { kind: 'filesystem.label', host: 'there', when: 'before the commit' },
    ]);
    expect((await there('--dry-run', 'filesystem', 'label', device, 'far')).stdout).toMatch(
      /step 1: filesystem\.label \(filesystem \S+ on there, loop device of inode \d+ on \d+:\d+ on there\)\n/,
    );
    expect(labelOf(device)).toBe('');
    expect(existsSync(disk.path('there'))).toBe(false);
    expect(readdirSync(disk.path('here'))).toEqual([]);
  }, 180_000);

  test('is refused objects that another host has reserved there', async () => {
    const { device, filesystem } = disk.ext4('ext4');
    mkdirSync(disk.path('there/reservations'), { recursive: true, mode: 0o700 });
    const lines = ['bofh reservation 1', 'coordinator web9', 'sequence abc123 "theirs"', 'owner t'];
    const key = JSON.stringify(`fs:${filesystem}`);
    writeFileSync(disk.path('there/reservations/abc123'), `${lines.join('\n')}\nx ${key}\n`);

    for (const more of [[], ['--dry-run']]) {
      const { stderr } = await there(...more, 'filesystem', 'label', device, 'far');
      expect(stderr).toMatch(/on there is in use by the sequence abc123 "theirs", which bofh runs on web9/);
    }
    expect(labelOf(device)).toBe('');
  }, 180_000);

  test.each([
    ['of a script for that host', there, [undefined, undefined]],
    ['of a script that names the host of a step itself', here, [undefined, 'there']],
  ] as const)(
    '%s has its steps, and leaves nothing on either host',
    async (_, run, on) => {
      const [file, then] = [disk.path('one'), disk.path('two')];
      const path = disk.path('script.ts');
      const place = run === here ? "tx.on('there')" : 'tx';
      writeFileSync(
        path,
        `import { atomic } from 'bofh';
         await atomic('two things', async (tx) => {
           await tx.file.create({ path: ${JSON.stringify(file)}, content: 'x', mode: 0o600 });
           await ${place}.file.create({ path: ${JSON.stringify(then)}, content: 'x', mode: 0o600 });
           await ${place}.file.remove({ path: ${JSON.stringify(then)} });
         });`,
      );

      const dry = await run('--dry-run', '--json', 'run', path);
      expect(dry.exitCode, dry.stderr).toBe(0);
      const steps = plan.parse(json(dry)).steps.filter(({ when }) => when === 'in turn');
      const host = run === there ? 'there' : undefined;
      expect(steps.map((step) => step.host ?? host)).toEqual([...on, on[1]].map((each) => each ?? host));
      expect(steps.map(({ kind }) => kind)).toEqual(['file.create', 'file.create', 'file.remove']);
      expect(steps[1]?.changes.map(({ line }) => line).join()).toContain(then);
      expect([file, then, disk.path('there')].map((each) => existsSync(each))).toEqual([false, false, false]);
      expect(readdirSync(disk.path('here'))).toEqual([]);
    },
    180_000,
  );

  test('of a script that names an unreachable host says so', async () => {
    const { path } = script("await tx.on('host.invalid').file.remove({ path: '/srv/nothing' });");

    const { exitCode, stderr } = await here('--dry-run', 'run', path);

    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('there is no host host.invalid');
    expect(stderr).toContain('unchanged (dry run)');
  }, 180_000);
});

describe('a sequence that was killed with --host', () => {
  test('is shown with its host, planned, and undone', async () => {
    const { path, made } = script("process.kill(process.pid, 'SIGKILL');");
    await there('run', path);
    expect(existsSync(made)).toBe(true);
    const [row] = journalList.parse(json(await here('--json', 'journal', 'list')));
    const id = row?.id ?? '';
    expect(row).toMatchObject({ state: 'interrupted', hosts: [{ name: 'there' }] });

    const planned = plan.parse(json(await here('--dry-run', '--json', 'recover')));
    expect(planned).toMatchObject({
      steps: [{ kind: 'file.create', host: 'there', objects: [`file:${made}`], when: 'undo' }],
      journals: [{ id, end: 'rolled-back' }],
    });
    expect(existsSync(made)).toBe(true);

    expect(recovered.parse(json(await here('--json', '--yes', 'recover')))).toMatchObject([
      { id, end: 'rolled-back' },
    ]);
    expect(existsSync(made)).toBe(false);
    expect(reservations()).toEqual([]);
  }, 180_000);

  test('stays open while its host cannot be reached, and every command says so', async () => {
    const { path, made } = script("process.kill(process.pid, 'SIGKILL');");
    await there('run', path);
    // With it goes the file that says how it is reached.
    await sshd.stop();

    const [row] = journalList.parse(json(await here('--json', 'journal', 'list')));
    const shown = await here('journal', 'show', row?.id ?? '');
    const planned = await here('--dry-run', 'recover');
    const stays = await here('--yes', 'recover');

    expect(row).toMatchObject({ hosts: [{ name: 'there', away: containing('no connection to there') }] });
    expect(shown.stdout).toMatch(/also on: {2}there cannot be reached: no connection to there/);
    expect(shown.stdout).toContain(`blocked: step 1 file.create (${made} on there)`);
    expect(planned.exitCode).toBe(3);
    expect(stays.exitCode).toBe(3);
    expect(stays.stderr).toContain('could not be undone on there; the journal');
    expect(existsSync(made)).toBe(true);
  }, 180_000);
});
