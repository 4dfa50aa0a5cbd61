import {
  type Answer,
  type Command,
  commandLine,
  type Pipeline,
  type StepContext,
  unparsed,
} from '../command/index.ts';
import { CommandError, UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { dropReleased } from './world/devices.ts';
import { checkAlive, crash, type Fault, type Faults, ProcessKilled } from './faults/faults.ts';
import { prepareReal } from './real-host/commands.ts';
import { unmodelled } from './options.ts';
import { inputText } from './world/keys.ts';
import { ok, type ToolCall, type ToolModel } from './tools/answer.ts';
import { accountTools } from './tools/account/accounts.ts';
import { blkidTools } from './tools/blockdevice/blkid.ts';
import { compressedTools } from './tools/blockdevice/compressed.ts';
import { btrfsTools } from './tools/btrfs/btrfs.ts';
import { cryptTools } from './tools/crypt/cryptsetup.ts';
import { drbdTools } from './tools/drbd/drbdadm.ts';
import { fillTools } from './tools/copy/fill.ts';
import { fsckTools } from './tools/filesystem/fsck.ts';
import { imageCopyTools } from './tools/copy/qemu-img.ts';
import { aclTools } from './tools/file/acl.ts';
import { xattrTools } from './tools/file/xattr.ts';
import { imageTools } from './tools/file/image.ts';
import { loopTools } from './tools/blockdevice/loop.ts';
import { labelTools } from './tools/filesystem/labels.ts';
import { lvmChanges } from './tools/lvm/change.ts';
import { lvmReports } from './tools/lvm/report.ts';
import { magicTools, marksOf } from './tools/blockdevice/magics.ts';
import { mkfsTools } from './tools/filesystem/mkfs.ts';
import { mountTools } from './tools/mount/mounts.ts';
import { networkTools } from './tools/network/network.ts';
import { partitionTools } from './tools/blockdevice/partitions.ts';
import { sizeTools } from './tools/filesystem/sizes.ts';
import { trimTools } from './tools/filesystem/trim.ts';
import { uuidTools } from './tools/filesystem/uuids.ts';
import { pvChanges } from './tools/lvm/pv-change.ts';
import { pvMoves } from './tools/lvm/pvmove.ts';
import { vgChanges } from './tools/lvm/vg-change.ts';
import { packageTools } from './tools/packages/apt.ts';
import { tableTools } from './tools/blockdevice/tables.ts';
import { moveTools } from './tools/file/move.ts';
import { moduleTools } from './tools/kernel/modules.ts';
import { kernelTools } from './tools/kernel/sysctl.ts';
import { shellTools } from './tools/shell/sh.ts';
import { sudoersTool } from './tools/file/visudo.ts';
import { serviceTools } from './tools/service/systemctl.ts';
import { agentScript, xenstoreLs } from './tools/xen/agent.ts';
import { xlTools } from './tools/xen/xl.ts';
import type { SimulatedProcess, World } from './world/world.ts';

const models: Readonly<Record<string, ToolModel>> = {
  ...aclTools,
  ...xattrTools,
  ...blkidTools,
  ...compressedTools,
  ...cryptTools,
  ...drbdTools,
  ...fillTools,
  ...fsckTools,
  ...imageCopyTools,
  ...imageTools,
  ...loopTools,
  ...lvmChanges,
  ...lvmReports,
  ...magicTools,
  ...mkfsTools,
  ...mountTools,
  ...networkTools,
  ...labelTools,
  ...packageTools,
  ...partitionTools,
  ...sizeTools,
  ...trimTools,
  ...uuidTools,
  // The models of btrfs pass unknown verbs on to the model for sizes.
  ...btrfsTools,
  ...pvChanges,
  ...pvMoves,
  ...vgChanges,
  ...tableTools,
  ...moveTools,
  ...serviceTools,
  ...accountTools,
  ...shellTools,
  ...kernelTools,
  ...moduleTools,
  ...xlTools,
  'xenstore-ls': xenstoreLs,
  // The script for guest agents comes from stdin, that for marks of devices is an argument.
  perl: (call) => (call.argv[0] === '-' ? agentScript(call) : marksOf(call)),
  visudo: sudoersTool,
  udevadm: (call) => sayNothing(call, call.argv[0] === 'settle'),
  logger: (call) => sayNothing(call, ['--tag', '--journald'].includes(call.argv[0] ?? '')),
};

function sayNothing(call: ToolCall, known: boolean): Answer {
  if (!known) throw unmodelled(call, 'it is known only in one form');
  return ok();
}

/** A process of a simulated host, and its faults. */
export interface Running {
  readonly world: World;
  readonly process: SimulatedProcess;
  readonly faults: Faults;
}

/** Runs a command on the model. The parser of the command gets the answer, as on a real host. */
export async function runCommand<T>(at: Running, command: Command<T>, step?: StepContext): Promise<T> {
  // The local host retries a repeatable command that failed as busy, at most five times.
  const tries = command.access === 'read' || command.repeatable === true ? 5 : 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptCommand(at, command, step);
    } catch (error) {
      if (attempt === tries || !(error instanceof CommandError) || error.reason !== 'busy') throw error;
    }
  }
}

