import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';

const tables = ['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'].map((name) => `/etc/${name}`);

inContainers((machine) => {
  const described = (body: string): Promise<void> =>
    machine.put(
      '/root/host.ts',
      `import { readFileSync } from 'node:fs';
import { defineHost, Secret } from 'bofh';
const key = readFileSync('/root/.ssh/id.pub', 'utf8');
export default defineHost((h) => { ${body} });`,
    );
  const apply = async (body: string) => {
    await described(body);
    return machine.run('bofh --yes host apply --confirm off /root/host.ts');
  };
  /** The tables byte for byte, and every home with owners and contents. */
  const state = (): Promise<string> =>
    machine.must(
      `sha256sum ${tables.join(' ')}; stat -c '%n %a %U:%G' ${tables.join(' ')}
       find /home -printf '%p %y %m %U:%G %l\\n' | sort; find /home -type f -exec sha256sum {} + | sort`,
    );
  const web = `h.file('/srv/site', { content: 'x', owner: 'web', group: 'photos' });
    h.group('photos', { system: true });
    h.user('web', { groups: ['photos', 'adm'], comment: 'Web', authorizedKeys: [key] });`;
  const fails = "h.service('brief', { running: true, seconds: 2 });";

  test('a later step fails: the tables are byte for byte as before', async () => {
    await machine.must(
      `ssh-keygen -q -t ed25519 -N '' -C alice@desk -f /root/.ssh/id; ssh-keygen -q -t ed25519 -N '' -C bob@desk -f /root/.ssh/other
       groupadd web; useradd -m -G adm old; printf '[Service]\\nExecStart=/bin/sleep 1\\n' >/etc/systemd/system/brief.service; systemctl daemon-reload`,
    );
    const before = await state();
    const { exitCode, text } = await apply(
      `${web} h.user('old', { shell: '/bin/bash', groups: ['web'], authorizedKeys: [key] }); ${fails}`,
    );
    expect(exitCode, text).toBe(5);
    expect(await state()).toBe(before);
    await machine.must('groupdel web');
  });

  test('creates them, logs in with the key, and then has nothing to do', async () => {
    await described(web);
    const before = await state();
    const planned = await machine.must('bofh host plan /root/host.ts');
    expect(await state()).toBe(before);
    expect(planned).toMatch(/^create group photos \(gid \d+\)$/m);
    expect(planned).toMatch(/^create user web \(uid \d+, .*adds the key ed25519 SHA256:\S+ alice@desk\)$/m);
    expect((await apply(web)).text).toContain(planned.split('\n')[1]);
    await machine.must('mkdir -p /run/sshd; systemctl start ssh');
    expect(
      await machine.must(
        'ssh -i /root/.ssh/id -o StrictHostKeyChecking=no -o BatchMode=yes web@127.0.0.1 "id -Gn; pwd; umask" 2>/dev/null',
      ),
    ).toMatch(/^web adm photos\n\/home\/web\n/);
    expect(await machine.must("stat -c '%U:%G' /srv/site")).toBe('web:photos\n');
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
    expect(await machine.must('ls -A /home/web/.ssh')).toBe('authorized_keys\n');
    expect(await machine.must('grpck -r; pwck -r | grep web || :')).toBe('');
  });

  test('writes keys as the user: a link of the user leads to no file of root', async () => {
    await machine.must(
      `cp /root/.ssh/other.pub /root/secret; chmod 600 /root/secret; runuser -u web -- sh -c 'rm ~web/.ssh/authorized_keys; ln -s /root/secret ~web/.ssh/authorized_keys'`,
    );
    const { exitCode, text } = await apply("h.user('web', { authorizedKeys: [key] });");
    expect(exitCode, text).toBe(1);
    expect(text).toContain('Permission denied');
    await machine.must(
      "runuser -u web -- sh -c 'cd; rm .ssh/authorized_keys; ln -s /etc/motd .ssh/authorized_keys'",
    );
    const old = await machine.must('cat /etc/motd');
    expect((await apply("h.user('web', { authorizedKeys: [key] });")).text).toContain('removes');
    expect(await machine.must('cat /etc/motd')).toBe(old);
    expect(await machine.must("stat -c '%F %U' /home/web/.ssh/authorized_keys")).toBe('regular file web\n');
  });

  const hash =
    '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/';

  test('sets passwords, and restores them byte for byte when a later step fails', async () => {
    await machine.must(
      "chage --lastday 2020-02-02 old; usermod --expiredate 2040-01-01 old; passwd -d old; echo 'old:secret' | chpasswd",
    );
    const before = await state();
    const failed = await apply(
      `h.user('old', { password: new Secret('${hash}') }); h.user('web', { password: 'locked' }); ${fails}`,
    );
    expect(failed.exitCode, failed.text).toBe(5);
    expect(failed.text).not.toContain('saltsalt');
    expect(await state()).toBe(before);
    await apply(`h.user('old', { password: new Secret('${hash}') });`);
    expect(await machine.must('grep ^old: /etc/shadow')).toContain(`old:${hash}:`);
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
    expect(await machine.must('ls /var/lib/bofh/passwords')).toBe('');
    expect(await machine.must('grep -rl saltsalt /var/lib/bofh || :')).toBe('');
  });

  test('refuses to remove a user with running processes; an undone removal restores the files byte for byte', async () => {
    const gone = "h.user('old', { absent: true }); h.group('old', { absent: true });";
    await machine.must('runuser -u old -- sh -c "echo \\$\\$ >/tmp/old.pid; exec sleep 60" & sleep 1');
    const before = await state();
    const busy = await apply(gone);
    expect(busy.exitCode).toBe(1);
    expect(busy.text).toMatch(/the user old has running processes: sleep \(process \d+\)/);
    await machine.must('kill "$(cat /tmp/old.pid)"; sleep 1');
    expect((await apply(`${gone} ${fails}`)).exitCode).toBe(5);
    expect(await state()).toBe(before);
    expect((await apply(gone)).text).toContain('remove user old (/home/old stays)');
    expect(
      await machine.must('grep -h ^old: /etc/passwd /etc/shadow /etc/group /etc/gshadow || :; ls /home'),
    ).toBe('old\nweb\n');
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
  });

  test('recover undoes everything after bofh was killed while useradd ran', async () => {
    const before = await state();
    await described("h.user('killed', { groups: ['adm'], authorizedKeys: [key] });");
    await machine.must(
      `dpkg-divert --quiet --local --rename --add /usr/sbin/useradd
       printf '#!/bin/sh\\ntouch /run/acting; sleep 2; exec /usr/sbin/useradd.distrib "$@"\\n' >/usr/sbin/useradd; chmod 755 /usr/sbin/useradd`,
    );
    await machine.run(
      'bofh --yes host apply /root/host.ts >/dev/null 2>&1 & for try in $(seq 300); do [ -e /run/acting ] && break; sleep 0.1; done; kill -9 $!',
    );
    await machine.must(
      'bofh recover; rm /usr/sbin/useradd; dpkg-divert --quiet --local --rename --remove /usr/sbin/useradd',
    );
    expect(await state()).toBe(before);
    expect(await machine.must('bofh journal list')).not.toContain('unfinished');
  });

  test('names the program that holds a lock', async () => {
    const before = await state();
    await machine.put(
      '/root/lock.pl',
      "use Fcntl; open my $f, '>>', '/etc/.pwd.lock'; my $lock = pack('s s x4 q q l x4', F_WRLCK, 0, 0, 0, 0); fcntl $f, F_SETLK, $lock or die; open my $o, '>', '/run/locked'; close $o; sleep 60;",
    );
    const held = await machine.run(
      'echo; perl /root/lock.pl & for try in $(seq 100); do [ -e /run/locked ] && break; sleep 0.1; done; echo "pid $!"; code=0; bofh --yes host apply /root/host.ts || code=$?; kill $!; exit $code',
    );
    const pid = /pid (?<pid>\d+)/.exec(held.text)?.groups?.pid ?? '';
    expect(held.exitCode, held.text).toBe(1);
    expect(held.text).toContain(`another program changes the accounts: perl (process ${pid})`);
    await machine.must('sleep 60 & echo $! >/run/sleeping; printf "$!" >/etc/passwd.lock');
    const stale = await machine.run('bofh --yes host apply /root/host.ts');
    expect(stale.text).toMatch(/another program changes the accounts: sleep \(process \d+\)/);
    await machine.must('kill "$(cat /run/sleeping)"; rm /etc/passwd.lock');
    expect(await state()).toBe(before);
  });

  test('the example of docs/provisioning.md', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/provisioning.md'), 'utf8');
    const example = /\n## Accounts\n\n```ts\n(?<code>[^`]*)```/.exec(page)?.groups?.code ?? '';
    await machine.must('mkdir -p /srv/photos; ! getent passwd alice');
    const { exitCode, text } = await apply(example);
    expect(exitCode, text).toBe(0);
    expect(await machine.must("id -Gn alice; id -gn uploads; stat -c '%U:%G' /srv/photos/list")).toBe(
      'alice sudo photos\nphotos\nuploads:photos\n',
    );
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
  });
});
