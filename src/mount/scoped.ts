/** A mount that lasts until it is released, or until the end of an `await using` block. */
export interface HeldMount extends AsyncDisposable {
  readonly path: string;
  /** Unmounts. A second call waits for the first one. */
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
    // A failure before the mount belongs to this call; a later one to the caller of `release`.
    ended.catch(failed);
  });
  const release = async (): Promise<void> => {
    letGo();
    await ended;
  };
  return { path, release, [Symbol.asyncDispose]: release };
}