/**
 * Runs commands joined by pipes, as one change: a fault affects all of them. The first failing
 * command gives the error, as on the local host, and the commands before it have taken effect.
 */
export async function runPipeline<T>(at: Running, pipeline: Pipeline<T>, step: StepContext): Promise<T> {
  const { commands, parse } = pipeline;
  const [first] = commands;
  let failing: Command<unknown> = first;
  const joined: Command<T> = {
    tool: first.tool,
    argv: commands.flatMap(({ tool, argv }, nth) => (nth === 0 ? argv : ['|', tool, ...argv])),
    access: 'change',
    parse,
    classify: (answer) => failing.classify?.(answer) ?? 'unknown',
    ...(commands.every(({ stop }) => stop === 'safe') ? { stop: 'safe' as const } : {}),
    signal: commands.map(({ signal }) => signal).find((signal) => signal !== undefined),
  };
  checkAlive(at.process);
  const near: Running = { ...at, world: at.world.coordinator ?? at.world };
  const placeOf = ({ here }: Command<unknown>): Running => (here === true ? near : at);
  for (const command of commands) await prepareReal(placeOf(command).world, command);
  const act = (): Answer => {
    let answer: Answer | undefined;
    for (const command of commands) {
      const { stdout } = answer ?? {};
      failing = command;
      answer = answerOf(placeOf(command), stdout === undefined ? command : { ...command, stdin: stdout });
      if (answer.exitCode !== 0) return answer;
    }
    return answer ?? ok();
  };
  return await answered(at, joined, { step, act });
}

async function attemptCommand<T>(
  at: Running,
  command: Command<T>,
  step: StepContext | undefined,
): Promise<T> {
  checkAlive(at.process);
  const real = await prepareReal(at.world, command);
  if (real !== undefined) return await real();
  return await answered(at, command, { step, act: () => answerOf(at, command) });
}

async function answered<T>(
  at: Running,
  command: Command<T>,
  { step, act }: { readonly step: StepContext | undefined; readonly act: () => ReturnType<ToolModel> },
): Promise<T> {
  checkAlive(at.process);
  const access = command.access === 'read' ? 'read' : 'change';
  const { tool, argv, stdin } = command;
  const fault = at.faults.at({ tool, argv, access, ...(typeof stdin === 'string' ? { stdin } : {}) });
  const answer = await withFault(at, command, { fault, act, step });
  const output = answer.stdout + answer.stderr;
  const said = present({ fraction: command.progress?.(output), line: command.says?.(output) });
  if (Object.keys(said).length > 0) step?.onProgress?.({ command, ...said });
  return understood(command, answer);
}

function answerOf({ world }: Running, command: Command<unknown>): ReturnType<ToolModel> {
  const model = models[command.tool];
  if (model === undefined) throw unmodelled(command, 'the simulator has no model of this program');
  const { stdin, secondKey } = command;
  const answer = model({
    ...{ world, tool: command.tool, argv: command.argv },
    ...(stdin === undefined ? {} : { stdin: inputText(world, stdin) }),
    ...(secondKey === undefined ? {} : { secondKey: inputText(world, secondKey) }),
  });
  if (command.access !== 'read') {
    dropReleased(world);
    world.revision += 1;
  }
  return answer;
}

