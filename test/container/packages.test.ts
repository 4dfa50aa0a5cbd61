import { beforeAll, expect, test } from 'vitest';
import { publish } from '../support/containers/debs.ts';
import { inContainers } from '../support/containers/releases.ts';

inContainers((machine) => {
  /** Runs steps in one sequence. */
  const atomic = (body: string) =>
    machine
      .put(
        '/root/script.ts',
        `import { atomic } from 'bofh';\nawait atomic('test', async (tx) => {\n${body}\n});\n`,
      )
      .then(() => machine.run('bofh run /root/script.ts'));
  /** Every package that dpkg knows, with its version, state and marks; nothing is half there. */
  const packages = async (): Promise<string> => {
    expect(await machine.must('dpkg --audit')).toBe('');
    const format = '${Package} ${Version} ${db:Status-Abbrev}\\n';
    return machine.must(`dpkg-query -W -f '${format}'; apt-mark showauto; apt-mark showhold`);
  };
  const archive =
    'cd /srv/archive; dpkg-scanpackages --multiversion . >Packages 2>/dev/null; apt-get -qq update';
  const leftovers = () => machine.must('ls /var/lib/bofh | grep packages || :');
  const failing = `throw new Error('on purpose');`;

  beforeAll(async () => {
    await publish(machine, [
      { name: 'lamp-lib', version: '1:1.0' },
      { name: 'lamp-extra', version: '1.0' },
      { name: 'lamp', version: '1.0', depends: 'lamp-lib' },
      { name: 'lamp', version: '2.0', depends: 'lamp-lib, lamp-extra' },
      { name: 'dark', version: '1.0', conflicts: 'lamp' },
      { name: 'broken', version: '1.0', depends: 'lamp-lib', scripts: { postinst: 'exit 1' } },
      { name: 'lost', version: '1.0', depends: 'no-such-package' },
      { name: 'slow', version: '1.0', depends: 'lamp', scripts: { postinst: 'touch /run/slow; sleep 600' } },
    ]);
  });

  test('a package comes with its dependency, and both go with the undo', async () => {
    const before = await packages();

    const { text } = await atomic(`await tx.packages.change({ install: ['lamp=1.0'] }); ${failing}`);

    expect(text).toContain('on purpose');
    expect(await packages()).toBe(before);
    expect(await machine.must('ls /etc/lamp* 2>/dev/null || :')).toBe('');
    expect(await leftovers()).toBe('');
  });

  test('bofh leaves no file behind, and the dependency is marked automatic', async () => {
    const { text } = await atomic(`await tx.packages.change({ install: ['lamp=1.0'] });`);

    expect(text).not.toContain('failed');
    expect(await packages()).toMatch(/^lamp 1\.0 ii $/m);
    expect(await machine.must('apt-mark showauto lamp lamp-lib')).toBe('lamp-lib\n');
    expect(await leftovers()).toBe('');
  });

  test('the undo does not purge a new package whose configuration file was edited', async () => {
    const before = await packages();
    const edit = `(await import('node:fs')).appendFileSync('/etc/dark.conf', 'mine\\n');`;

    const { text } = await atomic(
      `await tx.packages.change({ remove: ['lamp'], install: ['dark'] }); ${edit} ${failing}`,
    );

    expect(text).toMatch(/others have edited \/etc\/dark.conf/);
    expect(await machine.must('cat /etc/dark.conf')).toContain('mine');
    await machine.must('dpkg --purge dark; bofh recover');
    expect(await packages()).toBe(before);
    expect(await leftovers()).toBe('');
  });

  test('an upgrade and its undo keep an edited configuration file', async () => {
    await machine.must('echo mine >>/etc/lamp.conf');
    const before = await packages();

    await atomic(`await tx.packages.change({ upgrade: ['lamp'], hold: ['lamp'] }); ${failing}`);

    expect(await packages()).toBe(before);
    expect(await machine.must('cat /etc/lamp.conf /usr/share/lamp/version')).toBe(
      'lamp 1.0\nmine\nlamp 1.0\n',
    );
    expect(await machine.must('ls /etc/lamp*')).toBe(
      '/etc/lamp-lib.conf\n/etc/lamp.conf\n/etc/lamp.conf.dpkg-dist\n',
    );
  });

  test('the undo restores a package that another one replaced, also if no archive has its old version', async () => {
    await machine.must(`mv /srv/archive/lamp_1.0_all.deb /srv/; ${archive}`);
    const before = await packages();

    await atomic(`await tx.packages.change({ install: ['dark'] }); ${failing}`);

    expect(await packages()).toBe(before);
    expect(await machine.must('cat /etc/lamp.conf')).toBe('lamp 1.0\nmine\n');
    await machine.must(`mv /srv/lamp_1.0_all.deb /srv/archive/; ${archive}`);
  });

  test('a purge removes the configuration file after the commit', async () => {
    // dpkg took the edited file of the repacked package for the package's own: docs/provisioning.md says so.
    await machine.must('echo again >>/etc/lamp.conf');
    const before = await packages();
    await atomic(`await tx.packages.change({ purge: ['lamp'] }); ${failing}`);
    expect(await packages()).toBe(before);
    expect(await machine.must('cat /etc/lamp.conf')).toBe('lamp 1.0\nmine\nagain\n');

    const { text } = await atomic(`await tx.packages.change({ purge: ['lamp', 'lamp-lib'] });`);

    expect(text).not.toContain('failed');
    expect(await machine.must('ls /etc/lamp* 2>/dev/null || :')).toBe('');
    expect(await packages()).not.toMatch(/^lamp/m);
  });

  test('h.package: the plan writes nothing, apply does it, and the second time nothing differs', async () => {
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';
       export default defineHost((h) => { h.package('lamp', { version: '1.0' }); h.package('dark', { absent: true }); });`,
    );
    await machine.run('bofh host plan /root/host.ts');
    await machine.must(`${archive}; touch /root/mark; sleep 1.1`);

    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(
      /^change packages lamp \(lamp-lib 1:1\.0 as a dependency, lamp 1\.0, download .*\)\n$/,
    );
    expect(await machine.must('find / -xdev -newer /root/mark')).toBe('');
    await machine.must('bofh --yes host apply /root/host.ts');
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
    await machine.must('dpkg --purge lamp lamp-lib');
  });

  test('a failing postinst: no package is left, and none is half-configured', async () => {
    const before = await packages();

    const { text } = await atomic(`await tx.packages.change({ install: ['broken'] });`);

    expect(text).toMatch(/error processing package broken .*post-installation script/);
    expect(await packages()).toBe(before);
  });

  test('reports broken dependencies in the words of apt', async () => {
    const before = await packages();

    const { exitCode, text } = await atomic(`await tx.packages.change({ install: ['lost'] });`);

    expect([exitCode, text]).toEqual([
      1,
      expect.stringContaining('apt cannot do this: Unable to correct problems'),
    ]);
    expect(await packages()).toBe(before);
  });

  test('refuses to replace a file that no package owns, and leaves it there', async () => {
    await machine.must('mkdir -p /usr/share/dark; echo foreign >/usr/share/dark/version');
    const before = await packages();

    const { text } = await atomic(`await tx.packages.change({ install: ['dark'] });`);

    expect(text).toContain('/usr/share/dark/version belongs to no package, and dark would overwrite it');
    expect(await packages()).toBe(before);
    expect(await machine.must('cat /usr/share/dark/version; rm -r /usr/share/dark')).toBe('foreign\n');
    expect(await leftovers()).toBe('');
  });

  test('refuses while another program holds the lock, and names the process', async () => {
    await machine.put(
      '/root/locker.pl',
      `use Fcntl;
       open(F, '>>', '/var/lib/dpkg/lock-frontend');
       my $lock = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0);
       fcntl(F, F_SETLK, $lock) or die $!;
       open(P, '>', '/run/locker');
       print P $$;
       close P;
       sleep 600;`,
    );
    await machine.must(
      `setsid perl /root/locker.pl >/root/locker.log 2>&1 & timeout 200 sh -c 'while ! [ -s /run/locker ]; do sleep 0.1; done'`,
    );

    const { exitCode, text } = await atomic(`await tx.packages.change({ install: ['lamp'] });`);
    const pid = await machine.must('cat /run/locker; kill "$(cat /run/locker)"');
    expect([exitCode, text]).toEqual([1, expect.stringContaining(`perl (process ${pid})`)]);
  });

  test('without a network during the download nothing changes', async () => {
    await machine.must(
      `sed 's/^Filename: .*lamp-extra.*/Filename: .\\/gone.deb/' -i /srv/archive/Packages; apt-get -qq update`,
    );
    const before = await packages();

    const { exitCode, text } = await atomic(`await tx.packages.change({ install: ['lamp'] });`);

    expect([exitCode, text]).toEqual([5, expect.stringContaining('gone.deb')]);
    expect(await packages()).toBe(before);
    expect(await leftovers()).toBe('');
    await machine.must(archive);
  });

  test('SIGKILL for bofh, apt and dpkg in the middle: recovery leaves nothing half-configured', async () => {
    const before = await packages();
    await machine.put(
      '/root/script.ts',
      `import { atomic } from 'bofh';\nawait atomic('test', (tx) => tx.packages.change({ install: ['slow'] }));\n`,
    );
    await machine.must(
      `setsid bofh run /root/script.ts >/root/log 2>&1 & echo $! >/run/bofh.pid; timeout 200 sh -c 'while ! [ -e /run/slow ]; do sleep 0.2; done'
       kill -9 $(cat /run/bofh.pid) $(pgrep -x apt-get) $(pgrep -x dpkg) $(pgrep -x sleep) || :`,
    );
    expect(await machine.must('dpkg --audit')).not.toBe('');
    await machine.must("sed 's/sleep 600/exit 1/' -i /var/lib/dpkg/info/slow.postinst");

    const { text } = await machine.run('bofh recover');

    expect(text).not.toMatch(/stuck/i);
    expect(await packages()).toBe(before);
    expect(await leftovers()).toBe('');
  });
});
