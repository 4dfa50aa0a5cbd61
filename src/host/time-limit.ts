/**
 * A timer that is later than this was hardly late because of other work, but because this process
 * was stopped.
 */
const slackMs = 500;

/** The time begins again at most so often: a process that is always late reaches its limit too. */
const most = 10;

/**
 * Calls `late` after this time, unless the returned function is called before. If this process was
 * stopped meanwhile (Ctrl-Z), the time begins again: the program may have ended, or may have waited
 * for bofh to read.
 */
export function timeLimit(ms: number, late: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let begun = 0;
  const begin = (): void => {
    begun += 1;
    const due = performance.now() + ms;
    timer = setTimeout(() => {
      if (performance.now() - due > slackMs && begun <= most) begin();
      else late();
    }, ms).unref();
  };
  begin();
  return () => clearTimeout(timer);
}
