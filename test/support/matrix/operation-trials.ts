import { posix } from 'node:path';
import { loadOperations } from '../../../src/operations.ts';
import { type Fingerprint, fingerprint, fingerprintOf, layFault, until } from '../rig/index.ts';
import { type OneOperation, type RigSpecimen, rigSpecimens, type Syscall } from './operations.ts';
import { stackRows } from './stacks.ts';
import { background, expectAsBefore, expectForeign, run, type Stage } from './stage.ts';
import { killedAndRecovered, type ToolCall, type Trial } from './trials.ts';

export const script = '/root/one-operation.ts';

/** What is typed. */
export function commandOf(specimen: RigSpecimen): string {
  return 'command' in specimen ? specimen.command : `bofh run ${script}`;
}

/** Where a driver's operations are, when it is not called as its room. */
const rooms: Readonly<Record<string, string>> = { block: 'blockdevice' };

/** A kind of the registry, or a change of many layers, with its specimen on the rig. */
export interface RigRow {
  readonly kind: string;
  readonly specimen: RigSpecimen;
}

/** Every kind of the registry that is tried on the rig. */
export async function rigRows(): Promise<readonly RigRow[]> {
  // One after the other: the transpiler that runs the matrix gives half a module to the second of two that load it at once.
  for (const driver of Object.keys(rigSpecimens))
    await import(`../../../src/${rooms[driver] ?? driver}/operations.ts`);
  const loaded: Readonly<Record<string, Readonly<Record<string, unknown>>>> = await loadOperations();
  return Object.entries(rigSpecimens).flatMap(([driver, ofDriver]) =>
    Object.entries(ofDriver).map(([name, specimen]: [string, OneOperation]) => {
      const code = loaded[driver]?.[name];
      const kind = typeof code === 'object' && code !== null && 'kind' in code ? String(code.kind) : name;
      return { kind, specimen };
    }),
  );
}

/** Each operation of the registry, alone in a sequence: its program acts and then fails; bofh is killed before `done`. */
export async function operationTrials(): Promise<readonly Trial[]> {
  return (await rigRows()).flatMap((row) => trialsOf('one operation', row));
}

/** A whole stack is resized, and the program of one of its layers acts and then fails; or bofh is killed then. */
export const stackTrials: readonly Trial[] = stackRows.flatMap((row) => trialsOf('a stack resized', row));

function trialsOf(what: string, { kind, specimen }: RigRow): readonly Trial[] {
  return [
    {
      group: `${what}, acts, then fails`,
      name: kind,
      run: (stage: Stage) =>
        within(stage, specimen, () =>
          (specimen.deferred === undefined ? actsThenFails : deferredFails)(stage, specimen),
        ),
    },
    {
      group: `${what}, SIGKILL between act and done, then recover`,
      name: kind,
      run: (stage: Stage) => within(stage, specimen, () => killed(stage, specimen)),
    },
  ];
}

/** Sets up, runs, takes away again: the next trial starts where this one did. */
async function within(
  stage: Stage,
  specimen: RigSpecimen,
  act: () => Promise<'as before' | 'as after'>,
): Promise<'as before' | 'as after'> {
  await prepare(stage, specimen);
  const ended = await act();
  await stage.machine.run(specimen.clear, { check: 'return' });
  await expectAsBefore(stage);
  return ended;
}

/** What the operation works on is there, durable, and so is the script. */
export async function prepare(stage: Stage, specimen: RigSpecimen): Promise<void> {
  if ('call' in specimen)
    await stage.machine.putText(
      script,
      `import { atomic } from 'bofh';\nawait atomic('one operation', async (tx) => {\n  await ${specimen.call};\n});\n`,
    );
  await stage.machine.run(`${specimen.setUp} && udevadm settle && sync`);
}

/** All that a trial compares: the host's own, and what its specimen adds. */
async function stateOf({ machine }: Stage, { content }: RigSpecimen): Promise<Fingerprint> {
  const host = await fingerprint(machine);
  if (content === undefined) return host;
  return fingerprintOf(`${host.text}== content\n${(await machine.run(content)).stdout}`);
}

async function actsThenFails(stage: Stage, specimen: RigSpecimen): Promise<'as before' | 'as after'> {
  const before = await stateOf(stage, specimen);
  const { act } = specimen;
  if ('act' in act) {
    const n = await syncAfter(stage, specimen, act);
    await run(stage, tampered(specimen, act, `error=EIO:when=${n}`), 5);
  } else {
    const fault = await layFault(stage.machine, { ...act, times: 1, mode: 'act-then-fail' });
    try {
      await run(stage, commandOf(specimen), specimen.believes === undefined ? 5 : 0);
      if ((await fault.hits()) < 1) throw new Error(`the fault over ${act.tool} was never met`);
    } finally {
      await fault.remove();
    }
  }
  const difference = before.diff(await stateOf(stage, specimen));
  await expectForeign(stage);
  if (specimen.believes === undefined && difference !== '')
    throw new Error(`the host is not as before:\n${difference}`);
  if (specimen.believes === undefined) return 'as before';
  // All that it has done is to end something.
  const more = difference.split('\n').filter((line) => line.startsWith('+'));
  if (difference === '' || more.length > 0) throw new Error(`the host is not as after:\n${difference}`);
  return 'as after';
}

