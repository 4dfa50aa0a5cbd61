import type { FetchInput } from './keys.ts';
import type { Program } from './program.ts';

/** Log events of the local host about programs: a constant sentence and its facts. */
export interface HostEvent {
  readonly event:
    | 'program started'
    | 'program ended'
    | 'program is tried again'
    | 'program is being stopped'
    | 'progress could not be reported';
  readonly tool: string;
  readonly argv: readonly string[];
  readonly pid?: number | undefined;
  readonly durationMs?: number;
  readonly ending?: string;
}

/** The parts that all programs on the local host share. */
export interface Setting {
  readonly env: Readonly<Record<string, string>>;
  readonly log: (event: HostEvent) => void;
  /** The only function that fetches keys. */
  readonly fetchInput: FetchInput;
  /** First line of `TOOL --version`, if the tool has it; asked once. */
  readonly version: (program: Program) => Promise<string | undefined>;
  /** Opens the files for the output of a change. */
  readonly openOutputs: (directory: string, stages: number) => OutputFiles;
  /** Waits until udev has handled its events, if udev runs; with a time limit, and without errors. */
  readonly settle: () => Promise<void>;
}

/** Open files, one `out`, and one `err` for each stage of a pipeline. */
export interface OutputFiles {
  readonly out: number;
  readonly errs: readonly number[];
  readonly status: number | undefined;
  /** The file in which the shell around the programs records its session. */
  readonly session: string;
  readonly close: () => void;
  /** Removes the names of the files. */
  readonly remove: () => void;
}

/** The environment of every tool; `localHost({ env })` adds to it. */
export const baseEnvironment: Readonly<Record<string, string>> = {
  HOME: '/root',
  LC_ALL: 'C',
  LVM_SUPPRESS_FD_WARNINGS: '1',
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
};
