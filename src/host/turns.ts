/** Limits how many functions run at a time. */
export interface Turns {
  /** Runs the function when a place is free. */
  readonly take: <T>(act: () => Promise<T>) => Promise<T>;
  /**
   * Called by a running function for which the server had no place: lowers the limit by one. False if it was
   * the only running function.
   */
  readonly fewer: () => boolean;
}

/** Creates a limit, which is `limit` at first. */
export function turns(limit: number): Turns {
  let [room, running] = [limit, 0];
  const waiting: (() => void)[] = [];
  const next = (): void => {
    if (running < room) waiting.shift()?.();
  };
  return {
    take: async (act) => {
      while (running >= room) await new Promise<void>((resolve) => waiting.push(resolve));
      running += 1;
      try {
        return await act();
      } finally {
        running -= 1;
        next();
      }
    },
    fewer: () => {
      const alone = running <= 1;
      room = Math.max(1, Math.min(room, running) - 1);
      return !alone;
    },
  };
}
