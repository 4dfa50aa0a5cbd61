import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plan } from '../../src/cli/output/answers/index.ts';
import {
  callsIn,
  changesIn,
  startedIn,
  straceWords,
  unnamed,
  withoutRetries,
  writesIn,
} from '../support/strace/trace.ts';
import { builtCommand } from '../unit/cli/support/built.ts';

const root = process.getuid?.() === 0;
const hasStrace = spawnSync('strace', ['-V']).status === 0;

let work = '';
let command = '';
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'bofh-dry-run-'));
  command = await builtCommand();
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Runs bofh under strace; what it said, and every call that starts a program or writes. */
function traced(...args: readonly string[]) {
  const [strace = '', ...words] = straceWords;
  const file = join(work, 'trace');
  const { status, stdout, stderr } = spawnSync(
    strace,
    [...words, '-o', file, process.execPath, command, '--state-dir', join(work, 'state'), ...args],
    { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: work } },
  );
  return { status, stdout, stderr, calls: callsIn(readFileSync(file, 'utf8')) };
}

/** Programs that read, whatever their words; LVM's and Xen's lists, where they are installed. */
const reads = ['node', 'lvs', 'vgs', 'pvs', 'xl', 'lsblk', 'blkid', 'losetup', 'blockdev'];

function named(argv: readonly string[]): string {
  return argv[0]?.split('/').at(-1) ?? '';
}

