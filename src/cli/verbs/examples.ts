/** What `--help` shows below "Examples:", without the leading `bofh`, by the words of the verb. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  recover: ['--dry-run recover', 'recover', "recover --abandon 3f0c1a4e --because 'the disk is gone'"],
};
