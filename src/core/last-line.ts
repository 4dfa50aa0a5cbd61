/**
 * A hint of lvm or the GNU tools after the message itself: "Run `lvcreate --help' for more
 * information."
 */
const hint = /^(?:run|try) \W.*--help\W* for more information\.?$/i;

/**
 * Returns the last line of a text, without blanks around it; not the hint at a help text that
 * follows a message.
 */
export function lastLine(text: string): string {
  const lines = text.trimEnd().split('\n');
  return (lines.findLast((line) => !hint.test(line.trim())) ?? lines.at(-1) ?? '').trim();
}
