import { beforeAll, expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';

inContainers((machine, { number }) => {
  const describe = (...lines: readonly string[]): Promise<void> =>
    machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';\nexport default defineHost((h) => {\n${lines.join('\n')}\n});\n`,
    );
  const apply = async (...lines: readonly string[]) => {
    await describe(...lines);
    return machine.run('bofh --yes host apply /root/host.ts --confirm off');
  };
  /** Everything that the three kinds touch, with inodes and times. */
  const state = (): Promise<string> =>
    machine.must(
      `uname -n; date +%Z; locale -a
       find /etc/host* /etc/localtime /etc/timezone /etc/default /etc/locale* /usr/lib/locale -not -type d -printf '%p %i %m %U %G %T@ %l\\n' 2>&1 | sort
       find /etc/host* /etc/timezone /etc/default /etc/locale* /usr/lib/locale -type f 2>/dev/null -exec sha256sum {} + | sort
       ls -A /etc /usr/lib/locale | grep bofh || :`,
    );
  const all = [
    `h.hostname('web1.example.net');`,
    `h.timezone('Europe/Berlin');`,
    `h.locale('de_DE.UTF-8', 'en_GB.ISO-8859-15', 'ca_ES@valencia');`,
  ];

  beforeAll(async () => {
    // Docker mounts its own files there.
    await machine.must(
      `umount /etc/hostname /etc/hosts; mount -o remount,bind,rw /proc/sys
       hostname old; echo old >/etc/hostname
       printf '127.0.0.1\\tlocalhost\\n127.0.1.1\\told.example.org\\told\\n' >/etc/hosts
       localedef -i fr_FR -c -f UTF-8 fr_FR.UTF-8`,
    );
  });

  test('a failure undoes all of them exactly, with a locale that locale-gen does not know', async () => {
    const before = await state();
    expect(before).toContain('fr_FR.utf8');
    const { exitCode, text } = await apply(
      ...all,
      `h.script('fails', { isDone: 'exit 1', run: 'uname -n; date +%Z; locale -a; exit 1', undo: 'true' });`,
    );
    expect([exitCode, text]).toEqual([5, expect.stringContaining('failed and was rolled back')]);
    expect(await state()).toBe(before);
  });

  test('bofh that is killed while locale-gen runs: recover restores everything', async () => {
    const before = await state();
    await describe(...all);
    await machine.must(
      `bofh --yes host apply /root/host.ts --confirm off >/dev/null 2>&1 & pid=$!
       timeout 200 sh -c 'until pidof localedef >/dev/null; do sleep 0.1; done'; kill -9 $pid`,
    );
    await machine.must('bofh recover');
    expect(await state()).toBe(before);
  });

  test('programs and logins see the described settings, and a second run changes nothing', async () => {
    const { exitCode, text } = await apply(...all);
    expect([exitCode, text]).toEqual([0, expect.stringContaining('web1.example.net')]);
    expect(await machine.must('uname -n; cat /etc/hostname; cat /etc/hosts; hostnamectl --static')).toBe(
      [
        ...['web1.example.net', 'web1.example.net', '127.0.0.1\tlocalhost'],
        ...['127.0.1.1\tweb1.example.net\tweb1', 'web1.example.net\n'],
      ].join('\n'),
    );
    expect(
      await machine.must('readlink /etc/localtime; date -d 2026-07-01 +%Z; timedatectl show -p Timezone'),
    ).toBe('../usr/share/zoneinfo/Europe/Berlin\nCEST\nTimezone=Europe/Berlin\n');
    expect((await machine.run('cat /etc/timezone')).text).toBe(
      number === 12 ? 'Europe/Berlin\n' : 'cat: /etc/timezone: No such file or directory\n',
    );
    const locales = (await machine.must('locale -a')).split('\n');
    for (const each of ['de_DE.utf8', 'en_GB.iso885915', 'ca_ES@valencia', 'fr_FR.utf8'])
      expect(locales).toContain(each);
    expect(await machine.must(`su -l -c 'echo $LANG; date -d 2026-03-01 +%B'`)).toBe('de_DE.UTF-8\nMärz\n');
    expect(await machine.must('ls -A /etc /usr/lib/locale | grep bofh || :')).toBe('');
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
    // As an upgrade of the package does.
    await machine.must('locale-gen >/dev/null; rm -f /root/*.log');
    expect(await machine.must('bofh host plan /root/host.ts')).toMatch(/^the host is as described\n/);
  });

  test('bofh undo takes names and time zones back later', async () => {
    const before = await state();
    expect(
      (await apply(`h.hostname('web2');`, `h.timezone('Etc/UTC');`, `h.locale('C.UTF-8');`)).exitCode,
    ).toBe(0);
    expect(await machine.must(`uname -n; date +%Z; su -l -c 'echo $LANG'`)).toBe('web2\nUTC\nC.UTF-8\n');
    await machine.must(
      'bofh --yes undo "$(bofh journal list --json | grep -o \'"id": *"[0-9a-f]*"\' | tail -n 1 | grep -o "[0-9a-f]\\{12\\}")"',
    );
    // The files are copies with the same content and times.
    const withoutInodes = (text: string): string => text.replaceAll(/^(\/\S+) \d+ /gm, '$1 ');
    expect(withoutInodes(await state())).toBe(withoutInodes(before));
  });

  test('is refused with the line of the description, before anything changes', async () => {
    const before = await state();
    const refused = async (line: string, message: string): Promise<void> => {
      const { exitCode, text } = await apply(line);
      expect([exitCode, text]).toEqual([1, expect.stringContaining(message)]);
      expect(text).toContain('/root/host.ts:3: ');
    };
    await refused(`h.timezone('Europe/Nowhere');`, 'this host has no time zone Europe/Nowhere');
    await refused(`h.timezone('Europe');`, 'Europe is not a time zone');
    if (number === 13) await refused(`h.timezone('US/Eastern');`, 'apt-get install tzdata-legacy');
    await refused(`h.locale('de_XX.UTF-8');`, 'there is no locale de_XX.UTF-8');
    await machine.must('mount --bind /etc/hostname /etc/hostname');
    await refused(`h.hostname('web3');`, '/etc/hostname is a mount point');
    await machine.must('umount /etc/hostname; mount -o remount,bind,ro /proc/sys');
    await refused(`h.hostname('web3');`, '/proc/sys is mounted read-only');
    await machine.must('mount -o remount,bind,rw /proc/sys');
    expect(await state()).toBe(before);
  });
});
