import type { ChangeHost } from '../../command/index.ts';

/** Wraps the host of a step: calls `onChange` when a change starts on it. */
export function noticing(host: ChangeHost, onChange: () => void): ChangeHost {
  const noticed =
    <A extends readonly unknown[], R>(change: (...args: A) => R) =>
    (...args: A): R => {
      onChange();
      return change(...args);
    };
  return {
    name: host.name,
    run: (command) => {
      if (command.access !== 'read') onChange();
      return host.run(command);
    },
    readFile: (path) => host.readFile(path),
    readDir: (path) => host.readDir(path),
    readLink: (path) => host.readLink(path),
    stat: (path) => host.stat(path),
    facts: () => host.facts(),
    pipe: (pipeline) => {
      onChange();
      return host.pipe(pipeline);
    },
    writeNew: noticed((path, content, options) => host.writeNew(path, content, options)),
    link: noticed((existing, path) => host.link(existing, path)),
    rename: noticed((from, to) => host.rename(from, to)),
    removeFile: noticed((path) => host.removeFile(path)),
    makeDir: noticed((path, options) => host.makeDir(path, options)),
    removeDir: noticed((path) => host.removeDir(path)),
    sync: noticed((path) => host.sync(path)),
  };
}
