/** Escapes control characters: a name on the host must not move the reader's cursor. */
export function escaped(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
