import { type FaultMode, layFault, until } from '../rig/index.ts';
import {
  background,
  createCommand,
  removeCommand,
  dismissGuest,
  expectAsBefore,
  expectGuest,
  guest,
  haveGuest,
  keepGuest,
  run,
  type Stage,
} from './stage.ts';

/** How a trial ends. */
export type Ended = 'as before' | 'as after';

/** One trial: it throws when the promise was not kept. What it gives is how the host ended. */
export interface Trial {
  readonly group: string;
  readonly name: string;
  readonly run: (stage: Stage) => Promise<Ended>;
  /** What it starts from; left out: the host without our guest. */
  readonly from?: 'guest';
}

/** Runs a trial from where it starts. */
export async function tryFrom(stage: Stage, { from, run: tried }: Trial): Promise<Ended> {
  await (from === 'guest' ? haveGuest(stage) : dismissGuest(stage));
  return tried(stage);
}

export interface ToolCall {
  readonly tool: string;
  /** Arguments that tell this call from the tool's others. */
  readonly words: readonly string[];
  /** Which of the matching calls; the ones before it are reads. */
  readonly nth?: number;
  /** The kernel, or Xen, is asked whether it worked, whatever its exit code: when it acts and then fails, nothing has failed. */
  readonly askedAfter?: true;
  /** It may be ended half-way: recovery does not wait for it, and ends it. */
  readonly stop?: 'safe';
}

/** The changes of `vm create`, in order. `xl -N create` is only a look at the config. */
export const createCalls: readonly ToolCall[] = [
  { tool: 'lvcreate', words: [`${guest}-root`] },
  { tool: 'lvcreate', words: [`${guest}-swap`] },
  { tool: 'mkfs.ext4', words: [`/dev/vg0/${guest}-root`] },
  { tool: 'mkswap', words: [`/dev/vg0/${guest}-swap`] },
  { tool: 'mount', words: ['--target'] },
  { tool: 'tar', words: ['--extract'], stop: 'safe' },
  { tool: 'sync', words: ['--file-system'] },
  { tool: 'umount', words: ['--no-canonicalize'], askedAfter: true },
  { tool: 'xl', words: ['create', `/etc/xen/${guest}.cfg`, '!-N'] },
];

/** Those of `vm remove` before its commit. */
export const removeCalls: readonly ToolCall[] = [
  { tool: 'xl', words: ['destroy'], askedAfter: true },
  { tool: 'lvchange', words: ['*-root*'], nth: 1 },
  { tool: 'lvchange', words: ['*-root*'], nth: 2 },
  { tool: 'lvrename', words: ['*-root*'] },
  { tool: 'lvchange', words: ['*-swap*'], nth: 1 },
  { tool: 'lvrename', words: ['*-swap*'] },
];

const modes: readonly FaultMode[] = ['fail', 'act-then-fail'];

/** A tool of `vm create` fails: everything is undone, or, where only its exit code was false, all is made. */
export const createFaults: readonly Trial[] = createCalls.flatMap((call) =>
  modes.map((mode) => ({
    group: 'vm create, a tool fails',
    name: `${title(call)}: ${modeName(mode)}`,
    run: async (stage: Stage) => {
      const worked = mode === 'act-then-fail' && call.askedAfter === true;
      await withFault(stage, call, mode, () => run(stage, createCommand, worked ? 0 : 5));
      return created(stage, worked ? 'as after' : 'as before');
    },
  })),
);

/** A tool of `vm remove` fails: the guest is as it was, started again when it ran; or, as above, it is gone. */
export const removeFaults: readonly Trial[] = removeCalls.flatMap((call) =>
  modes.map((mode) => ({
    group: 'vm remove, a tool fails',
    name: `${title(call)}: ${modeName(mode)}`,
    from: 'guest',
    run: async (stage: Stage) => {
      const worked = mode === 'act-then-fail' && call.askedAfter === true;
      await withFault(stage, call, mode, () => run(stage, removeCommand, worked ? 0 : 5));
      return destroyed(stage, worked ? 'as after' : 'as before');
    },
  })),
);

/** The removal after the commit fails: it is committed, and recovery goes on forward. */
export const afterCommit: readonly Trial[] = modes.map((mode) => ({
  group: 'vm remove, the work after the commit fails',
  name: `lvremove: ${modeName(mode)}, then recover`,
  from: 'guest',
  run: async (stage: Stage) => {
    await withFault(stage, { tool: 'lvremove', words: ['*bofh_gone*'] }, mode, () =>
      run(stage, removeCommand, 0, 3),
    );
    await run(stage, 'bofh recover --yes', 0);
    return destroyed(stage, 'as after');
  },
}));

