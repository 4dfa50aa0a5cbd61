import { type Answer, nothing, type ReadCommand } from './command.ts';
import type { ReadHost } from './host.ts';

/** How long an answer is used again: longer than one look takes on a slow host. */
const usedForMs = 5000;

const underneath = new WeakMap<ReadHost, ReadHost>();

/** Returns the host without the memory of `askedOnce`, for a look that waits for a change. */
export function askedAgain(host: ReadHost): ReadHost {
  return underneath.get(host) ?? host;
}

/**
 * Returns a host that asks each question once: for five seconds the same command or path gets the
 * first answer again. For one look, during which the step changes nothing. A question that failed
 * is asked again by the next caller.
 */
export function askedOnce(host: ReadHost): ReadHost {
  const answers = new Map<string, { readonly asked: Promise<unknown>; until: number }>();
  const once = async <T>(question: string, ask: () => Promise<T>): Promise<T> => {
    const known = answers.get(question);
    // The question determines the type of its answer.
    if (known !== undefined && performance.now() < known.until)
      return await (known.asked as Promise<T>).catch(ask);
    const answer = { asked: ask(), until: Infinity };
    answers.set(question, answer);
    answer.asked.then(
      () => (answer.until = performance.now() + usedForMs),
      () => (answer.until = 0),
    );
    return await answer.asked;
  };
  const asking: ReadHost = {
    name: host.name,
    run: async (command) => {
      const question = questionOf(command);
      if (question === undefined) return await host.run(command);
      const answer = await once(question, () => host.run({ ...command, parse: (said: Answer) => said }));
      try {
        return command.parse(answer);
      } catch {
        // The host turns the error of the parser into a ParseError.
        return await host.run(command);
      }
    },
    readFile: (path) => once(`readFile ${path}`, () => host.readFile(path)),
    readDir: (path) => once(`readDir ${path}`, () => host.readDir(path)),
    readLink: (path) => once(`readLink ${path}`, () => host.readLink(path)),
    stat: (path) => once(`stat ${path}`, () => host.stat(path)),
    facts: () => once('facts', () => host.facts()),
  };
  underneath.set(asking, host);
  return asking;
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
