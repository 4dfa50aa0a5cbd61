import { background, type Background } from '../matrix/stage.ts';
import {
  bootPair,
  type Fault,
  type FaultOptions,
  type Fingerprint,
  fingerprint,
  layFault,
  type Machine,
  type Pair,
  until,
} from '../rig/index.ts';
import { installBofh } from './install.ts';

/** Two hosts, the first with bofh on it; the second has not even node in its path. */
export interface TwoHosts {
  readonly pair: Pair;
  /** What each of them was at the start. */
  start: readonly [Fingerprint, Fingerprint];
  /** The same with what `makeCommand` makes. */
  made?: readonly [Fingerprint, Fingerprint];
}

// The second host's steps come last: what fails there finds the first one done.
const make = `import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { atomic } from 'bofh';
const how = process.argv[2];
await atomic('make on two hosts', async (tx) => {
  const here = await tx.lvm.createLv({ vg: 'vg0', name: 'two', size: '32m' });
  await tx.filesystem.create({ device: here.path, type: 'ext4' });
  const b = tx.on('b');
  await b.file.create({ path: '/srv/two', content: here.path + '\\n', mode: 0o644 });
  const there = await b.lvm.createLv({ vg: 'vg0', name: 'two', size: '32m' });
  if (how === 'whole') await b.filesystem.create({ device: there.path, type: 'ext4' });
  if (how !== 'slowly') return;
  writeFileSync('/run/two-made', '');
  while (!existsSync('/run/two-go')) await delay(100);
});
`;

const clear = `import { atomic } from 'bofh';
await atomic('clear two hosts', async (tx) => {
  await tx.lvm.removeLv({ vg: 'vg0', name: 'two' });
  await tx.on('b').file.remove({ path: '/srv/two' });
  await tx.on('b').lvm.removeLv({ vg: 'vg0', name: 'two' });
});
`;

/** Makes a volume with a filesystem on the first host, then a file and a volume on the second. */
export const makeCommand = 'bofh run /root/make.ts';
/** The same, and a filesystem on the second: hundreds of questions over ssh, each of which takes its time in the rig. */
export const makeWholeCommand = `${makeCommand} whole`;
/** The same, but before its commit it writes /run/two-made and waits for /run/two-go. */
export const makeSlowlyCommand = `${makeCommand} slowly`;
/** Takes all of it away again; the volumes are really removed after the commit. */
export const clearCommand = 'bofh run /root/clear.ts';

export async function openTwoHosts(): Promise<TwoHosts> {
  const pair = await bootPair();
  try {
    await pair.b.run('mv /usr/local/bin/node /root/node');
    await installBofh(pair.a);
    await pair.a.putText('/root/make.ts', make);
    await pair.a.putText('/root/clear.ts', clear);
    await bothRun(pair, 'sync');
    const two = { pair, start: await fingerprints(pair) };
    await Promise.all([pair.a.saveSnapshot('start'), pair.b.saveSnapshot('start')]);
    return two;
  } catch (error) {
    await pair.close();
    throw error;
  }
}

/** Both as they were at the start, wherever a test that failed has left them. */
export async function resetTwoHosts({ pair }: TwoHosts): Promise<void> {
  await pair.mendLink();
  await Promise.all([pair.a.loadSnapshot('start'), pair.b.loadSnapshot('start')]);
}

/** Runs a command of bofh on the first host; it must end with one of these exit codes. */
export async function runOnA(
  { pair: { a } }: TwoHosts,
  command: string,
  ...codes: readonly number[]
): Promise<string> {
  const done = await a.run(`${command} 2>&1`, { check: 'return', timeoutMs: 500_000 });
  if (!codes.includes(done.exitCode))
    throw new Error(`"${command}" ended with ${done.exitCode}, not ${codes.join(' or ')}:\n${done.stdout}`);
  return done.stdout;
}

export async function bothRun({ a, b }: Pair, command: string): Promise<void> {
  await Promise.all([a.run(command), b.run(command)]);
}

/** What differs on both from what they were; a reservation or a program of a sequence is a difference, too. */
export async function differences(
  { pair }: TwoHosts,
  was: readonly [Fingerprint, Fingerprint],
): Promise<string> {
  const now = await fingerprints(pair);
  const [a, b] = [was[0].diff(now[0]), was[1].diff(now[1])];
  return [...(a === '' ? [] : ['on a:', a]), ...(b === '' ? [] : ['on b:', b])].join('\n');
}

export async function fingerprints({ a, b }: Pair): Promise<readonly [Fingerprint, Fingerprint]> {
  return await Promise.all([fingerprint(a), fingerprint(b)]);
}

/** A command of bofh on the first host that stands in the middle of a tool on the second. */
export interface Held {
  readonly bofh: Background;
  readonly fault: Fault;
}

/** Starts it, and waits until it has come to the tool, which waits for `fault.release()` and then does its work. */
export async function heldOnB(
  { pair }: TwoHosts,
  command: string,
  tool: Pick<FaultOptions, 'tool' | 'words'>,
): Promise<Held> {
  const fault = await layFault(pair.b, { ...tool, mode: 'hang', times: 1 });
  const bofh = await background({ machine: pair.a }, command);
  const early = bofh.ended.then(({ exitCode, output }) => {
    throw new Error(`it ended with ${String(exitCode)} before it came to ${tool.tool}:\n${output}`);
  });
  early.catch(() => undefined);
  await Promise.race([reached(fault, tool.tool), early]);
  return { bofh, fault };
}

/** Recovery on the first host, once it has said that it waits for the tool on the second. */
export async function recoveryWaiting({ pair: { a } }: TwoHosts, tool: string): Promise<Background> {
  const recovery = await background({ machine: a }, 'bofh recover --yes 2>/run/recovery-said');
  await until({
    what: `recovery waits for ${tool} on b`,
    timeoutMs: 400_000,
    everyMs: 500,
    probe: async () => {
      const { stdout } = await a.run('cat /run/recovery-said');
      return new RegExp(`waiting for process \\d+ on b: .*${tool}`).test(stdout) ? true : undefined;
    },
  });
  return recovery;
}

async function reached(fault: Fault, tool: string): Promise<void> {
  await until({
    what: `b comes to ${tool}`,
    timeoutMs: 400_000,
    everyMs: 300,
    probe: async () => ((await fault.hits()) > 0 ? true : undefined),
  });
}

/** The names of the sequences that have something on a host: journals and reservations. */
export async function openOn(machine: Machine): Promise<readonly string[]> {
  const { stdout } = await machine.run(
    'find /var/lib/bofh/journal /var/lib/bofh/reservations /run/bofh/away -mindepth 1 -maxdepth 1 2>/dev/null',
    { check: 'return' },
  );
  return stdout.split('\n').filter((path) => /\/[0-9a-f]+(?:\.journal)?$/.test(path));
}

/** The second host gets a bofh of its own. */
export async function installOnB({ pair: { b } }: TwoHosts): Promise<void> {
  await b.run('cp /root/node /usr/local/bin/node');
  await installBofh(b);
}