/** SIGKILL at the n-th durable line of a command. Past the last line it simply succeeds: `as after`. */
export function killAt(verb: 'create' | 'remove', n: number): Trial {
  return {
    group: `vm ${verb}, SIGKILL at a line, then recover`,
    name: `line ${n}`,
    ...(verb === 'remove' ? { from: 'guest' } : {}),
    run: async (stage) => {
      const command = verb === 'create' ? createCommand : removeCommand;
      await run(stage, injected(command, `signal=SIGKILL:when=${n}`), 137, 0);
      await run(stage, 'bofh recover --yes', 0);
      return verb === 'create' ? created(stage) : destroyed(stage);
    },
  };
}

/** SIGKILL to bofh while a tool is at work: the tool ends as it would have, recovery waits for it, then undoes it. */
export const killsWhileRunning: readonly Trial[] = createCalls
  .filter(({ tool }) => tool !== 'sync')
  .map((call) => ({
    group: 'vm create, SIGKILL while a tool runs, then recover',
    name: title(call),
    run: async (stage: Stage) => {
      const fault = await layFault(stage.machine, { ...call, times: 1, mode: 'hang' });
      try {
        const victim = await background(stage, createCommand);
        await until({
          what: `${call.tool} is at work`,
          timeoutMs: 120_000,
          everyMs: 200,
          probe: async () => ((await fault.hits()) >= (call.nth ?? 1) ? true : undefined),
        });
        await killedAndRecovered(stage, victim, { stop: call.stop, fault });
      } finally {
        await fault.remove();
      }
      await expectAsBefore(stage);
      return 'as before' as const;
    },
  }));

/** bofh is killed while a program of its is held by a fault: recovery waits for the program, and ends well when that has ended. */
export async function killedAndRecovered(
  stage: Stage,
  victim: Awaited<ReturnType<typeof background>>,
  held: { readonly stop?: 'safe' | undefined; readonly fault: Awaited<ReturnType<typeof layFault>> },
): Promise<void> {
  await stage.machine.run(`kill -9 ${victim.pid}`);
  await victim.ended;
  const recovery = await background(stage, 'bofh recover --yes');
  if (held.stop !== 'safe') {
    await expectWaiting(stage, recovery.pid);
    await held.fault.release();
  }
  const { exitCode, output } = await recovery.ended;
  if (exitCode !== 0) throw new Error(`recovery ended with ${exitCode}:\n${output}`);
}

/** It has said for whom it waits, and does not end by itself. */
async function expectWaiting(stage: Stage, pid: number): Promise<void> {
  await until({
    what: 'recovery has looked at the journal',
    timeoutMs: 60_000,
    everyMs: 200,
    probe: async () => {
      const { stdout } = await stage.machine.run(
        `ls -l /proc/${pid}/fd 2>/dev/null; cat /proc/${pid}/wchan`,
        {
          check: 'return',
        },
      );
      return stdout.includes('epoll') ? true : undefined;
    },
  });
  const { exitCode } = await stage.machine.run(`sleep 3; kill -0 ${pid}`, { check: 'return' });
  if (exitCode !== 0) throw new Error('recovery did not wait for the tool that still runs');
}

/** A command under strace, with its n-th fdatasync tampered with: no hook in bofh is needed. */
export function injected(command: string, what: string): string {
  return `strace -o /dev/null -e trace=fdatasync -e inject=fdatasync:${what} ${command}`;
}

/** After `vm create`: exactly before, or exactly after. */
async function created(stage: Stage, wanted?: Ended): Promise<Ended> {
  const there = await hasGuest(stage);
  await (there ? keepGuest(stage) : expectAsBefore(stage));
  return expectEnded(there ? 'as after' : 'as before', wanted);
}

/** After `vm remove`: the guest exactly as it was, for the next trial to start from; or no trace of it. */
async function destroyed(stage: Stage, wanted?: Ended): Promise<Ended> {
  const there = await hasGuest(stage);
  if (there) await expectGuest(stage);
  else {
    stage.made = undefined;
    await expectAsBefore(stage);
  }
  return expectEnded(there ? 'as before' : 'as after', wanted);
}

async function hasGuest({ machine }: Stage): Promise<boolean> {
  const { exitCode } = await machine.run(`test -e /etc/xen/${guest}.cfg`, { check: 'return' });
  return exitCode === 0;
}

function expectEnded(ended: Ended, wanted: Ended = ended): Ended {
  if (ended !== wanted) throw new Error(`it ended ${ended}, not ${wanted}`);
  return ended;
}

async function withFault(
  stage: Stage,
  call: ToolCall,
  mode: FaultMode,
  act: () => Promise<unknown>,
): Promise<void> {
  const fault = await layFault(stage.machine, { ...call, times: 1, mode });
  try {
    await act();
    if ((await fault.hits()) < (call.nth ?? 1)) throw new Error(`the fault over ${call.tool} was never met`);
  } finally {
    await fault.remove();
  }
}

function title({ tool, words, nth }: ToolCall): string {
  return `${tool} ${words.join(' ')}${nth === undefined ? '' : ` (call ${nth})`}`;
}

function modeName(mode: FaultMode): string {
  return mode === 'fail' ? 'fails at once' : 'acts, then fails';
}
