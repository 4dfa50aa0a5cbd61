import type { Bofh } from '../../connect.ts';
import { type Answer, type Host, type Tool, tools } from '../../command/index.ts';
import { BofhError, CommandError, ConnectionError, ToolError } from '../../core/errors.ts';
import { inReadOnlyChild } from '../../script/child.ts';
import type { DryEnd, DryQuestion, DryReply, DryTask } from './protocol.ts';
import { Explained } from '../errors/explanation.ts';
import { readJournals, showPlan } from './plan.ts';
import { present } from '../../core/present.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { untilInterrupted } from '../runtime/session.ts';
import { messageOf } from '../output/text.ts';

/**
 * `bofh run SCRIPT --dry-run`: runs the script on a simulated host, in a process that cannot write
 * or start programs.
 */
export async function dryRunScript(
  runtime: Runtime,
  bofh: Bofh,
  script: string,
  args: readonly string[],
): Promise<number> {
  const task: DryTask = {
    script,
    args,
    site: bofh.site,
    stateDir: bofh.stateDir,
    root: runtime.root,
    host: bofh.host.name,
    journals: readJournals(bofh.engine.store),
  };
  runtime.terminal.line(
    `dry run: running ${script} itself, on a simulated host; it cannot write files or start programs`,
  );
  const planning = inReadOnlyChild<DryEnd>('./dry-child.js', task, async (message, reply) => {
    const said = message as DryEnd | DryQuestion;
    if (!('ask' in said)) return said;
    reply(await answerTo(bofh, said));
    return undefined;
  });
  const end = await untilInterrupted(runtime, planning);
  if ('explanation' in end) throw new Explained(end.explanation);
  showPlan(runtime, end.plan, { script });
  return end.exitCode;
}

const anyExit = Array.from({ length: 256 }, (_, code) => code);

/**
 * Answers a query of the child. The child parses the output itself, so it gets the raw output, with any exit
 * code.
 */
export async function answerTo(
  { host: own, engine }: Pick<Bofh, 'host' | 'engine'>,
  question: DryQuestion,
): Promise<DryReply> {
  const to = question.ask;
  try {
    const host = question.on === own.name ? own : engine.place?.(question.on)?.host;
    if (host === undefined) return { to, failed: 'there is no such host', reason: 'unknown' };
    if (question.what === 'run') return await answerOf(host, question);
    return { to, read: await readOf(host, question) };
  } catch (error) {
    const remedy = error instanceof BofhError && error.remedy !== undefined ? { remedy: error.remedy } : {};
    const message = messageOf(error);
    if (error instanceof ToolError) return { to, missing: message, ...remedy };
    if (error instanceof ConnectionError)
      return { to, unreached: message, connection: error.connection, ...remedy };
    return { to, failed: message, reason: error instanceof CommandError ? error.reason : 'unknown' };
  }
}

async function answerOf(
  host: Host,
  { ask, tool, argv, timeoutMs, encoding, stdin, isSecret }: DryQuestion & { readonly what: 'run' },
): Promise<DryReply> {
  if (!isTool(tool)) return { to: ask, failed: 'bofh runs no such program', reason: 'unknown' };
  const shownOf = isSecret === true ? () => '' : undefined;
  const how = present({ timeoutMs, encoding, stdin, shownOf });
  const parse = (answer: Answer): Answer => answer;
  return { to: ask, answer: await host.run({ tool, argv, access: 'read', accepts: anyExit, parse, ...how }) };
}

function readOf(host: Host, question: Exclude<DryQuestion, { readonly what: 'run' }>) {
  switch (question.what) {
    case 'facts':
      return host.facts();
    case 'readFile':
      return host.readFile(question.path);
    case 'readDir':
      return host.readDir(question.path);
    case 'readLink':
      return host.readLink(question.path);
    case 'stat':
      return host.stat(question.path);
  }
}

function isTool(name: string): name is Tool {
  return Object.hasOwn(tools, name);
}
