/** What a promise is rejected with. Throws when it is not. */
export async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it succeeded');
}

/** A step that fails. */
export async function failNow(): Promise<never> {
  throw new Error('the script failed');
}