describe.skipIf(!root || !hasStrace)('a dry run, watched by strace', () => {
  const made = (): string => join(work, 'made');
  const script = (): string => {
    const path = join(work, 'a.ts');
    writeFileSync(
      path,
      `import { atomic } from 'bofh';
       const kind: string = 'x';
       await atomic('a file', (tx) => tx.file.create({ path: ${JSON.stringify(made())}, content: kind, mode: 0o644 }));`,
    );
    return path;
  };
  const site = (): string => {
    const path = join(work, 'site.ts');
    writeFileSync(
      path,
      `import { defineSite } from 'bofh';\nexport default defineSite({ volumeGroup: 'vg0' });\n`,
    );
    return path;
  };

  it('of a script opens nothing for writing, changes no name and starts no changing program', () => {
    const before = readdirSync(work).length;

    const { status, stdout, calls } = traced('--json', '--dry-run', '--site', site(), 'run', script());

    expect(plan.parse(JSON.parse(stdout)).steps.map(({ kind }) => kind)).toContain('file.create');
    expect(status).toBe(0);
    expect(changesIn(calls)).toEqual([]);
    expect(
      startedIn(calls)
        .map(named)
        .filter((name) => !reads.includes(name)),
    ).toEqual([]);
    // Not by what is in /var/cache/bofh: the scripts of other tests may come there meanwhile.
    const ours = writesIn(calls).filter(({ program }) => named(program) === 'node');
    expect(
      ours.map(({ name, path }) => `${name} ${path}`).filter((line) => line !== 'openat /dev/null'),
    ).toEqual([]);
    // The script, the site file and the trace.
    expect(readdirSync(work).length).toBe(before + 3);
  });

  it('of a recovery does not open the journal for writing', () => {
    traced('run', killed());
    expect(existsSync(made())).toBe(true);

    const { status, stdout, calls } = traced('--json', '--dry-run', 'recover');

    const { steps, journals } = plan.parse(JSON.parse(stdout));
    expect(steps.flatMap(({ changes }) => changes.map(({ line }) => line))).toContain(`rm ${made()}`);
    expect(journals).toMatchObject([{ end: 'rolled-back' }]);
    expect(status).toBe(0);
    expect(changesIn(calls)).toEqual([]);
    const ours = writesIn(calls).filter(({ program }) => named(program) === 'node');
    expect(
      ours.map(({ name, path }) => `${name} ${path}`).filter((line) => line !== 'openat /dev/null'),
    ).toEqual([]);
    expect(existsSync(made())).toBe(true);
  });

  it('differs from a run, whose trace shows the file and the journal', () => {
    traced('--yes', 'recover');

    const { status, calls } = traced('run', script());

    const written = writesIn(calls).map(({ path }) => path);
    expect(status).toBe(0);
    expect(written.some((path) => path === made() || path.startsWith(join(work, '.bofh-')))).toBe(true);
    expect(written.some((path) => path.includes('/state/journal/'))).toBe(true);
  });

  describe('lists the programs of the run, argv for argv', () => {
    /** Other processes take loop numbers meanwhile: then the run takes another one. */
    const withoutNumbers = (lines: readonly string[]): readonly string[] =>
      withoutRetries(lines.map((line) => line.replaceAll(/\/dev\/loop\d+/g, '/dev/loop')));

    /** The programs of the plan of a script, and those of its run. */
    function both(body: string) {
      const path = join(work, 'both.ts');
      writeFileSync(path, `import { atomic } from 'bofh';\nawait atomic('both', async (tx) => {${body}});`);
      const answer = spawnSync(process.execPath, [command, '--json', '--dry-run', 'run', path], {
        encoding: 'utf8',
      });
      expect(answer.status, answer.stdout).toBe(0);
      const { steps } = plan.parse(JSON.parse(answer.stdout));
      const planned = steps.flatMap(({ changes }) =>
        changes.flatMap(({ commands }) => commands.map(unnamed)),
      );

      const { status, calls } = traced('run', path);

      expect(status).toBe(0);
      const real = changesIn(calls).map(([file = '', ...words]) => unnamed([named([file]), ...words]));
      expect(withoutNumbers(planned)).toEqual(withoutNumbers(real));
      return withoutNumbers(real).map((line) => line.split(' ')[0]);
    }

    it('on a real device', () => {
      const image = join(work, 'image');
      writeFileSync(image, '');
      truncateSync(image, 64 * 1024 ** 2);
      const device = spawnSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).stdout.trim();
      try {
        const real = both(`
          await tx.filesystem.create({ device: '${device}', type: 'ext4' });
          const at = await tx.temporary.mount.mount({ device: '${device}', type: 'ext4', mode: 'rw' });
          await at.release();`);
        expect(real).toEqual(['mkfs.ext4', 'mount', 'umount']);
      } finally {
        spawnSync('losetup', ['--detach', device]);
      }
    });

    it('on the files of an image that the plan does not really mount', () => {
      const [image, at] = [join(work, 'filled.img'), join(work, 'at')];
      mkdirSync(at);
      writeFileSync(join(work, 'name'), 'web1\n');
      const requests = [
        'mkdir etc',
        'sif etc mode 040750',
        'sif etc gid 4',
        `write ${work}/name etc/hostname`,
      ];
      requests.push('sif etc/hostname mode 0100640', 'sif etc/hostname uid 7');
      writeFileSync(join(work, 'requests'), `${requests.join('\n')}\n`);
      for (const script of [`mkfs.ext4 -q ${image} 64M`, `debugfs -w -f ${work}/requests ${image}`])
        spawnSync('sh', ['-ec', script]);
      const real = both(`
        const { device } = await tx.block.attachLoop({ file: '${image}' });
        await tx.mount.mount({ device, path: '${at}', mode: 'rw' });
        await tx.ensure.file.createDirectory({ path: '${at}/etc', mode: 0o750, gid: 4 });
        await tx.ensure.file.create({ path: '${at}/etc/hostname', content: 'web1\\n', mode: 0o640, uid: 7 });
        await tx.mount.unmount({ path: '${at}' });
        await tx.block.detachLoop({ device });`);
      expect(real).toEqual(['losetup', 'mount', 'umount', 'losetup']);
    });

    it('on an image that it fills and detaches, in which no private name stays', () => {
      const [image, at] = [join(work, 'own.img'), join(work, 'own')];
      mkdirSync(at);
      const mounted = (script: string): string =>
        spawnSync('sh', ['-ec', `mount -o loop ${image} ${at}; ${script}; umount ${at}`], {
          encoding: 'utf8',
        }).stdout;
      spawnSync('sh', ['-ec', `truncate -s 64M ${image}; mkfs.ext4 -q ${image}`]);
      const real = both(`
        const { device } = await tx.block.attachLoop({ file: '${image}' });
        const { path } = await tx.mount.mount({ device, mode: 'rw' });
        await tx.file.createDirectory({ path: path + '/etc', mode: 0o755 });
        await tx.file.create({ path: path + '/etc/hostname', content: 'web1\\n', mode: 0o644 });
        await tx.mount.unmount({ path });
        await tx.block.detachLoop({ device });`);
      const opened = ['losetup', 'mount', 'umount', 'losetup'];
      expect(real.filter((tool = '') => opened.includes(tool))).toEqual([...opened, ...opened]);
      expect(mounted(`cd ${at}; find . -mindepth 1 ! -name lost+found | sort; cd /`)).toBe(
        './etc\n./etc/hostname\n',
      );
    });

    it('on an image and a loop device that exist in the plan only', () => {
      const file = join(work, 'new.img');
      try {
        const real = both(`
          await tx.block.createImage({ file: '${file}', size: ${64 * 1024 ** 2} });
          const { device } = await tx.block.attachLoop({ file: '${file}' });
          await tx.filesystem.create({ device, type: 'ext4' });`);
        expect(real).toEqual(['truncate', 'losetup', 'mkfs.ext4']);
      } finally {
        const attached = spawnSync('losetup', ['--noheadings', '--output', 'NAME', '--associated', file], {
          encoding: 'utf8',
        });
        for (const device of attached.stdout.split('\n').filter((line) => line !== ''))
          spawnSync('losetup', ['--detach', device.trim()]);
      }
    });
  });

  function killed(): string {
    const path = join(work, 'half.ts');
    writeFileSync(
      path,
      `import { atomic } from 'bofh';
       await atomic('half', async (tx) => {
         await tx.file.create({ path: ${JSON.stringify(made())}, content: 'x', mode: 0o644 });
         process.kill(process.pid, 'SIGKILL');
       });`,
    );
    return path;
  }
});
