import { installBofh } from '../dom0/install.ts';
import {
  bootMachine,
  fingerprint,
  type Fingerprint,
  fingerprintOf,
  guestUp,
  layFault,
  type Machine,
  until,
} from '../rig/index.ts';
import { script, source } from './acts.ts';

/** The main job on a real Xen host. Resolves to the exit code of the demo. */
export async function rigDemo(options: { readonly shell: boolean }): Promise<number> {
  const machine = await bootMachine({ hypervisor: 'xen', name: 'dom0', progress: (text) => say(text) });
  try {
    await installBofh(machine);
    say('a Xen host is up, and bofh is installed on it');
    await act(machine);
    if (options.shell) {
      say('a shell on that host; leave it with exit, and it is gone');
      await machine.interactive();
    }
    return 0;
  } catch (error) {
    say(`the demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await machine.close();
  }
}

async function act(machine: Machine): Promise<void> {
  title('An empty host');
  await type(machine, 'lvs; xl list; ls /etc/xen');

  title('A guest, made whole');
  await type(machine, `bofh vm create web1 ${source} --start`);
  await type(machine, 'lvs; xl list; cat /etc/xen/web1.cfg');
  await guestUp(machine, { name: 'web1' });
  say('on its console the guest says that it is up');

  title('A guest that fails on the way: mkswap is broken on purpose');
  const before = await fingerprint(machine);
  const fault = await layFault(machine, { tool: 'mkswap', mode: 'fail', stderr: 'mkswap: out of order' });
  await type(machine, `bofh vm create web2 ${source} --start`, 5);
  await fault.remove();
  same(before, await fingerprint(machine));

  title('Several changes in a script, all or none');
  await machine.putText('/root/disks.ts', script);
  await type(machine, 'cat disks.ts; bofh run disks.ts');

  title('The power fails in the middle of a third');
  await cutPower(machine);
  await type(machine, 'lvs; bofh journal list');
  await type(machine, 'bofh recover');
  same(afterReboot(before), afterReboot(await fingerprint(machine)));

  title('Start every guest that is not running');
  await type(machine, 'bofh xen start-all');
  await type(machine, 'bofh xen start-all');
  await type(machine, 'bofh xen list');
}

/** The fault makes tar wait, so that the power fails while it is at work. */
async function cutPower(machine: Machine): Promise<void> {
  const fault = await layFault(machine, { tool: 'tar', mode: 'act-then-hang', words: ['--extract'] });
  const command = `bofh vm create db1 ${source} --start`;
  process.stdout.write(`\n${prompt}${command}\n`);
  const running = machine
    .run(`${command} 2>&1`, { check: 'return', timeoutMs: 300_000 })
    .catch(() => undefined);
  await until({
    what: 'tar is at work',
    timeoutMs: 120_000,
    everyMs: 200,
    probe: async () => ((await fault.hits()) > 0 ? true : undefined),
  });
  await machine.powerCut();
  await running;
  say('power cut; booting again');
  await machine.boot();
}

const prompt = '\x1b[1mroot@dom0:~# \x1b[0m';

/** Runs a command line as a person would type it, and shows what it says. */
async function type(machine: Machine, command: string, expected = 0): Promise<void> {
  process.stdout.write(`\n${prompt}${command}\n`);
  const done = await machine.run(`cd /root; { ${command}; } 2>&1`, { check: 'return', timeoutMs: 300_000 });
  process.stdout.write(done.stdout);
  if (done.exitCode !== expected)
    throw new Error(`"${command}" ended with ${done.exitCode}, not ${expected}`);
  if (expected !== 0) process.stdout.write(`(exit ${done.exitCode})\n`);
}

function same(before: Fingerprint, after: Fingerprint): void {
  const difference = before.diff(after);
  if (difference !== '') throw new Error(`the host is not as before:\n${difference}`);
  const facts = before.text.split('\n').filter((line) => line !== '' && !line.startsWith('== ')).length;
  say(`the host is exactly as before: ${facts} facts compared (volumes, devices, mounts, files, domains)`);
}

function title(text: string): void {
  process.stdout.write(`\n\x1b[1m── ${text} ${'─'.repeat(Math.max(0, 90 - text.length))}\x1b[0m\n`);
}

function say(text: string): void {
  process.stdout.write(`» ${text}\n`);
}

/** What a reboot ends by itself: domains, their disks, and files in /run. */
const endedByReboot: readonly string[] = ['domains', 'block devices of guests', '/run/bofh'];

function afterReboot(print: Fingerprint): Fingerprint {
  let kept = true;
  const lines = print.text.split('\n').filter((line) => {
    if (line.startsWith('== ')) kept = !endedByReboot.includes(line.slice(3));
    return kept;
  });
  return fingerprintOf(lines.join('\n'));
}
