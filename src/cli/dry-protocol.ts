import type { Answer } from '../command/index.ts';
import type { Site } from '../site.ts';
import type { Explanation } from './explanation.ts';
import type { CopiedJournal, Planned } from './plan.ts';

/** What the process that plans a script is told. */
export interface DryTask {
  readonly script: string;
  readonly args: readonly string[];
  readonly site: Site;
  readonly stateDir: string;
  readonly root: boolean;
  readonly journals: readonly CopiedJournal[];
}

/** It may start no program itself, so it asks for the answers of those that read. */
export interface DryQuestion {
  readonly ask: number;
  readonly tool: string;
  readonly argv: readonly string[];
  readonly timeoutMs?: number;
  readonly encoding?: 'latin1';
}

export type DryReply =
  | { readonly to: number; readonly answer: Answer }
  | { readonly to: number; readonly missing: string; readonly remedy?: string }
  | { readonly to: number; readonly failed: string };

/** How it ended; the exit code is the script's own. */
export type DryEnd =
  | { readonly plan: Planned; readonly exitCode: number }
  | { readonly explanation: Explanation };
