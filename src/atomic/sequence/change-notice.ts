import { type Answers, type ChangeHost, keepingAnswers } from '../../command/index.ts';

/** The host of a step, and what is known of its changes. */
export interface Noticed {
  readonly host: ChangeHost;
  /** Whether a change has started. */
  readonly hasBegun: () => boolean;
  /** The answers since the last change ended. */
  readonly answers: () => Answers;
}

/** Wraps the host of a step, to notice its changes and to keep the answers after the last one. */
export function noticing(host: ChangeHost): Noticed {
  let begun = false;
  // Replaced after each change: the answer to a question that was asked before is then not kept.
  let answers: Answers = new Map();
  const change = async <R>(work: () => Promise<R>): Promise<R> => {
    begun = true;
    try {
      return await work();
    } finally {
      answers = new Map();
    }
  };
  const reading = keepingAnswers(host, () => answers);
  const noticed: ChangeHost = {
    ...reading,
    run: (command) =>
      command.access === 'read'
        ? reading.run({ ...command, access: 'read' })
        : change(() => host.run(command)),
    pipe: (pipeline) => change(() => host.pipe(pipeline)),
    writeNew: (path, content, options) => change(() => host.writeNew(path, content, options)),
    link: (existing, path) => change(() => host.link(existing, path)),
    rename: (from, to) => change(() => host.rename(from, to)),
    removeFile: (path) => change(() => host.removeFile(path)),
    makeDir: (path, options) => change(() => host.makeDir(path, options)),
    removeDir: (path) => change(() => host.removeDir(path)),
    sync: (path) => change(() => host.sync(path)),
  };
  return { host: noticed, hasBegun: () => begun, answers: () => answers };
}
