/** The three streams of a command: stdout is the answer, stderr is for people. */
export interface Terminal {
  /** Somebody sits there and can answer. */
  readonly interactive: boolean;
  /** stderr is a terminal, so a line on it can be drawn again. */
  readonly live: boolean;
  readonly columns: number;
  /** Writes a part of the answer. */
  answer(text: string): void;
  /** A line on stderr; a live line is drawn again below it. */
  line(text: string): void;
  /** The line that is drawn again and again; undefined takes it away. */
  draw(text: string | undefined): void;
  ask(question: string): Promise<string>;
  /** False: who read the answer has gone away. */
  heard(): boolean;
  /** Waits until the answer is written; why it could not be. A reader that went away (`| head`) is no reason. */
  flush(): Promise<Error | undefined>;
}

type Out = NodeJS.WriteStream;

/** The terminal of this process. */
export function openTerminal(
  streams: { readonly stdin: NodeJS.ReadStream; readonly stdout: Out; readonly stderr: Out } = process,
): Terminal {
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
    columns: live ? stderr.columns : 80,
    // On a terminal both streams are one screen: the answer must not go on after a live line.
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
    ask: async (question) => {
      clear();
      drawn = undefined;
      return await asked(stdin, stderr, question);
    },
    heard: () => out.heard(),
    flush: () => out.flush(),
  };
}

/** An end of input (Ctrl-D) is the empty answer. */
async function asked(input: NodeJS.ReadStream, output: Out, question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input, output });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}

/** After EPIPE a stream is silent: a reader that went away must not stop the work. */
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
