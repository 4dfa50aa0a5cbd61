// Which files of earlier builds stay in dist/: a running bofh may still load a part of the build that it started with.

/**
 * For a build that wrote `written`, where `before` is the record of the last build: returns the files that stay, and the
 * record for the next build. The next build removes the files of the build before this one. A build that changes nothing does not count.
 */
export function generations(written, before) {
  const now = [...new Set(written)].sort();
  const last = before.now;
  const same = now.length === last.length && now.every((name, index) => name === last[index]);
  const previous = (same ? before.previous : last).filter((name) => !now.includes(name));
  return { kept: [...now, ...previous], note: { now, previous } };
}

/** Reads the record of a build. An unreadable record counts as empty. */
export function parseNote(text) {
  try {
    const { now, previous } = JSON.parse(text);
    const names = (list) => Array.isArray(list) && list.every((name) => typeof name === 'string');
    return names(now) && names(previous) ? { now, previous } : undefined;
  } catch {
    return undefined;
  }
}
