/** What `--help` shows below "Examples:", without the leading `bofh`, by the words of the verb. */
export const examples: Readonly<Record<string, readonly string[]>> = {};
