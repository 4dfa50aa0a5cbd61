const later = 'lv_metadata_size';

/**
 * A recorded report of volumes as it would be with the column that bofh has asked for only since then, empty as it is of all but
 * pools. `npm run record -- --only ^lvm$` makes this needless.
 */
export function withLaterColumn<T extends { readonly argv: readonly string[]; readonly stdout: string }>(
  recorded: T,
): T {
  return {
    ...recorded,
    argv: recorded.argv.map((word) => word.replace(/,lv_skip_activation$/, `$&,${later}`)),
    stdout: recorded.stdout.replaceAll(/"lv_skip_activation":"[^"]*"(?=\})/g, `$&, "${later}":""`),
  };
}
