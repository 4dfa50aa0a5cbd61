import { expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';
import { wholeHost } from '../support/containers/whole-host.ts';

inContainers((machine, { number }) => {
  test('bofh host facts', async () => {
    const facts: unknown = JSON.parse(await machine.must('bofh host facts --json'));

    expect(facts).toMatchObject({ os: { id: 'debian', version: String(number) } });
  });

  test('bofh host apply creates a file, once', async () => {
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';
       export default defineHost((h) => h.file('/etc/motd', { content: 'Ask before you reboot.\\n' }));`,
    );

    await machine.must('bofh --yes host apply /root/host.ts');

    expect(await machine.must('cat /etc/motd')).toBe('Ask before you reboot.\n');
    expect(await machine.must('bofh host plan /root/host.ts')).toBe('the host is as described\n');
  });

  test('--prune removes what is no longer in the description, also a running service', async () => {
    const describing = (body: string): Promise<void> =>
      machine.put(
        '/root/host.ts',
        `import { defineHost } from 'bofh';\nexport default defineHost((h) => {\n${body}\n});\n`,
      );
    await describing('');
    await machine.must('bofh --yes host apply /root/host.ts');
    const before = await wholeHost(machine);
    await describing(`h.user('photos', { system: true }); h.directory('/srv/photos', { owner: 'photos' });
      h.directory('/etc/photos'); h.file('/etc/photos/main.conf', { content: 'x\\n' });
      h.file('/etc/systemd/system/photos.service', { content: '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' });
      h.service('photos', { enabled: true, running: true, restartOn: ['/etc/photos'] });`);
    await machine.must('bofh --yes host apply /root/host.ts');
    expect(await machine.must('systemctl is-active photos')).toBe('active\n');

    await describing('');
    expect(await machine.must('bofh host plan /root/host.ts')).toContain(
      'no longer described: file /etc/systemd/system/photos.service (--prune removes it)',
    );
    expect(await machine.must('bofh --yes host apply /root/host.ts --prune --confirm off')).toContain(
      'disable, stop photos.service',
    );

    expect(await wholeHost(machine)).toEqual(before);
    expect(await machine.must('bofh host plan /root/host.ts')).toBe('the host is as described\n');
  });

  test('ACLs of users that it creates, and extended attributes, are set and undone; a changed file inherits no other entries', async () => {
    await machine.must(`mkdir /srv/inherits; echo old >/srv/inherits/plain; setfacl -m u:7:r /srv/inherits/plain
      echo old >/srv/inherits/none; chmod 640 /srv/inherits/none; setfacl -d -m u:8:rwx /srv/inherits; mkdir -m 750 /srv/listed
      setfattr -n user.old -v 0sAP8= /srv/listed; setfattr -n trusted.other -v x /srv/listed`);
    const before = await wholeHost(machine);
    const describing = (last: string): Promise<void> =>
      machine.put(
        '/root/host.ts',
        `import { defineHost } from 'bofh';
         export default defineHost((h) => {
           h.user('reader', { uid: 4711, system: true });
           h.directory('/srv/listed', {
             acl: ['user:reader:rx'], defaultAcl: ['user:reader:r', 'other::0'],
             xattrs: { 'user.old': null, 'trusted.id': new Uint8Array([0, 255, 10]), 'user.empty': '' },
           });
           h.file('/srv/listed/new', { content: 'new\\n', acl: ['user:reader:r'], mode: 0o600 });
           h.file('/srv/inherits/plain', { content: 'new\\n', xattrs: { 'user.note': 'ä' } });
           h.file('/srv/inherits/none', { content: 'new\\n' });
           ${last}
         });`,
      );
    const acls = 'getfacl --absolute-names --numeric --no-effective --omit-header';
    await describing(`h.script('fails', { isDone: 'exit 1', run: 'exit 1', undo: 'true' });`);
    expect((await machine.run('bofh --yes host apply /root/host.ts --confirm off')).exitCode).toBe(5);
    expect(await wholeHost(machine)).toEqual(before);

    await describing('');
    await machine.must('bofh --yes host apply /root/host.ts --confirm off');
    expect(await machine.must('bofh host plan /root/host.ts')).toBe('the host is as described\n');
    expect(await machine.must(`${acls} /srv/listed/new /srv/inherits/plain /srv/inherits/none`)).toBe(
      [
        'user::rw-\nuser:4711:r--\ngroup::---\nmask::r--\nother::---\n\n',
        'user::rw-\nuser:7:r--\ngroup::r--\nmask::r--\nother::r--\n\n',
        'user::rw-\ngroup::r--\nother::---\n\n',
      ].join(''),
    );
    const attributes = `getfattr --absolute-names --dump --match='^(user|trusted)' --encoding=hex`;
    expect(await machine.must(`${attributes} /srv/listed /srv/inherits/plain`)).toBe(
      [
        '# file: /srv/listed\ntrusted.id=0x00ff0a\ntrusted.other=0x78\nuser.empty=0x\n\n',
        '# file: /srv/inherits/plain\nuser.note=0xc3a4\n\n',
      ].join(''),
    );
  });
});
