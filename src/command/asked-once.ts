import { type Answer, nothing, type ReadCommand } from './command.ts';
import type { ReadHost } from './host.ts';

/** How long an answer is used again: longer than one look takes on a slow host. */
const usedForMs = 5000;

const underneath = new WeakMap<ReadHost, ReadHost>();

/** Returns the host without the memory of `askedOnce`, for a look that waits for a change. */
export function askedAgain(host: ReadHost): ReadHost {
  return underneath.get(host) ?? host;
}

/** The answers of a host, by question. */
export type Answers = Map<string, { readonly asked: Promise<unknown>; until: number }>;

/**
 * Returns a host that asks each question once: for five seconds the same command or path gets the
 * first answer again. For one look, during which the step changes nothing. A question that failed
 * is asked again by the next caller. `answers` are those of an earlier look, since which nothing
 * changed.
 */
export function askedOnce(host: ReadHost, answers: Answers = new Map()): ReadHost {
  const asking = remembering(host, async (question, ask) => {
    const known = answers.get(question);
    if (known !== undefined && performance.now() < known.until) return await known.asked.catch(ask);
    return await asked(answers, question, ask);
  });
  underneath.set(asking, host);
  return asking;
}

/** Returns a host that asks each question again, and keeps the latest answer to it in `answers()`. */
export function keepingAnswers(host: ReadHost, answers: () => Answers): ReadHost {
  return remembering(host, (question, ask) => asked(answers(), question, ask));
}

async function asked(answers: Answers, question: string, ask: () => Promise<unknown>): Promise<unknown> {
  const answer = { asked: ask(), until: Infinity };
  answers.set(question, answer);
  answer.asked.then(
    () => (answer.until = performance.now() + usedForMs),
    () => (answer.until = 0),
  );
  return await answer.asked;
}

function remembering(
  host: ReadHost,
  once: (question: string, ask: () => Promise<unknown>) => Promise<unknown>,
): ReadHost {
  // The question determines the type of its answer.
  const answer = async <T>(question: string, ask: () => Promise<T>): Promise<T> =>
    (await once(question, ask)) as T;
  return {
    name: host.name,
    run: async (command) => {
      const question = questionOf(command);
      if (question === undefined) return await host.run(command);
      const said = await answer(question, () => host.run({ ...command, parse: (all: Answer) => all }));
      try {
        return command.parse(said);
      } catch {
        // The host turns the error of the parser into a ParseError.
        return await host.run(command);
      }
    },
    readFile: (path) => answer(`readFile ${path}`, () => host.readFile(path)),
    readDir: (path) => answer(`readDir ${path}`, () => host.readDir(path)),
    readLink: (path) => answer(`readLink ${path}`, () => host.readLink(path)),
    stat: (path) => answer(`stat ${path}`, () => host.stat(path)),
    facts: () => answer('facts', () => host.facts()),
  };
}

/**
 * Returns undefined for a command with a secret input or without an answer: such a command always
 * runs.
 */
function questionOf({
  tool,
  argv,
  accepts,
  encoding,
  stdin,
  parse,
}: ReadCommand<unknown>): string | undefined {
  const input = stdin instanceof Uint8Array ? Buffer.from(stdin).toString('latin1') : stdin;
  if ((input !== undefined && typeof input !== 'string') || parse === nothing) return undefined;
  return JSON.stringify([tool, argv, accepts, encoding, input]);
}
