import * as api from '../../index.ts';
import { type Host, type ReadCommand, type ReadHost, Secret } from '../../command/index.ts';
import { CommandError, ConnectionError, ToolError } from '../../core/errors.ts';
import { answerOf } from '../../host/answer.ts';
import type { DryAsked, DryQuestion, DryReply } from './protocol.ts';
import { present } from '../../core/present.ts';

type Ask = (on: string, asked: DryAsked) => Promise<DryReply>;

/** Returns hosts for the child process that plans a script: the parent process answers every query. */
export function askingHosts(): (name: string) => Host {
  const ask = asker();
  const local = api.localHost();
  return (name) => {
    const run = async <T>(command: ReadCommand<T>): Promise<T> =>
      answered(name, command, await ask(name, askedOf(command)));
    // The child can read files of this host itself.
    if (name === '') return { ...local, run };
    return { ...local, name, run, ...readsOf(name, ask) };
  };
}

/** Returns the question that has the parent process run a program. */
export function askedOf(command: ReadCommand<unknown>): DryAsked & { readonly what: 'run' } {
  const { tool, argv, timeoutMs, encoding, stdin: given } = command;
  // A Secret would arrive without its bytes.
  const stdin = given instanceof Secret ? given.reveal() : given;
  const secret = command.shownOf === undefined ? {} : ({ isSecret: true } as const);
  return { what: 'run', tool, argv, ...present({ timeoutMs, encoding, stdin }), ...secret };
}

function asker(): Ask {
  const waiting = new Map<number, (reply: DryReply) => void>();
  process.on('message', (reply: DryReply) => waiting.get(reply.to)?.(reply));
  let number = 0;
  return (on, asked) => {
    const own = (number += 1);
    // Only an open query keeps the process alive.
    process.channel?.ref();
    return new Promise((resolve) => {
      waiting.set(own, (reply) => {
        waiting.delete(own);
        if (waiting.size === 0) process.channel?.unref();
        resolve(reply);
      });
      process.send?.({ ask: own, on, ...asked } satisfies DryQuestion);
    });
  };
}

function readsOf(name: string, ask: Ask): Omit<ReadHost, 'name' | 'run'> {
  const read = async (asked: Exclude<DryAsked, { readonly what: 'run' }>): Promise<unknown> => {
    const reply = await ask(name, asked);
    if ('read' in reply) return reply.read;
    throw failureOf(
      name,
      { tool: 'file', argv: [asked.what, ...('path' in asked ? [asked.path] : [])] },
      reply,
    );
  };
  return {
    readFile: async (path) => (await read({ what: 'readFile', path })) as Uint8Array,
    readDir: async (path) => (await read({ what: 'readDir', path })) as readonly string[],
    readLink: async (path) => (await read({ what: 'readLink', path })) as string,
    stat: async (path) => (await read({ what: 'stat', path })) as Awaited<ReturnType<ReadHost['stat']>>,
    facts: async () => (await read({ what: 'facts' })) as Awaited<ReturnType<ReadHost['facts']>>,
  };
}

/** Returns the parsed output of a program. Throws as a host that runs it. */
export async function answered<T>(name: string, command: ReadCommand<T>, reply: DryReply): Promise<T> {
  const { tool, argv, encoding = 'utf8' } = command;
  if (!('answer' in reply)) throw failureOf(name, command, reply);
  const { exitCode, stdout, stderr } = reply.answer;
  const of = (bytes: Uint8Array) => ({ whole: () => bytes, tail: () => bytes });
  const output = { stdout: of(Buffer.from(stdout, encoding)), stderr: of(Buffer.from(stderr)) };
  const program = { tool, file: tool, argv };
  const ran = { program, end: { how: 'exit', exitCode }, ...output } as const;
  return answerOf(ran, command, { version: () => Promise.resolve(undefined) });
}

function failureOf(
  host: string,
  { tool, argv }: { readonly tool: string; readonly argv: readonly string[] },
  reply: DryReply,
): Error {
  if ('missing' in reply) return new ToolError(reply.missing, { remedy: reply.remedy });
  if ('unreached' in reply) {
    const { unreached, connection, remedy } = reply;
    return new ConnectionError(unreached, { host, connection, remedy });
  }
  if ('failed' in reply) return new CommandError({ tool, argv, reason: reply.reason, what: reply.failed });
  throw new TypeError('an answer to another question');
}
