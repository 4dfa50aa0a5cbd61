/**
 * A hint that follows the message: of lvm or the GNU tools "Run `… --help' for more information.", of mount
 * "dmesg(1) may have more information after failed mount system call."
 */
const hint =
  /^(?:(?:run|try) \W.*--help\W* for more information|dmesg\(1\) may have more information\b.*?)\.?$/i;

/** Returns the last line of a text that is not such a hint, without blanks around it. */
export function lastLine(text: string): string {
  const lines = text.trimEnd().split('\n');
  return (lines.findLast((line) => !hint.test(line.trim())) ?? lines.at(-1) ?? '').trim();
}
