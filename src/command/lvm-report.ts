/**
 * What lvm's `--reportformat json` printed. When lvm finds that metadata changed between its scan and its read, or is damaged in one
 * place, it scans again and says so in the middle of the report, on stdout, also with -qq (2.03.16).
 */
export function lvmReport(stdout: string): unknown {
  return JSON.parse(stdout.replace(/^ {2}Retrying metadata scan\.\n/gm, ''));
}
