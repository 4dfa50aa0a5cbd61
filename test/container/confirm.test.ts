import { beforeAll, expect, test } from 'vitest';
import { ownBootId } from '../support/containers/boot-id.ts';
import { inContainers } from '../support/containers/releases.ts';

/** A change that closes the way in: each login is refused. */
const locksOut = `import { defineHost } from 'bofh';
export default defineHost((h) => {
  const denied = h.file('/etc/ssh/sshd_config.d/90-denied.conf', { content: 'AllowUsers nobody\\n' });
  h.service('ssh', { running: true, reloadOn: [denied], seconds: 1 });
});`;

const losesKey = `import { defineHost } from 'bofh';
export default defineHost((h) => h.absent('/root/.ssh/authorized_keys'));`;

const harmless = `import { defineHost } from 'bofh';
export default defineHost((h) => h.file('/etc/ssh/sshd_config.d/80-port.conf', { content: 'MaxAuthTries 5\\n' }));`;

inContainers((machine) => {
  const ssh = 'ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new root@127.0.0.1';
  const open = async (): Promise<boolean> => (await machine.run(`${ssh} true`)).exitCode === 0;
  /** sshd starts itself again to read its configuration, and is not there for a moment. */
  const opens = (): Promise<string> =>
    machine.must(`for try in $(seq 20); do ${ssh} true && exit; sleep 0.5; done; exit 1`);
  /** Everything that the changes of these tests touch. */
  const state = (): Promise<string> =>
    machine.must('find /etc/ssh /root/.ssh -type f ! -name known_hosts* -exec sha256sum {} + | sort');
  /** Runs a command in the background, most often over a connection; waits until its steps are done. */
  const inBackground = (command: string): Promise<string> =>
    machine.must(
      `rm -f /root/said; setsid ${command} >/root/said 2>&1 </dev/null &
       echo $! >/root/client
       for try in $(seq 300); do grep -qs 'all steps are done' /root/said && exit; sleep 0.1; done; cat /root/said; exit 1`,
    );
  /** Applies it over a connection of its own. */
  const applying = async (description: string, more: string): Promise<void> => {
    await machine.put('/root/host.ts', description);
    await inBackground(`${ssh} 'echo $$ >/root/pid; exec bofh --yes host apply /root/host.ts ${more}'`);
  };
  /**
   * Waits until no sequence is open and the command in the background has ended: the guard may undo the change
   * first, and then the command still has to say so.
   */
  const ended = async (): Promise<string> => {
    const has =
      "bofh journal list | grep -qE 'unconfirmed|running|interrupted' || kill -0 $(cat /root/client)";
    await machine.must(
      `for try in $(seq 150); do { ${has}; } 2>/dev/null || exit 0; sleep 0.2; done; bofh journal list; exit 1`,
    );
    return machine.must('cat /root/said');
  };

  beforeAll(async () => {
    await ownBootId(machine);
    await machine.must(
      `mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
       cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; mkdir -p /run/sshd; systemctl start ssh; bofh boot install
       systemctl daemon-reload; systemctl enable bofh-recover.service bofh-recover-unconfirmed.service`,
    );
    await opens();
  });

  test.each([
    ['sshd refuses every login', locksOut],
    ['the key is gone', losesKey],
  ])('%s: the way in is open again after the deadline', async (_, description) => {
    const before = await state();
    await applying(description, '--confirm 4s');
    expect(await open()).toBe(false);
    expect(await ended()).toContain('was rolled back: it was not confirmed within 4 s');
    await opens();
    expect(await state()).toBe(before);
  });

  test('the guard is a service: it also undoes the change when bofh was killed', async () => {
    const before = await state();
    await applying(locksOut, '--confirm 5s');
    await machine.must('kill -9 "$(cat /root/pid)"');
    expect(await open()).toBe(false);
    await ended();
    await opens();
    expect(await state()).toBe(before);
    expect(await machine.must('systemctl list-units --all --no-legend "bofh-confirm-*"')).toBe('');
  });

  test('bofh undo restores it at once; until then other commands are refused its objects', async () => {
    const before = await state();
    await applying(harmless, '--confirm 1h');
    await machine.put('/root/other.ts', harmless.replace('MaxAuthTries 5', 'MaxAuthTries 4'));
    const refused = await machine.run('bofh --yes host apply /root/other.ts --confirm off');
    expect(refused.text).toMatch(
      /which waits for its confirmation\n.*\n.*to keep it: bofh confirm \w+; to roll it back: bofh undo/,
    );
    await machine.must("bofh undo $(bofh journal list | awk '/unconfirmed/ { print $1 }')");
    expect(await ended()).toContain('failed and was rolled back: it was rolled back on request');
    expect(await state()).toBe(before);
  });

  test('the guard undoes it when bofh was killed before the last step', async () => {
    const before = await state();
    await machine.put('/root/host.ts', locksOut.replace('seconds: 1', 'seconds: 60'));
    await machine.must(
      `bofh --yes host apply /root/host.ts --confirm 1h >/root/said 2>&1 &
       for try in $(seq 300); do [ -e /etc/ssh/sshd_config.d/90-denied.conf ] && break; sleep 0.1; done; sleep 1; kill -9 $!`,
    );
    await ended();
    expect(await state()).toBe(before);
    await opens();
  });

  test('a plan says that the run waits; only a new connection can confirm it', async () => {
    await machine.put('/root/host.ts', harmless);
    expect(await machine.must('bofh host plan /root/host.ts')).toContain(
      'then wait 120 s for "bofh confirm"',
    );
    const master = `${ssh} -o ControlPath=/root/master`;
    await machine.must(`${master} -o ControlMaster=yes -o ControlPersist=60 -fN`);
    await inBackground(`${master} 'bofh --yes host apply /root/host.ts'`);
    expect(await machine.must('bofh journal list')).toContain('unconfirmed');
    expect(await machine.run(`${master} bofh confirm`)).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('this connection made the change') as string,
    });
    expect(await machine.must(`${ssh} bofh confirm`)).toContain('finished');
    expect(await ended()).toContain('create file /etc/ssh/sshd_config.d/80-port.conf');
    await machine.must(`${master} -O exit; test -e /etc/ssh/sshd_config.d/80-port.conf`);
    expect(await machine.run('bofh confirm')).toMatchObject({ exitCode: 1 });
  });

  test('a reboot while it waits undoes it in that boot, before sshd starts', async () => {
    await machine.boot();
    await machine.must('systemctl start ssh');
    const before = await state();
    await applying(locksOut, '--confirm 1h');
    await machine.boot();
    expect(await state()).toBe(before);
    await opens();
    const at = (unit: string, what: string): string =>
      `systemctl show --value -p ${what}TimestampMonotonic ${unit}.service`;
    const [undone = 0, started = 0] = (
      await machine.must(`${at('bofh-recover-unconfirmed', 'ExecMainExit')}; ${at('ssh', 'ExecMainStart')}`)
    )
      .trim()
      .split('\n')
      .map(Number);
    expect(undone).toBeGreaterThan(0);
    expect(started).toBeGreaterThan(undone);
  });
});
