/** A hint of lvm or the GNU tools that follows the message: "Run `… --help' for more information." */
const hint = /^(?:run|try) \W.*--help\W* for more information\.?$/i;

/** Returns the last line of a text that is not such a hint, without blanks around it. */
export function lastLine(text: string): string {
  const lines = text.trimEnd().split('\n');
  return (lines.findLast((line) => !hint.test(line.trim())) ?? lines.at(-1) ?? '').trim();
}
