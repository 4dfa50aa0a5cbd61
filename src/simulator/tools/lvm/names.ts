/**
 * Returns the error of lvm for a name that no volume can have (lib/misc/lvm-string.c; lvm(8),
 * "Valid names").
 */
export function badName(name: string): string | undefined {
  if (name.startsWith('-') || !/^[a-zA-Z0-9+_.-]+$/.test(name) || name === '.' || name === '..')
    return `Logical volume name "${name}" is invalid.`;
  const part =
    /^(?:snapshot|pvmove)|_(?:cdata|cmeta|corig|mlog|mimage|pmspare|rimage|rmeta|tdata|tmeta|vorigin|vdata)/.exec(
      name,
    )?.[0];
  if (part === undefined) return undefined;
  const how = part.startsWith('_') ? 'including' : 'starting';
  return `Names ${how} "${part}" are reserved. Please choose a different LV name.`;
}
