import type { ChangeHost, Command, Host, HostFacts, Pipeline, StepContext } from '../command/index.ts';
import { CommandError, UsageError } from '../errors.ts';
import { answerOf, text } from './answer.ts';
import { runChange } from './change.ts';
import { fileChanges, fileReads } from './files.ts';
import { locker } from './flock.ts';
import { keyFetcher, type KeyOptions } from './keys.ts';
import { outputOpener } from './outputs.ts';
import { endInWords, type Program, type ProgramOptions, programs } from './program.ts';
import { retryingBusy } from './retry.ts';
import { baseEnvironment, type HostEvent, type Setting } from './setting.ts';
import type { Stage } from './stages.ts';
import { collect } from './start.ts';

/**
 * Options of the local host. `tools`, `env` and `lvmConfig` are the seam for tests on loop devices, which without
 * their own LVM_SYSTEM_DIR and `--driverloaded n` would run LVM on the developer's real disks.
 */
export interface LocalHostOptions extends ProgramOptions, KeyOptions {
  /** What programs find in their environment beyond LC_ALL, PATH, HOME and LVM_SUPPRESS_FD_WARNINGS. */
  readonly env?: Readonly<Record<string, string>>;
  readonly log?: (event: HostEvent) => void;
}

const readLimitMs = 30_000;

/**
 * The machine that bofh runs on. Reads run at once; changes only through `during(step)`, on its own session with
 * their output in files, so that they end as they would have when bofh is killed.
 */
export function localHost(options: LocalHostOptions = {}): Host {
  const programFor = programs(options);
  const setting = settingOf(options, programFor);
  const common = { name: '', ...fileReads, facts };
  const run = async <T>(command: Command<T>, step?: StepContext): Promise<T> => {
    const program = await programFor(command);
    if (command.access === 'read') return await runRead(program, command, setting);
    if (step === undefined) throw outsideStep(command);
    return await runChange([{ command, program }], command.parse, step, setting);
  };
  const pipe = async <T>({ commands, parse }: Pipeline<T>, step: StepContext): Promise<T> => {
    const stage = async (command: Command<unknown>): Promise<Stage> => ({
      command,
      program: await programFor(command),
    });
    const [first, ...rest] = commands;
    return await runChange(
      [await stage(first), ...(await Promise.all(rest.map(stage)))],
      parse,
      step,
      setting,
    );
  };
  return {
    ...common,
    run: (command) => run(command),
    flock: locker(setting.env),
    during: (step): ChangeHost => ({
      ...common,
      ...fileChanges,
      run: (command) => run(command, step),
      pipe: (pipeline) => pipe(pipeline, step),
    }),
  };
}

function settingOf(options: LocalHostOptions, programFor: ReturnType<typeof programs>): Setting {
  const env = { ...baseEnvironment, ...options.env };
  return {
    env,
    fetchInput: keyFetcher(options, env),
    log: (event) => {
      try {
        options.log?.(event);
      } catch {
        // Whoever listens must not make us lose sight of a change that runs.
      }
    },
    version: versions(env),
    openOutputs: outputOpener(),
    settle: () => settle(env, programFor),
  };
}

async function runRead<T>(program: Program, command: Command<T>, setting: Setting): Promise<T> {
  const { tool, argv } = program;
  const stdin = command.stdin === undefined ? undefined : await setting.fetchInput(command.stdin);
  const attempt = async (): Promise<T> => {
    const begun = performance.now();
    const { end, stdout, stderr } = await collect(program, {
      env: setting.env,
      timeoutMs: command.timeoutMs ?? readLimitMs,
      stdin,
      started: (pid) => setting.log({ event: 'program started', tool, argv, pid }),
    });
    const durationMs = Math.round(performance.now() - begun);
    setting.log({ event: 'program ended', tool, argv, durationMs, ending: endInWords(end) });
    return await answerOf({ program, end, stdout: held(stdout), stderr: held(stderr) }, command, setting);
  };
  return await retryingBusy(attempt, {
    allowed: true,
    log: () => setting.log({ event: 'program is tried again', tool, argv }),
  });
}

function held(output: Uint8Array) {
  return { whole: () => output, tail: () => output.subarray(-1024 * 1024) };
}

function outsideStep({ tool, argv }: Command<unknown>): UsageError {
  return new UsageError(
    `${[tool, ...argv].join(' ')} changes the host, and so runs only in a step of a sequence`,
  );
}

/** The first line of `TOOL --version`, asked once for each file. Not every tool has it: it is for error texts alone. */
function versions(env: Readonly<Record<string, string>>): Setting['version'] {
  const known = new Map<string, Promise<string | undefined>>();
  const ask = async ({ tool, file }: Program): Promise<string | undefined> => {
    try {
      const { end, stdout } = await collect({ tool, file, argv: ['--version'] }, { env, timeoutMs: 5000 });
      if (end.how !== 'exit' || end.exitCode !== 0) return undefined;
      return text(stdout).split('\n')[0]?.trim() || undefined;
    } catch {
      return undefined;
    }
  };
  return (program) => {
    const answer = known.get(program.file) ?? ask(program);
    known.set(program.file, answer);
    return answer;
  };
}

async function settle(
  env: Readonly<Record<string, string>>,
  programFor: ReturnType<typeof programs>,
): Promise<void> {
  try {
    // Without udevd, `udevadm settle` has nothing to wait for.
    if ((await fileReads.stat('/run/udev/control')) === undefined) return;
    const program = await programFor({ tool: 'udevadm', argv: ['settle', '--timeout=5'] });
    await collect(program, { env, timeoutMs: 10_000 });
  } catch {
    // Whether the condition has come is for the next try to find out.
  }
}

async function facts(): Promise<HostFacts> {
  const [boot, hostname] = await Promise.all([
    oneLine('/proc/sys/kernel/random/boot_id'),
    oneLine('/proc/sys/kernel/hostname'),
  ]);
  return { boot, hostname };
}

async function oneLine(path: string): Promise<string> {
  const line = text(await fileReads.readFile(path)).trim();
  if (line === '' || line.includes('\n'))
    throw new CommandError({
      tool: 'file',
      argv: ['read', path],
      reason: 'unknown',
      what: 'it is not one line',
    });
  return line;
}
