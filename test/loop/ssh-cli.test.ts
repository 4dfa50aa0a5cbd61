import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Sshd, startSshd } from '../support/sshd/index.ts';
import { allVerbs } from '../support/verbs.ts';
import { bofh, builtCommand, type Ended } from '../unit/cli/support/built.ts';
import { sh, storage } from './sequence.ts';

// `bofh --host NAME` answers what bofh answers on that host. Here both are one machine.

let sshd: Sshd;
let disk: ReturnType<typeof storage>;
let places: Readonly<Record<'ext4' | 'btrfs' | 'mounted' | 'disk' | 'luks' | 'site' | 'state', string>>;

beforeAll(async () => {
  await builtCommand();
  sshd = await startSshd();
  disk = storage();
  const ext4 = disk.ext4('ext4').device;
  const table = disk.ext4('table').device;
  execFileSync('sfdisk', ['-q', '--no-reread', '--no-tell-kernel', '--wipe', 'always', table], {
    input: 'label: gpt\nsize=4MiB, name=bofh\n',
  });
  const luks = disk.ext4('luks', { mebibytes: 32 }).device;
  const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--batch-mode', '--key-file=-'];
  execFileSync('cryptsetup', ['luksFormat', ...quick, luks], { input: 'key' });
  const btrfs = disk.btrfs('btrfs');
  const mounted = disk.makeDir('a mount');
  sh('mount', btrfs, mounted);
  sh('btrfs', 'quota', 'enable', mounted);
  sh('btrfs', 'subvolume', 'create', `${mounted}/a subvolume`);
  const site = disk.path('site.json');
  const stateDir = disk.path('there');
  const hosts = {
    there: { configFile: sshd.configFile, stateDir },
    nobody: { destination: 'host.invalid' },
  };
  writeFileSync(
    disk.path('description.mjs'),
    "import { defineHost } from 'bofh'; export default defineHost((h) => h.absent('/tmp/bofh-no-such-file'));\n",
  );
  writeFileSync(site, JSON.stringify({ hosts }), { mode: 0o600 });
  mkdirSync(disk.path('state'), { mode: 0o700 });
  places = { ext4, btrfs, mounted, disk: table, luks, site, state: disk.path('state') };
});

afterAll(async () => {
  await sshd.stop();
  disk.clean();
});

type Words = (at: typeof places) => readonly string[];

const none: Words = () => [];

/** Every verb that changes nothing, with what it is asked here. */
const reads: readonly (readonly [string, Words])[] = [
  ['vm list', none],
  ['vm show', () => ['web1']],
  ['vm disk list', () => ['web1']],
  ['vm interface list', () => ['web1']],
  ['vm list-backups', ({ mounted }) => [mounted]],
  ['vm verify', ({ mounted }) => [`${mounted}/web1.20261124T155337Z.json`]],
  ['vm base list', none],
  ['vm snapshot list', none],
  ['vm wait', () => ['web1', '--for', 'stopped', '--time', '1s']],
  ['xen list', none],
  ['lvm list', none],
  ['lvm vg list', none],
  ['lvm pv list', none],
  ['block tree', ({ disk: at }) => [at]],
  ['block loop list', none],
  ['block partitions', ({ disk: at }) => [at]],
  ['mount list', none],
  ['mount fstab list', none],
  ['mount crypttab list', none],
  ['filesystem show', ({ ext4 }) => [ext4]],
  ['filesystem check', ({ ext4 }) => [ext4]],
  ['crypt list', none],
  ['crypt show', ({ luks }) => [luks]],
  ['crypt status', () => ['bofh-no-such-mapping']],
  ['map', none],
  ['host facts', none],
  ['host plan', ({ site }) => [join(dirname(site), 'description.mjs')]],
  ['network list', none],
  ['network show', () => ['lo']],
  ['btrfs list', ({ mounted }) => [mounted]],
  ['btrfs show', ({ mounted }) => [`${mounted}/a subvolume`]],
  ['btrfs usage', ({ mounted }) => [mounted]],
  ['btrfs device list', ({ mounted }) => [mounted]],
  ['btrfs rotation status', none],
  ['btrfs scrub status', ({ mounted }) => [mounted]],
  ['btrfs balance status', ({ mounted }) => [mounted]],
  ['btrfs quota show', ({ mounted }) => [mounted]],
  ['drbd list', none],
  ['drbd status', none],
  ['drbd show', () => ['bofh-no-such-resource']],
  ['drbd next', none],
  ['drbd wait-connect', () => ['bofh-no-such-resource']],
  ['drbd wait-sync', () => ['bofh-no-such-resource']],
];

/** Those that are about the journals, which lie where bofh runs. */
const refused: readonly (readonly [string, Words])[] = [
  ['journal list', none],
  ['journal show', () => ['1']],
  ['doctor', none],
  ['boot status', none],
];

