import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doctorSettings, failure } from '../../../src/cli/output/answers/index.ts';
import { bofh, builtCommand, run } from './support/built.ts';
import { containing } from './support/containing.ts';

const root = process.getuid?.() === 0;
const xl = ['/usr/sbin/xl', '/usr/bin/xl', '/sbin/xl', '/bin/xl'].some((path) => existsSync(path));

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-cli-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('help and version', () => {
  it('the version is that of the package, on stdout', async () => {
    const { version } = (await import('../../../package.json', { with: { type: 'json' } })).default;

    expect(await bofh(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('the help is printed on stdout, with every noun and the exit codes', async () => {
    const { exitCode, stdout, stderr } = await bofh(['--help']);

    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    for (const word of ['xen', 'vm', 'lvm', 'journal', 'recover', 'run', '--dry-run', 'Exit codes'])
      expect(stdout).toContain(word);
  });

  it('the help of a verb has its own options and the common ones', async () => {
    const { stdout } = await bofh(['vm', 'create', '--help']);

    for (const word of ['<name>', '--source <SOURCE>', '--size', '--swap', '--start', '--json', '--wait'])
      expect(stdout).toContain(word);
  });

  it.each([
    [['help'], 'Usage: bofh [options]'],
    [['help', 'options'], '  --log-level <LEVEL>  debug, info'],
    [['help', 'options'], '  DURATION  500ms, 30s, 5m or 1h; a number alone means seconds\n'],
    [['help', 'vm'], 'Usage: bofh vm [options]'],
    [['help', 'vm'], 'Global options (bofh help options):\n  --json --format '],
    [['vm', 'help', 'create'], 'Usage: bofh vm create [options]'],
    [['help', 'lvm', 'create'], 'Usage: bofh lvm create [options]'],
    [['help', 'lvm', 'pv', 'create'], 'Usage: bofh lvm pv create [options]'],
    [['lvm', 'help', 'pv', 'create'], 'Usage: bofh lvm pv create [options]'],
  ])('%j prints an answer too: exit 0', async (args, says) => {
    const { exitCode, stdout, stderr } = await bofh(args);

    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain(says);
  });

  it.each([[[]], [['xen']], [['vm', '--json']]])(
    '%j without a verb shows the help on stderr: exit 2',
    async (args) => {
      const { exitCode, stderr } = await bofh(args);

      expect(exitCode).toBe(2);
      expect(stderr).toContain('Usage: bofh');
      expect(stderr).toContain('bofh: a command is missing');
    },
  );

  it.each([
    [['help', 'xne'], "unknown command 'xne'", 'bofh --help'],
    [['help', 'lvm', 'crate'], "unknown command 'crate'", 'bofh lvm --help'],
    [['xen', 'start'], "missing required argument 'name'", 'bofh xen start --help'],
    [['lvm', 'crate'], "unknown command 'crate'", 'bofh lvm --help'],
  ])('%j names the help to ask for: exit 2', async (args, failed, next) => {
    const { exitCode, stdout, stderr } = await bofh(args);

    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`bofh: ${failed}`);
    expect(stderr).toContain(`\n  next: ${next}\n`);
  });

  it.each([
    [['block', 'resize', '/dev/nope', '50%'], '20g, +5g, -1g, min or max'],
    [['lvm', 'resize', 'vg0/a', '50%'], '20g, +5g or -5g'],
    [['filesystem', 'resize', '/dev/nope', '50%'], '20g or max'],
    [['drbd', 'grow', 'web1', '50%'], '20g, +5g or max'],
    [['block', 'partition', 'grow', '/dev/nope', '1', '50%'], '20g or max'],
  ])('%j names the sizes that it accepts: exit 2', async (args, forms) => {
    const { exitCode, stderr } = await bofh(args);

    expect(exitCode).toBe(2);
    expect(stderr).toContain('bofh: "50%" is not a size\n');
    expect(stderr).toContain(`\n  next: write for example ${forms}\n`);
  });

  it('load no driver, no schemas, and nothing that starts programs', async () => {
    const command = await builtCommand();
    const loaded = new Set<string>();
    const follow = (name: string): void => {
      if (loaded.has(name)) return;
      loaded.add(name);
      const text = readFileSync(join(dirname(command), name), 'utf8');
      // Those at the start of a line are static; what is loaded later stands in a function.
      for (const { groups } of text.matchAll(/^(?:const|let|var) .*?require\("\.\/(?<chunk>[^"]+)"\);$/gm))
        follow(groups?.chunk ?? '');
    };
    follow(/"(?<main>command-[^"]+)"/.exec(readFileSync(command, 'utf8'))?.groups?.main ?? '');
    const text = [...loaded].map((name) => readFileSync(join(dirname(command), name), 'utf8')).join('');

    expect(loaded.size).toBeGreaterThan(1);
    for (const word of ['ZodMini', 'ExecaSyncError', 'sonic-boom', 'lvcreate', 'diskStore'])
      expect(text.includes(word), word).toBe(false);
  });
});

describe('wrong input', () => {
  const create = ['vm', 'create', 'web1', '--source', 'tar:/root.tar', '--size', '1g'];
  it.each([
    ['a size', [...create, '--size', '10x'], /--size: "10x" is not a size/],
    ['a size below zero', [...create, '--size=-1'], /--size: "-1" is not a size/],
    ['a size of nothing', [...create, '--size', '0k'], /--size: "0k" is too small/],
    ['a size without a unit', [...create, '--size', '512'], /--size: "512" has no unit/],
    ['a swap', [...create, '--swap', '1q'], /--swap: "1q"/],
    [
      'a source of another kind',
      ['vm', 'create', 'web1', '--size', '1g', '--source', 'zip:x'],
      /--source zip:x: must be debian:SUITE, tar:FILE/,
    ],
    [
      'a source without a file',
      ['vm', 'create', 'web1', '--size', '1g', '--source', 'tar:'],
      /--source tar:: must be/,
    ],
    ['a number of processors', [...create, '--vcpus', 'two'], /--vcpus two: must be a whole number/],
    ['a time of a verb', ['xen', 'start', 'web1', '--time', 'soon'], /--time soon: must be a duration/],
    ['a duration', ['xen', 'list', '--wait', 'soon'], /--wait soon: must be a duration/],
    ['a log level', ['xen', 'list', '--log-level', 'loud'], /"loud" is not a log level/],
    ['a state directory', ['journal', 'list', '--state-dir', 'here'], /absolute path/],
    [
      'a site file that is not there',
      ['xen', 'list', '--site', '/none/site.ts'],
      /there is no site file \/none\/site.ts/,
    ],
    ['an option', ['xen', 'list', '--jsno'], /unknown option '--jsno'/],
    [
      'a script that is not there',
      ['run', '/none/x.ts'],
      /\/none\/x.ts cannot be read: there is no such file/,
    ],
    ['a script of another kind', ['run', '/etc/passwd'], /is not a script/],
    ['--because alone', ['recover', '--because', 'x'], /--because belongs to --abandon/],
    ['two things to recover', ['recover', 'a', '--cut-last-line', 'b'], /pass only one journal/],
  ])('%s: exit 2, one sentence, and the host untouched', async (_what, args, sentence) => {
    const { exitCode, stdout, stderr } = await bofh(args, { env: { BOFH_STATE_DIR: join(work, 'none') } });

    expect(stderr).toMatch(sentence);
    expect(stderr).toContain('host: unchanged');
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
  });

  it('with --json the error is the answer, and its type is documented', async () => {
    const { exitCode, stdout, stderr } = await bofh(['xen', 'list', '--json', '--wait', 'soon']);

    expect(failure.parse(JSON.parse(stdout)).error).toMatchObject({ class: 'UsageError', exitCode });
    expect(stderr).toContain('--wait soon: must be a duration');
  });

  it('with --json an error of commander is too', async () => {
    const { stdout } = await bofh(['xen', 'list', '--json', '--nonsense']);

    expect(failure.parse(JSON.parse(stdout)).error.exitCode).toBe(2);
  });
});

describe.skipIf(!root)('--quiet', () => {
  const image = (...words: readonly string[]) =>
    bofh(['block', 'image', 'create', join(work, 'disk.img'), '1m', ...words], {
      env: { BOFH_STATE_DIR: join(work, 'quiet') },
    });

  it('prints nothing for a change that succeeds, and the error of one that fails', async () => {
    expect(await image('--quiet')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect((await image('-q')).stderr).toContain('disk.img exists already');
  });

  it('keeps the JSON of a change, and the answer of a read', async () => {
    rmSync(join(work, 'disk.img'));
    expect((await image('--quiet', '--json')).stdout).toContain('disk.img');
    expect((await bofh(['mount', 'list', '-q'])).stdout).not.toBe('');
  });
});

describe('a host that lacks something', () => {
  it.skipIf(xl)('without xl: exit 69, naming the Debian package', async () => {
    const { exitCode, stderr } = await bofh(['xen', 'list'], { env: { BOFH_SITE: '' } });

    expect(exitCode).toBe(69);
    expect(stderr).toContain('xl is not installed');
    expect(stderr).toContain('apt-get install xen-utils-common');
  });

  it
    .skipIf(!root)
    .each([
      [['vm', 'remove', 'web1', '--yes']],
      [['xen', 'start-all']],
      [['recover', '--boot']],
      [['vm', 'create', 'a', '--source', 'tar:/x', '--size', '1g']],
    ])('not root: bofh %j is refused before anything changes: exit 1', async (args) => {
    const { exitCode, stderr } = await bofh(args, { uid: 65_534 });

    expect(exitCode).toBe(1);
    expect(stderr).toContain('only root may do that');
    expect(stderr).toContain('next: sudo bofh');
  });
});

describe('bofh init', () => {
  it.skipIf(!root)('writes a site file that every command reads, and none without confirmation', async () => {
    const site = join(work, 'own', 'site.ts');
    const init = ['--state-dir', join(work, 'init'), 'init', '--file', site];

    expect(await bofh(init)).toMatchObject({
      exitCode: 1,
      stderr: containing(`next: bofh ${init.join(' ')} --yes`),
    });
    expect(existsSync(site)).toBe(false);
    expect(await bofh([...init, '--yes'])).toMatchObject({
      exitCode: 0,
      stderr: containing(`wrote ${site}`),
    });
    const text = readFileSync(site, 'utf8');
    expect(await bofh([...init, '--yes'])).toMatchObject({
      exitCode: 1,
      stderr: containing(`already: ${site}`),
    });
    expect(readFileSync(site, 'utf8')).toBe(text);

    writeFileSync(site, text.replace(/^ {2}(?:\/\/ )?bridge: .*$/m, "  bridge: 'br7',"));
    const { exitCode, stdout } = await bofh(['--site', site, '--json', 'doctor', '--settings']);
    expect(exitCode).toBe(0);
    expect(doctorSettings.parse(JSON.parse(stdout))).toContainEqual(
      expect.objectContaining({ name: 'bridge', value: 'br7', where: site }),
    );
  });
});

describe('the streams', () => {
  it('a reader that closes the pipe does not make it fail', async () => {
    const command = await builtCommand();
    const { exitCode, stdout } = await run('/bin/bash', [
      '-c',
      'set -o pipefail; "$0" "$1" --help | true; echo "ended ${PIPESTATUS[0]}"',
      process.execPath,
      command,
    ]);

    expect(exitCode).toBe(0);
    expect(stdout).toBe('ended 0\n');
  });

  it('an answer that cannot be written is a failure', async () => {
    const command = await builtCommand();
    const argv = [
      '-c',
      '"$0" "$1" journal list --json --state-dir "$2" > /dev/full',
      process.execPath,
      command,
    ];
    const { exitCode, stderr } = await run('/bin/sh', [...argv, join(work, 'none')]);

    expect(stderr).toContain('the answer could not be written');
    expect(stderr).toMatch(/\n {2}host: unchanged.*\n {2}next: /);
    expect(exitCode).toBe(74);
  });
});
