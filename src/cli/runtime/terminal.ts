import { type Look, type Paint, paintFor, plainLook } from '../output/style.ts';
import { relativeTime } from '../output/times.ts';
import type { ColorWhen } from './settings.ts';

/** The three streams of a command: answers go to stdout, messages for users to stderr. */
export interface Terminal {
  /** A user can answer questions. */
  readonly interactive: boolean;
  /** stderr is a terminal, so a line on it can be redrawn. */
  readonly live: boolean;
  /** How the answer is shown. */
  readonly look: Look;
  /** Colours words of lines on stderr. */
  readonly paint: Paint;
  /** Writes a part of the answer. */
  answer(text: string): void;
  /** Writes a line to stderr; a live line is redrawn below it. */
  line(text: string): void;
  /** Draws the live line; undefined removes it. */
  draw(text: string | undefined): void;
  /**
   * Asks a question; undefined if the input ended (Ctrl-D), the user gave up (Ctrl-C), or at
   * `stop`.
   */
  ask(question: string, stop: AbortSignal): Promise<string | undefined>;
  /** False if the reader of the answer has closed the pipe. */
  heard(): boolean;
  /**
   * Waits until the answer is written; returns the error if that failed. A closed pipe (`| head`)
   * is not an error.
   */
  flush(): Promise<Error | undefined>;
}

type Out = NodeJS.WriteStream;

interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Out;
  readonly stderr: Out;
}

/** The look of each stream, which may be a terminal or not. A terminal can report the size 0. */
export function looksOf(
  color: ColorWhen,
  { stdin, stdout, stderr }: Streams = process,
  { env } = process,
): Pick<Terminal, 'look' | 'paint'> {
  const isPaged = stdin.isTTY && env['TERM'] !== 'dumb';
  const screen = {
    columns: stdout.columns || 80,
    rows: isPaged ? stdout.rows || 24 : plainLook.rows,
    time: relativeTime,
  };
  const look = { ...(stdout.isTTY ? screen : plainLook), paint: paintFor(color, stdout, env) };
  return { look, paint: paintFor(color, stderr, env) };
}

/** The terminal of this process. */
export function openTerminal(streams: Streams = process, color: ColorWhen = 'auto'): Terminal {
  const { stdin, stdout, stderr } = streams;
  const out = silencing(stdout);
  const err = silencing(stderr);
  const live = stderr.isTTY;
  let drawn: string | undefined;
  const clear = (): void => {
    if (drawn !== undefined) err.write('\r\u001b[2K');
  };
  return {
    interactive: stdin.isTTY && live,
    live,
    ...looksOf(color, streams),
    // On a terminal both streams share the screen: the answer must not follow a live line.
    answer: (text) => {
      clear();
      drawn = undefined;
      out.write(text);
    },
    line: (text) => {
      clear();
      err.write(`${text}\n`);
      if (drawn !== undefined) err.write(drawn);
    },
    draw: (text) => {
      if (!live || text === drawn) return;
      clear();
      drawn = text?.slice(0, Math.max(10, stderr.columns - 1));
      if (drawn !== undefined) err.write(drawn);
    },
    ask: async (question, stop) => {
      clear();
      drawn = undefined;
      return await asked(question, { input: stdin, output: stderr, stop });
    },
    heard: () => out.heard(),
    flush: () => out.flush(),
  };
}

async function asked(
  question: string,
  {
    input,
    output,
    stop,
  }: { readonly input: NodeJS.ReadStream; readonly output: Out; readonly stop: AbortSignal },
): Promise<string | undefined> {
  const { createInterface } = await import('node:readline/promises');
  // `signal` closes the interface.
  const lines = createInterface({ input, output, signal: stop });
  try {
    const ended = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)));
    if (stop.aborted) return undefined;
    const answer = await Promise.race([lines.question(question), ended]);
    // The question is still the last line.
    if (answer === undefined) output.write('\n');
    return answer;
  } finally {
    lines.close();
  }
}

/** Ignores writes after EPIPE: a closed pipe must not stop the work. */
function silencing(stream: Out): {
  readonly write: (text: string) => void;
  readonly heard: () => boolean;
  readonly flush: () => Promise<Error | undefined>;
} {
  let failure: Error | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= error;
  });
  return {
    write: (text) => {
      if (failure === undefined) stream.write(text);
    },
    heard: () => failure === undefined,
    flush: async () => {
      if (failure === undefined) await new Promise<void>((done) => stream.write('', () => done()));
      return failure !== undefined && 'code' in failure && failure.code === 'EPIPE' ? undefined : failure;
    },
  };
}
