import type { Answer, Command, Tool } from '../../../src/command/index.ts';
import type { Reason } from '../../../src/core/errors.ts';
import type { DiskSpec } from '../rig/disks.ts';

/** What a command may need to know of the machine that it is recorded on. */
export interface Known {
  /** The identity that an object got there, by the name that `identities` of the group gives it. */
  readonly id: (name: string) => string;
  /** Of the tool that is recorded: `2.03.16`. */
  readonly version: string;
}

/** How bofh takes an answer: `parse` reads it, or throws, or `classify` says why it failed. */
export type Taken = 'parsed' | 'not understood' | Reason;

/** One call of one tool. They are recorded in their order, each on what the ones before it have left. */
export interface Situation {
  /** The folder and the first part of the file's name: `lvm/lvs-many`. */
  readonly name: string;
  /** What the shell does before. */
  readonly given?: string;
  /** A command of bofh's own, so that a recording follows the code. */
  readonly command: Command<unknown> | ((known: Known) => Command<unknown>);
  /** How bofh has to take it, where a version of the tool says another thing by that. */
  readonly answers: Taken | ((version: string) => Taken);
  /** The user who calls it (default: root). */
  readonly as?: 'nobody';
  /** What it reads, where the command's own input is a key. */
  readonly key?: string;
  /** The content of its second key. */
  readonly secondKey?: string;
}

/** Situations of one machine. */
export interface Group {
  readonly name: string;
  readonly disks?: readonly DiskSpec[];
  /** Left out: a plain kernel, which is faster. */
  readonly hypervisor?: 'xen';
  /** Prints `NAME IDENTITY` for each object whose identity is drawn at random. */
  readonly identities?: string;
  /** The identity that an object has in the recordings, so that a later recording differs in nothing but what matters. */
  readonly pins?: Readonly<Record<string, string>>;
  readonly situations: readonly Situation[];
}

/** A call that bofh never makes, recorded for what it would do. */
export function never(tool: Tool, argv: readonly string[], like: Command<unknown>): Command<unknown> {
  return { ...like, tool, argv };
}

/** A call as it is kept in test/fixtures. */
export interface Recording extends Answer {
  readonly argv: readonly string[];
}

/** What is called, on the machine or as it was recorded. */
export function commandOf({ command }: Situation, known: Known): Command<unknown> {
  return typeof command === 'function' ? command(known) : command;
}

/** How bofh has to take the answer of that version. */
export function answersOf({ answers }: Situation, version: string): Taken {
  return typeof answers === 'function' ? answers(version) : answers;
}
