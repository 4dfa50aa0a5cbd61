import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseSite } from '../../../src/site.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { script, source } from './acts.ts';
import { commandOn, type Typed } from './command.ts';

const site = parseSite(
  { volumeGroup: 'vg0', guestKernel: '/boot/guest-vmlinuz', guestRamdisk: '/boot/guest-initrd' },
  'the site file of the demo',
);

/** The main job on a host that is simulated in memory, in seconds. Throws when an act does not end as it should. */
export async function simulatedDemo(): Promise<void> {
  say('this host is simulated, in memory: bofh is real, lvm, mkfs, tar and xl are models of the real tools');
  const folder = mkdtempSync(join(tmpdir(), 'bofh-demo-'));
  const back = process.cwd();
  try {
    // `bofh run` reads its script from the real disk, and keeps it there transpiled.
    process.chdir(folder);
    writeFileSync('disks.ts', script);
    await act(demoHost());
  } finally {
    process.chdir(back);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The host of the rig, as far as the acts need it. */
function demoHost(): SimulatedHost {
  const host = simulatedHost({ hostname: 'dom0' });
  for (const path of [site.guestKernel, site.guestRamdisk]) host.admin.writeFile(path ?? '', 'for guests');
  host.addTar('/srv/guest.tar', [
    { path: './', type: 'directory' },
    { path: './etc/', type: 'directory' },
    { path: './etc/os-release', content: 'NAME=Debian\n' },
    { path: './bin/', type: 'directory' },
    { path: './bin/busybox', content: 'x'.repeat(100_000), mode: 0o755 },
    { path: './bin/sh', type: 'hardlink', target: './bin/busybox' },
  ]);
  return host;
}

async function act(host: SimulatedHost): Promise<void> {
  title('An empty host');
  await type(host, 'bofh lvm list');
  await type(host, 'bofh xen list');

  title('A guest, made whole');
  await type(host, `bofh vm create web1 ${source} --start`);
  await type(host, 'bofh lvm list');
  await type(host, 'bofh xen list');
  show('cat /etc/xen/web1.cfg', host.admin.readFile('/etc/xen/web1.cfg'));

  title('A guest that fails on the way: mkswap is broken on purpose');
  const before = host.snapshot();
  host.fault({ tool: 'mkswap', mode: 'fails before', stderr: 'mkswap: out of order\n' });
  await type(host, `bofh vm create web2 ${source} --start`, 5);
  host.clearFaults();
  same(before, host.snapshot());

  title('Several changes in a script, all or none');
  show('cat disks.ts', script);
  await type(host, 'bofh run disks.ts');
  same(before, host.snapshot());

  title('The power fails in the middle of a third');
  const booted = await cutPower(host);
  await type(booted, 'bofh lvm list');
  await type(booted, 'bofh journal list');
  await type(booted, 'bofh recover');
  same(afterReboot(before), afterReboot(booted.snapshot()));

  title('Start every guest that is not running');
  await type(booted, 'bofh xen start-all');
  const running = booted.snapshot();
  await type(booted, 'bofh xen start-all');
  same(running, booted.snapshot());
  await type(booted, 'bofh xen list');
  say('that was all; `npm run demo` without --simulated does the same on a real Xen host in an emulator');
}

/** The fault makes tar wait, so that the power fails while it is at work. Unsynced data is lost. */
async function cutPower(host: SimulatedHost): Promise<SimulatedHost> {
  host.fault({ tool: 'tar', argvIncludes: '--extract', mode: 'hangs' });
  const { ended } = start(host, `bofh vm create db1 ${source} --start`);
  const atWork = async (): Promise<void> => {
    while (host.world.orphans.length === 0) await new Promise((turn) => setImmediate(turn));
  };
  const first = await Promise.race([atWork(), ended]);
  if (first !== undefined) throw new Error(`the guest was to wait for tar, and ended with ${first}`);
  const booted = host.powerCut({ keep: 'none' });
  await ended;
  booted.clearFaults();
  say('power cut; booted again');
  return booted;
}

/** Runs a command as a person would type it, in a process of its own on that host, and shows what it says. */
async function type(host: SimulatedHost, line: string, expected = 0): Promise<void> {
  const exitCode = await start(host, line).ended;
  if (exitCode !== expected) throw new Error(`"${line}" ended with ${String(exitCode)}, not ${expected}`);
  if (expected !== 0) process.stdout.write(`(exit ${expected})\n`);
}

function start(host: SimulatedHost, line: string): Typed {
  show(line, '');
  return commandOn({
    host: host.restart(),
    site,
    line,
    cacheDirectory: resolve('cache'),
    write: (text) => process.stdout.write(text),
  });
}

function show(line: string, answer: string): void {
  process.stdout.write(`\n\x1b[1mroot@dom0:~# \x1b[0m${line}\n${answer}`);
}

function same(before: string, after: string): void {
  const lines = (text: string): readonly string[] =>
    text.split('\n').filter((line) => line !== '' && !line.startsWith('durable '));
  const [left, right] = [lines(before), lines(after)];
  const lost = left.filter((line) => !right.includes(line)).map((line) => `- ${line}`);
  const more = right.filter((line) => !left.includes(line)).map((line) => `+ ${line}`);
  if (before !== after) throw new Error(`the host is not as before:\n${[...lost, ...more].join('\n')}`);
  say(`the host is exactly as before: ${left.length} facts compared (volumes, mounts, files, domains)`);
}

/**
 * State that a reboot ends: domains, and files in /run and /tmp. It also loses what is only in memory.
 */
function afterReboot(snapshot: string): string {
  return snapshot.replace(/^(?:domain|durable|now tmpfs:) ?.*\n/gm, '');
}

function title(text: string): void {
  process.stdout.write(`\n\x1b[1m── ${text} ${'─'.repeat(Math.max(0, 90 - text.length))}\x1b[0m\n`);
}

function say(text: string): void {
  process.stdout.write(`» ${text}\n`);
}
