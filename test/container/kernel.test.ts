import { beforeAll, expect, test } from 'vitest';
import { inContainers } from '../support/containers/releases.ts';

inContainers((machine) => {
  const apply = async (...lines: readonly string[]) => {
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';\nexport default defineHost((h) => {\n${lines.join('\n')}\n});\n`,
    );
    return machine.run('bofh --yes host apply /root/host.ts --confirm off');
  };
  /** Every parameter of the network that root can set, and the files that the boot reads. */
  const state = (): Promise<string> =>
    machine.must(
      `sysctl net.ipv4 net.ipv6.conf.all.forwarding net.ipv6.conf.lo 2>/dev/null | grep -v 'ipv4\\.\\(tcp_mem\\|route\\)'; cd /etc/sysctl.d; ls -A; sha256sum -- *.conf 2>/dev/null || :`,
    );

  /** What an undo of `ip_forward` alone would not restore. */
  const baseline =
    "sysctl -q -w net.ipv4.ip_forward=0 net.ipv4.conf.lo.forwarding=1 net.ipv4.conf.all.accept_redirects=0 net.ipv4.tcp_rmem='4096 131072 6000000'";

  beforeAll(() => machine.must(`mount -o remount,bind,rw /proc/sys; ${baseline}`));

  test('h.sysctl sets a parameter now and at boot, once', async () => {
    const before = await state();
    await apply(`h.sysctl('net.ipv4.ip_forward', 1); h.sysctl('net.ipv4.tcp_rmem', '4096 131072 7000000');`);
    await machine.must('cp /root/host.ts /root/forward.ts');
    expect(await machine.must('sysctl -n net.ipv4.ip_forward net.ipv4.tcp_rmem')).toBe(
      '1\n4096\t131072\t7000000\n',
    );
    expect(await machine.must('bofh host plan /root/forward.ts')).toMatch(/^the host is as described\n/);
    await machine.must(
      'sysctl -q -w net.ipv4.ip_forward=0; /usr/lib/systemd/systemd-sysctl 2>/dev/null || :',
    );
    expect(await machine.must('sysctl -n net.ipv4.ip_forward')).toBe('1\n');
    await machine.must(`rm /etc/sysctl.d/80-bofh.conf; ${baseline}`);
    expect(await state()).toBe(before);
  });

  test('the undo also restores what the kernel changes with it', async () => {
    const before = await state();
    for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) {
      const { exitCode, text } = await apply(
        `h.sysctl('${key}', 1);`,
        `h.script('fails', { isDone: 'exit 1', run: 'sysctl ${key}; exit 1', undo: 'true' });`,
      );
      expect([exitCode, text], key).toEqual([5, expect.stringContaining(`${key} = 1`)]);
      expect(await state()).toBe(before);
    }
  });

  test('recover restores the value after bofh was killed', async () => {
    const before = await state();
    await apply('');
    await machine.put(
      '/root/host.ts',
      `import { defineHost } from 'bofh';
       export default defineHost((h) => { h.sysctl('net.ipv4.ip_forward', 1);
         h.script('waits', { isDone: 'exit 1', run: 'touch /run/waits; sleep 600', undo: 'true' }); });`,
    );
    await machine.must(
      `bofh --yes host apply /root/host.ts --confirm off >/dev/null 2>&1 & pid=$!
       timeout 200 sh -c 'while ! [ -e /run/waits ]; do sleep 0.1; done'; kill -9 $pid`,
    );
    expect(await state()).not.toBe(before);
    await machine.must('bofh recover');
    expect(await state()).toBe(before);
  });

  test.each([
    [
      'net.ipv4.conf.lo.rp_filter',
      '0x2',
      'the kernel changed the value 0x2 for net.ipv4.conf.lo.rp_filter to 2',
    ],
    ['net.ipv4.ip_forward', 'yes', 'Invalid argument'],
    ['net.ipv4.none', '1', 'this kernel has no parameter net.ipv4.none'],
    ['kernel.osrelease', '7', 'kernel.osrelease is read-only here'],
    ['net.ipv4.route.flush', '1', 'writing net.ipv4.route.flush starts an action'],
  ])('%s = %s fails with what is wrong, and changes nothing', async (key, value, message) => {
    const before = await state();
    const { exitCode, text } = await apply(`h.sysctl('${key}', '${value}');`);
    expect([exitCode, text]).toEqual([1, expect.stringContaining(message)]);
    // Not the plan, but the kernel itself.
    const script = `import { atomic } from 'bofh'; await atomic('test', (tx) => tx.kernel.setParameter({ key: '${key}', value: '${value}' }));`;
    await machine.put('/root/script.ts', script);
    expect((await machine.run('bofh run /root/script.ts')).text).toContain(message);
    expect(await state()).toBe(before);
  });

  test('a later file that overrides it is named; so is a read-only /proc/sys', async () => {
    await machine.must('echo net/ipv4/ip_forward=0 >/etc/sysctl.d/99-site.conf');
    expect((await apply(`h.sysctl('net.ipv4.ip_forward', 1);`)).text).toContain(
      'at boot /etc/sysctl.d/99-site.conf sets net.ipv4.ip_forward to 0',
    );
    await machine.must('rm /etc/sysctl.d/99-site.conf; mount -o remount,bind,ro /proc/sys');
    const { exitCode, text } = await apply(`h.sysctl('net.ipv4.ip_forward', 1);`);
    await machine.must('mount -o remount,bind,rw /proc/sys');
    expect([exitCode, text]).toEqual([1, expect.stringContaining('/proc/sys is mounted read-only')]);
  });
});
