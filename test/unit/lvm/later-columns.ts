/** Columns of `lvs` that bofh has asked for only since most fixtures were recorded, as lvm writes them where there is nothing to say. */
export const laterColumns = {
  data_percent: '',
  metadata_percent: '',
  copy_percent: '',
  lv_health_status: '',
  lv_merging: '',
  lv_skip_activation: '',
  lv_metadata_size: '',
} as const;

/** A recorded report of volumes as it would be with the later columns, all of them empty. */
export function withLaterColumns<T extends { readonly argv: readonly string[]; readonly stdout: string }>(
  recorded: T,
): T {
  const names = Object.keys(laterColumns).join(',');
  const cells = Object.entries(laterColumns).map(([key, value]) => `"${key}":"${value}"`);
  return {
    ...recorded,
    argv: recorded.argv.map((word) => word.replace(/,pool_lv_uuid$/, `,pool_lv_uuid,${names}`)),
    stdout: recorded.stdout.replaceAll(/"pool_lv_uuid":"[^"]*"(?=\})/g, (cell) =>
      [cell, ...cells].join(', '),
    ),
  };
}
