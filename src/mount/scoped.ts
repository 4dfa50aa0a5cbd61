/** A mount that lasts until it is released, or until the end of an `await using` block. */
export interface HeldMount extends AsyncDisposable {
  readonly path: string;
  /** Unmounts; another call waits for the same end. */
  readonly release: () => Promise<void>;
}

/** Turns a mount that lasts while a body runs into one that lasts until it is released. */
export async function untilReleased(
  during: (body: (path: string) => Promise<void>) => Promise<void>,
): Promise<HeldMount> {
  let letGo = (): void => undefined;
  const released = new Promise<void>((resolve) => (letGo = resolve));
  let ended: Promise<void> | undefined;
  const path = await new Promise<string>((opened, failed) => {
    ended = during(async (at) => {
      opened(at);
      await released;
    });
    // Before it is mounted, a failure belongs to this call; afterwards to the caller of release.
    ended.catch(failed);
  });
  const release = async (): Promise<void> => {
    letGo();
    await ended;
  };
  return { path, release, [Symbol.asyncDispose]: release };
}