/** Those that need a terminal on the host, or no host at all. */
const withoutHost = ['vm console', 'vm chroot', 'schema', 'completion'];

/** The same of those that change something. */
const refusedChanges: readonly (readonly [string, Words])[] = [
  ['recover', none],
  ['recover --boot', none],
  ['undo', () => ['1']],
  ['journal prune', none],
  ['init', none],
  ['boot install', none],
  ['boot remove', none],
  ['btrfs rotation install', () => ['/a', '/b', '--label', 'daily']],
  ['btrfs rotation remove', () => ['/a', '--label', 'daily']],
];

const said = (verb: string, words: Words, more: readonly string[]): readonly string[] => [
  ...['--site', places.site, '--state-dir', places.state, ...more],
  ...verb.split(' '),
  ...words(places),
];

describe('bofh --host', () => {
  test.each(reads)(
    '%s',
    async (verb, words) => {
      let [here, there]: (Ended | undefined)[] = [];
      // The connection itself counts on lo; and a complaint names the host whose state it tells.
      const uncounted = (ended: Ended): Ended => ({
        ...ended,
        stdout: ended.stdout
          .replaceAll(/"(?:bytes|packets)": \d+/g, '"counted": 0')
          // When a map was made.
          .replace(/"at": ".*?"/, '"at": ""')
          .replace('"host": "there: ', '"host": "'),
        stderr: ended.stderr.replace('\n  host: there: ', '\n  host: '),
      });
      // Others may use this machine: what has changed in between is asked again.
      for (let tries = 0; tries < 6; tries += 1) {
        const ask = async (more: readonly string[]): Promise<Ended> =>
          uncounted(await bofh(said(verb, words, ['--json', ...more])));
        [here, there] = await Promise.all([ask([]), ask(['--host', 'there'])]);
        if (JSON.stringify(here) === JSON.stringify(there)) break;
      }

      expect(there).toEqual(here);
      // Xen, DRBD and device-mapper are not everywhere: there the complaints are the same.
      if (!/^(?:xen|vm |lvm|drbd|crypt (?:list|status))/.test(verb)) expect(here?.exitCode).toBe(0);
      expect(here?.stdout).not.toBe('');
    },
    180_000,
  );

  test('prints the same text as on that host', async () => {
    const words = said('block partitions', ({ disk: at }) => [at], []);

    expect(await bofh(['--host', 'there', ...words])).toEqual(await bofh(words));
  });

  test.each([...refused, ...refusedChanges])('%s is refused', async (verb, words) => {
    const { exitCode, stderr } = await bofh(said(verb, words, ['--host', 'there']));

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/works only on the host that bofh runs on/);
  });

  test('every verb of the command line is in one of these lists', async () => {
    const verbs = await allVerbs();
    const names = (kind: 'reads' | 'changes') =>
      verbs.filter(({ changes }) => changes === (kind === 'changes')).map(({ verb }) => verb);

    expect(names('reads').toSorted()).toEqual(
      [...[...reads, ...refused].map(([verb]) => verb), ...withoutHost].toSorted(),
    );
    expect(names('changes').length).toBeGreaterThan(50);
  });

  test('a relative path is refused', async () => {
    const before = sshd.log();
    const { exitCode, stderr } = await bofh(said('mount remove', () => ['mnt'], ['--host', 'there']));

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/"mnt" is relative, but there is no current directory on there/);
    expect(sshd.log()).toBe(before);
  });

  test('an unreachable host gives one sentence, also as JSON', async () => {
    const words = said('lvm list', none, ['--json', '--host', 'nobody']);

    const { exitCode, stdout, stderr } = await bofh(words);

    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { class: 'ConnectionError', exitCode: 1 } });
    expect(stderr).toMatch(/there is no host nobody: its name cannot be resolved/);
  });

  test('applies a description to that host, once', async () => {
    const [file, made] = [disk.path('made.mjs'), disk.path('made.txt')];
    const text = JSON.stringify(made);
    writeFileSync(
      file,
      `import { defineHost } from 'bofh'; export default defineHost((h) => h.file(${text}, { content: 'x\\n', mode: 0o640 }));\n`,
    );
    const apply = () => bofh(said('host apply', () => [file], ['--yes', '--host', 'there']));

    expect(await apply()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(made) as unknown });
    expect([readFileSync(made, 'utf8'), statSync(made).mode & 0o777]).toEqual(['x\n', 0o640]);
    expect(await apply()).toMatchObject({ exitCode: 0, stdout: 'the host is as described\n' });
  });

  test('ends its connection when it ends', async () => {
    await bofh(said('network list', none, ['--host', 'there']));

    // What serves it over there ends a moment later.
    await expect.poll(() => sshd.connections(), { timeout: 20_000 }).toEqual([]);
  });
});
