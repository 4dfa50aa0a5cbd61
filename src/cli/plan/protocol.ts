import type { Answer, FileStat, HostFacts, KeyInput } from '../../command/index.ts';
import type { Reason } from '../../core/errors.ts';
import type { Site } from '../../site.ts';
import type { Explanation } from '../errors/explanation.ts';
import type { CopiedJournal, Planned } from './plan.ts';

/** The task of the child process that plans a script. */
export interface DryTask {
  readonly script: string;
  readonly args: readonly string[];
  readonly site: Site;
  readonly stateDir: string;
  readonly root: boolean;
  /** Name of the host that the script works on; empty: this one. */
  readonly host: string;
  readonly journals: readonly CopiedJournal[];
}

/**
 * A query of the child, which cannot start programs: the output of a reading program, or anything
 * on another host.
 */
export type DryQuestion = { readonly ask: number; readonly on: string } & (
  | {
      readonly what: 'run';
      readonly tool: string;
      readonly argv: readonly string[];
      readonly timeoutMs?: number;
      readonly encoding?: 'latin1';
      /** What the program reads from stdin. The parent process fetches a key. */
      readonly stdin?: KeyInput | Uint8Array | string;
      /** The output can contain a secret: an error must not show it. */
      readonly isSecret?: true;
    }
  | { readonly what: 'readFile' | 'readDir' | 'readLink' | 'stat'; readonly path: string }
  | { readonly what: 'facts' }
);

/** A question without its number. */
export type DryAsked = DryQuestion extends infer Q
  ? Q extends unknown
    ? Omit<Q, 'ask' | 'on'>
    : never
  : never;

export type DryReply = { readonly to: number } & (
  | { readonly answer: Answer }
  | { readonly read: Uint8Array | readonly string[] | string | FileStat | HostFacts | undefined }
  | { readonly missing: string; readonly remedy?: string }
  | { readonly unreached: string; readonly connection: 'none' | 'lost'; readonly remedy?: string }
  | { readonly failed: string; readonly reason: Reason }
);

/** The end of the child; the exit code is that of the script. */
export type DryEnd =
  | { readonly plan: Planned; readonly exitCode: number }
  | { readonly explanation: Explanation };
