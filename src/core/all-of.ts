/** Waits for all promises, also if one fails; then throws the first error in the order of the list. */
export async function allOf<T>(running: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}
