/** A statement of drbd.conf(5), and its position in its file. */
export interface Statement {
  readonly words: readonly Word[];
  /** The statements in its braces. */
  readonly inner: readonly Statement[];
}

/** A word, without its quotes; `from` and `to` include them. */
export interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const token = /#[^\n]*|"(?<quoted>(?:[^"\\\n]|\\.)*)"|(?<mark>[{};])|(?<bare>[^\s{};"#]+)/g;

/** Parses a file that drbdadm reads without an error into statements. */
export function statementsIn(text: string): readonly Statement[] {
  const top: Statement[] = [];
  const stack: Statement[][] = [top];
  let words: Word[] = [];
  for (const { index, 0: all, groups } of text.matchAll(token)) {
    const { quoted, mark, bare } = groups ?? {};
    const word = quoted ?? bare;
    if (word !== undefined) words.push({ text: word, from: index, to: index + all.length });
    if (mark === undefined) continue;
    if (mark === '}') {
      if (stack.length > 1) stack.pop();
    } else {
      const inner: Statement[] = [];
      stack.at(-1)?.push({ words, inner });
      if (mark === '{') stack.push(inner);
    }
    words = [];
  }
  return top;
}

/**
 * A word for drbdadm's scanner, in quotes if necessary (user/v84/drbdadm_scanner.fl of 9.22, STRING
 * and DQSTRING).
 */
export function word(text: string): string {
  return /^[\w/.-]{1,128}$/.test(text) ? text : `"${text}"`;
}