/** It is committed when its program fails, so it is finished: at once, or by the next recovery. */
async function deferredFails(stage: Stage, specimen: RigSpecimen): Promise<'as after'> {
  const { act } = specimen;
  if ('act' in act) throw new Error('a fault is laid over its program, so it must start one');
  const fault = await layFault(stage.machine, { ...act, times: 1, mode: 'act-then-fail' });
  try {
    await run(stage, commandOf(specimen), 0, 3);
    if ((await fault.hits()) < 1) throw new Error(`the fault over ${act.tool} was never met`);
  } finally {
    await fault.remove();
  }
  await run(stage, 'bofh recover --yes', 0);
  return await expectDone(stage, specimen);
}

async function expectDone(stage: Stage, { deferred = 'false' }: RigSpecimen): Promise<'as after'> {
  await run(stage, deferred, 0);
  await expectForeign(stage);
  return 'as after';
}

async function killed(stage: Stage, specimen: RigSpecimen): Promise<'as before' | 'as after'> {
  const before = await stateOf(stage, specimen);
  const { act } = specimen;
  if ('act' in act) {
    const n = await syncAfter(stage, specimen, act);
    await run(stage, tampered(specimen, act, `signal=SIGKILL:when=${n}`), 137);
    await run(stage, 'bofh recover --yes', 0);
  } else await killedAtTool(stage, specimen, act);
  if (specimen.deferred !== undefined) return await expectDone(stage, specimen);
  const difference = before.diff(await stateOf(stage, specimen));
  if (difference !== '') throw new Error(`the host is not as before:\n${difference}`);
  await expectForeign(stage);
  return 'as before';
}

/** The program has acted and has not come back yet; bofh is killed, recovery waits for the program, then undoes. */
async function killedAtTool(stage: Stage, specimen: RigSpecimen, act: ToolCall): Promise<void> {
  const fault = await layFault(stage.machine, { ...act, times: 1, mode: 'act-then-hang' });
  try {
    const victim = await heldAfterAct(stage, specimen, fault);
    await killedAndRecovered(stage, victim, { stop: act.stop, fault });
  } finally {
    await fault.remove();
  }
}

/** Runs it until its program has acted and hangs. */
export async function heldAfterAct(
  stage: Stage,
  specimen: RigSpecimen,
  fault: Awaited<ReturnType<typeof layFault>>,
): ReturnType<typeof background> {
  const victim = await background(stage, commandOf(specimen));
  let early: string | undefined;
  void victim.ended.then(({ exitCode, output }) => {
    early = `it ended with ${exitCode} before its program was held:\n${output}`;
  });
  await until({
    what: 'its program has acted',
    timeoutMs: 120_000,
    everyMs: 300,
    probe: async () => {
      if (early !== undefined) throw new Error(early);
      return (await fault.held()) ? true : undefined;
    },
  });
  return victim;
}

// strace counts by thread, so one thread for all file accesses always counts alike; and only where the act is, or the first
// fsync of the journal, in a thread of its own, would be met.
function tampered(specimen: RigSpecimen, { path }: Syscall, what: string): string {
  return `UV_THREADPOOL_SIZE=1 strace -f -o /dev/null ${at(path)} -e trace=fsync -e inject=fsync:${what} ${commandOf(specimen)}`;
}

function at(path: string): string {
  return `-P ${path} -P ${posix.dirname(path)}`;
}

/** Which fsync of its thread is the first after the act: counted on a run that succeeds and is taken back by hand. */
async function syncAfter(stage: Stage, specimen: RigSpecimen, { act, path }: Syscall): Promise<number> {
  const log = '/run/rig-strace';
  await run(
    stage,
    `UV_THREADPOOL_SIZE=1 strace -f -o ${log} ${at(path)} -e trace=fsync,${act} ${commandOf(specimen)}`,
    0,
  );
  const { stdout } = await stage.machine.run(`cat ${log}; rm ${log}`);
  const n = countedIn(stdout, act, path);
  await stage.machine.run(specimen.clear, { check: 'return' });
  await prepare(stage, specimen);
  return n;
}

/** In the log of strace: `123 link("a", "b") = 0`, `123 fsync(21) = 0`. */
export function countedIn(log: string, act: string, path: string): number {
  const syncs = new Map<string, number>();
  let thread: string | undefined;
  for (const line of log.split('\n')) {
    const { pid, call, rest } = /^(?<pid>\d+) +(?<call>\w+)\((?<rest>.*)$/.exec(line)?.groups ?? {};
    if (pid === undefined || rest === undefined) continue;
    if (call === act && rest.includes(`"${path}"`) && thread === undefined) thread = pid;
    if (call !== 'fsync') continue;
    const n = (syncs.get(pid) ?? 0) + 1;
    syncs.set(pid, n);
    if (pid === thread) return n;
  }
  throw new Error(`no fsync follows ${act} of ${path}:\n${log}`);
}