async function withFault(
  at: Running,
  command: Command<unknown>,
  how: {
    readonly fault: Fault | undefined;
    readonly act: () => ReturnType<ToolModel>;
    readonly step: StepContext | undefined;
  },
): Promise<ReturnType<ToolModel>> {
  const { fault, act } = how;
  const failure: Answer = {
    exitCode: fault?.exitCode ?? 1,
    stdout: '',
    stderr: fault?.stderr ?? `${command.tool}: simulated fault\n`,
  };
  switch (fault?.mode) {
    case undefined:
      return act();
    case 'fails before':
      return failure;
    case 'acts then fails':
      act();
      return failure;
    case 'no effect, exit 0':
      return { exitCode: 0, stdout: '', stderr: '' };
    case 'garbage answer':
      return { ...act(), exitCode: 0, stdout: '\u0001 no answer of this tool\n' };
    case 'crash here':
      throw crash(at);
    case 'acts then crash':
      act();
      throw crash(at);
    case 'acts then killed':
      act();
      throw new CommandError({ ...command, reason: 'killed', what: 'ended by SIGKILL' });
    case 'no space':
      return { ...failure, stderr: `${command.tool}: No space left on device\n` };
    case 'short write':
      throw new UsageError(`fault: mode: only a write to the journal can be short, not ${command.tool}`);
    case 'hangs':
      return hang(at, command, how);
  }
}

/**
 * Waits for a program that hangs. It continues after the process of bofh has died, as a real
 * program does.
 */
async function hang(
  { world, process }: Running,
  command: Command<unknown>,
  { act, step }: { readonly act: () => ReturnType<ToolModel>; readonly step: StepContext | undefined },
): Promise<ReturnType<ToolModel>> {
  const limited = command.access === 'read' || (command.stop === 'safe' && command.timeoutMs !== undefined);
  if (limited)
    throw new CommandError({ ...command, reason: 'timeout', what: 'took longer than its time limit' });
  const pid = world.nextPid;
  world.nextPid += 1;
  const safe = command.stop === 'safe';
  const lock = step?.lock ?? -1;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      world.orphans = world.orphans.filter((orphan) => orphan.pid !== pid);
      process.onDeath.delete(orphaned);
      if (!process.alive) world.flocks = world.flocks.filter(({ fd }) => fd !== lock);
      world.revision += 1;
    };
    const finish = (): void => {
      settle();
      resolve(act());
    };
    const orphaned = (): void => {
      reject(new ProcessKilled());
    };
    world.orphans = [
      ...world.orphans,
      { pid, command: commandLine(command), safe, lock, outputs: step?.outputs, finish },
    ];
    process.onDeath.add(orphaned);
    if (safe)
      for (const signal of [step?.signal, command.signal])
        signal?.addEventListener('abort', () => {
          settle();
          reject(new CommandError({ ...command, reason: 'killed', what: 'ended by SIGTERM' }));
        });
  });
}

/**
 * Handles an answer as the local host does: accepted exit codes go to the parser, every other one
 * is an error. Also for tests that answer themselves.
 */
export function understood<T>(command: Command<T>, answer: ReturnType<ToolModel>): T {
  const { tool, argv } = command;
  if (!(command.accepts ?? [0]).includes(answer.exitCode))
    throw new CommandError({ tool, argv, reason: command.classify?.(answer) ?? 'unknown', ...answer });
  try {
    const bytes =
      command.encoding === 'latin1' && answer.isLatin1 !== true
        ? Buffer.from(answer.stdout).toString('latin1')
        : answer.stdout;
    return command.parse({ ...answer, stdout: bytes });
  } catch (cause) {
    const answerOf = `the output of ${commandLine(command)}`;
    throw unparsed(command, { answer: answerOf, stdout: answer.stdout, cause });
  }
}
