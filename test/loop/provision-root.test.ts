import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTar, withSystemd } from '../support/dom0/debian-root.ts';
import { builtCommand } from '../unit/cli/support/built.ts';

const has = process.getuid?.() === 0 && spawnSync('mmdebstrap', ['--version']).status === 0;
const required = process.env['BOFH_REQUIRE'] === 'all';
const sh = (script: string) => execFileSync('sh', ['-ec', script], { encoding: 'utf8' }).trim();

describe.skipIf(!has && !required)('a description in the root of a new guest', () => {
  describe.each(['bookworm', 'trixie'])('%s', (suite) => {
    let [work, device, tar, command] = ['', '', '', ''];
    beforeAll(async () => {
      work = realpathSync(mkdtempSync(join(tmpdir(), 'bofh-provision-')));
      mkdirSync(join(work, 'mnt'));
      writeFileSync(join(work, 'disk.img'), '');
      truncateSync(join(work, 'disk.img'), 2 * 1024 ** 3);
      device = sh(`losetup --find --show ${work}/disk.img`);
      [tar, command] = await Promise.all([debianTar({ packages: withSystemd, suite }), builtCommand()]);
    }, 600_000);
    afterAll(() => {
      if (device !== '') sh(`losetup --detach ${device}`);
      rmSync(work, { recursive: true });
    });

    /** Fills the disk and applies it there, in one sequence. */
    function applied(description: string) {
      sh(`wipefs --all --quiet ${device}`);
      writeFileSync(
        join(work, 'names.ts'),
        'export const motd = (id: string): string => `this is ${id}\\n`;\n',
      );
      writeFileSync(join(work, 'host.ts'), description);
      writeFileSync(
        join(work, 'script.ts'),
        `import { atomic } from 'bofh';
const device = '${device}';
await atomic('disk', async (tx) => {
  const { uuid } = await tx.filesystem.create({ device, type: 'ext4' });
  const { path, release } = await tx.temporary.mount.mount({ device, type: 'ext4', mode: 'rw' });
  await tx.copy.unpack({ source: '${tar}', root: path, device, filesystem: uuid, files: [] });
  const mounts = [{ device, filesystem: uuid, type: 'ext4', target: '/' }];
  await tx.copy.script({ script: '${work}/host.ts', description: true, mounts, made: 'filesystem' });
  await release();
});
`,
      );
      const words = [command, '--quiet', '--state-dir', join(work, 'state'), 'run', join(work, 'script.ts')];
      return spawnSync(process.execPath, words, { encoding: 'utf8' });
    }

    it('creates files, accounts and scripts with the programs of the root, and enables services', () => {
      const ttl = sh('sysctl --values net.ipv4.ip_default_ttl');
      const { status, stderr } = applied(`import { defineHost } from 'bofh';
import { motd } from './names.ts';
export default defineHost((h, facts) => {
  h.file('/etc/motd', { content: motd(\`\${facts.os?.id} \${facts.os?.version}\`) });
  h.link('/etc/photos', { to: '/srv/photos' });
  h.group('photos', { system: true });
  h.user('alice', { groups: ['photos'], shell: '/bin/bash' });
  h.script('index', { isDone: 'test -e /srv/index', run: 'touch /srv/index', undo: 'rm --force /srv/index' });
  const unit = h.file('/etc/systemd/system/web.service', {
    content: '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n',
  });
  h.service('web', { enabled: true, running: true, restartOn: [unit] });
  h.service('fstrim.timer', { enabled: false });
  h.sysctl('net.ipv4.ip_default_ttl', 65);
  h.cron('photos', { schedule: '@daily', user: 'alice', command: 'touch /srv/index' });
});
`);

      expect([status, stderr]).toEqual([0, '']);
      expect(sh('sysctl --values net.ipv4.ip_default_ttl')).toBe(ttl);
      const before = sh(`tar --list --quoting-style=literal --file ${tar} | sed 's|^\\./||; s|/$||' | sort`);
      sh(`mount -o ro ${device} ${work}/mnt`);
      try {
        const after = sh(`cd ${work}/mnt; find . -mindepth 1 -printf '%P\\n' | sort`);
        const [had, now] = [new Set(before.split('\n')), new Set(after.split('\n'))];
        expect([...now].filter((path) => !had.has(path))).toEqual([
          ...['etc/cron.d/photos', 'etc/photos', 'etc/subgid-', 'etc/subuid-', 'etc/sysctl.d/80-bofh.conf'],
          ...['multi-user.target.wants/web.service', 'web.service'].map(
            (name) => `etc/systemd/system/${name}`,
          ),
          ...['home/alice', 'home/alice/.bash_logout', 'home/alice/.bashrc', 'home/alice/.profile'],
          ...['lost+found', 'srv/index'],
        ]);
        const text = sh(
          `cd ${work}/mnt; cat etc/motd; grep --no-filename -e ^alice: -e ^photos: etc/passwd etc/group`,
        );
        expect(text).toMatch(
          /^this is debian 1[23]\nalice:x:1000:1000:.*:\/home\/alice:\/bin\/bash\nphotos:x:\d+:alice\nalice:x:1000:$/,
        );
        expect([...had].filter((path) => path !== '' && !now.has(path))).toEqual([
          'etc/systemd/system/timers.target.wants/fstrim.timer',
        ]);
      } finally {
        sh(`umount ${work}/mnt`);
      }
    });

    it('undoes the whole root when it fails, and its error is the cause', () => {
      const { status, stderr } = applied(`import { defineHost } from 'bofh';
export default defineHost((h) => {
  h.file('/etc/motd', { content: 'new' });
  h.link('/etc/passwd', { to: '/srv' });
});
`);

      expect(status).toBe(5);
      expect(stderr).toContain(
        `the description ${work}/host.ts failed: exit 1; it said last: bofh: ${work}/host.ts:4: /etc/passwd is a file, and the description has a link there /   next: see what it is`,
      );
      expect(stderr).toContain('host: restored');
      expect(sh(`wipefs ${device}`)).toBe('');
    });
  });
});
