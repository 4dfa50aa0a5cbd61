/** What `--help` shows below "Examples:", without the leading `bofh`, by the words of the verb. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  'journal list': ['journal list'],
  'journal show': ['journal show 3f0c1a4e'],
  'journal prune': ['journal prune', 'journal prune --keep 30d'],
  recover: ['--dry-run recover', 'recover', "recover --abandon 3f0c1a4e --because 'the disk is gone'"],
};
