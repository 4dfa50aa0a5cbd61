import type { ChangeHost, Command, LocalHost, Pipeline, StepContext } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { runChange } from './change.ts';
import { downloader } from './download.ts';
import { factsOf } from './facts.ts';
import { fileChanges, fileReads } from './files.ts';
import { locker } from './flock.ts';
import { keyFetcher, type KeyOptions } from './keys.ts';
import { outputOpener } from './outputs.ts';
import { ownTools, type ProgramOptions, programs } from './program.ts';
import { type Collect, runRead, sameOutputs, telling, versions } from './read.ts';
import { baseEnvironment, type HostEvent, type Setting } from './setting.ts';
import type { Stage } from './stages.ts';
import { collect } from './start.ts';
import { callable, parsed } from '../core/request.ts';
import * as z from 'zod/mini';

/**
 * Options of the local host. `tools`, `env` and `lvmConfig` are for tests on loop devices. Without
 * a separate LVM_SYSTEM_DIR and `--driverloaded n` these tests would run LVM on the real disks of
 * the developer.
 */
export interface LocalHostOptions extends ProgramOptions, KeyOptions {
  /** Environment of programs, in addition to LC_ALL, PATH, HOME and LVM_SUPPRESS_FD_WARNINGS. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called when a program starts, and when it ends. */
  readonly log?: (event: HostEvent) => void;
}

const localOptions = z.strictObject({
  env: z.optional(z.record(z.string(), z.string())),
  log: z.optional(callable()),
  tools: z.optional(ownTools),
  lvmConfig: z.optional(z.array(z.string())),
  siteKeys: z.optional(callable()),
  askKey: z.optional(callable()),
});

/**
 * The machine that bofh runs on. Reads run at once. Changes run only through `during(step)`, in a
 * separate session with their output in files, so that they end normally if bofh is killed.
 */
export function localHost(options: LocalHostOptions = {}): LocalHost {
  parsed('localHost', localOptions, options);
  const { programFor, setting } = localPrograms(options);
  const reading = { ...setting, collect: collecting(setting.env), again: sameOutputs(fileReads) };
  const flock = locker(setting.env);
  const common = { name: '', ...fileReads, facts: () => factsOf(fileReads) };
  const run = async <T>(command: Command<T>, step?: StepContext): Promise<T> => {
    const program = await programFor(command);
    if (command.access === 'read') return await runRead(program, command, reading);
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
    ...present({ user: process.geteuid?.() }),
    run: (command) => run(command),
    flock,
    download: downloader(flock),
    during: (step): ChangeHost => ({
      ...common,
      ...fileChanges,
      run: (command) => run(command, step),
      pipe: (pipeline) => pipe(pipeline, step),
    }),
  };
}

/** How programs run on the machine that bofh runs on, also those that read for a step on another host. */
export interface LocalPrograms {
  /** Returns the program of a command. Throws ToolError if it is not installed. */
  readonly programFor: ReturnType<typeof programs>;
  readonly setting: Setting;
}

export function localPrograms(options: LocalHostOptions): LocalPrograms {
  const env = { ...baseEnvironment, ...options.env };
  const programFor = programs(options);
  return {
    programFor,
    setting: {
      env,
      fetchInput: keyFetcher(options, env),
      log: telling(options.log),
      version: versions(collecting(env)),
      openOutputs: outputOpener(),
      settle: () => settle(env, programFor),
    },
  };
}

function collecting(env: Setting['env']): Collect {
  return (program, options) => collect(program, { env, ...options });
}

function outsideStep({ tool, argv }: Command<unknown>): UsageError {
  return new UsageError(
    `${[tool, ...argv].join(' ')} changes the host, so it can run only in a step of a sequence`,
  );
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
    // Ignored: the caller tries its command again anyway, and that shows whether the device is free.
  }
}
