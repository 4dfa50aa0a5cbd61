/** Returns the Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const swap = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Returns the name that is nearest to a word; undefined if there is none. */
export function nearestOf(word: string, names: readonly string[]): string | undefined {
  return names.toSorted((a, b) => distance(word, a) - distance(word, b))[0];
}

/** Returns the name that a misspelt one probably means: `timeoutMs` for `timeout`, and the reverse. */
export function meantBy(word: string, names: readonly string[]): string | undefined {
  const given = word.toLowerCase();
  const isLike = (name: string): boolean => {
    const known = name.toLowerCase();
    const [shorter, longer] = given.length < known.length ? [given, known] : [known, given];
    const isBeginning = shorter.length >= 3 && longer.startsWith(shorter);
    return isBeginning || distance(given, known) <= Math.min(2, Math.floor(longer.length / 2));
  };
  return nearestOf(word, names.filter(isLike));
}
